from __future__ import annotations

from msgspec.structs import replace

from sengine.adapters.control.views import SignalView
from sengine.clock import NS_PER_S
from tests.tui import scenes
from tui.bursts import WITHIN_NS, Bursts
from tui.tail import Tail


def said(strategy_id: str, at_s: float, direction: str = "LONG") -> SignalView:
    view = scenes.signal(1, "passed")
    return replace(view, strategy_id=strategy_id, direction=direction, timestamp_ns=int(at_s * NS_PER_S))


def tail_of(*views: SignalView, size: int = 500) -> Tail[SignalView]:
    tail: Tail[SignalView] = Tail(size)
    tail.extend(views)
    return tail


def in_short(bursts: Bursts, tail: Tail[SignalView]) -> list[tuple[str, str, int]]:
    return [(burst.last.strategy_id, burst.last.direction, burst.count) for burst in bursts.follow(tail)]


def test_what_is_said_again_is_counted_and_others_keep_their_place() -> None:
    tail = tail_of(said("maker", 1), said("maker", 1, "SHORT"), said("momentum", 2), said("maker", 2))
    bursts = Bursts(10)
    assert in_short(bursts, tail) == [("maker", "LONG", 2), ("maker", "SHORT", 1), ("momentum", "LONG", 1)]
    tail.extend([said("maker", 3), said("rsi", 3)])
    assert in_short(bursts, tail)[0] == ("maker", "LONG", 3)
    assert in_short(bursts, tail)[-1] == ("rsi", "LONG", 1)


def test_a_burst_ends_after_its_time_whatever_comes() -> None:
    within_s = WITHIN_NS / NS_PER_S
    tail = tail_of(*[said("maker", at_s * within_s / 4) for at_s in range(9)])
    assert [count for _, _, count in in_short(Bursts(10), tail)] == [4, 4, 1]


def test_only_the_last_bursts_are_kept() -> None:
    tail = tail_of(*[said(f"s{number}", number) for number in range(20)])
    assert [strategy_id for strategy_id, _, _ in in_short(Bursts(3), tail)] == ["s17", "s18", "s19"]


def test_what_the_tail_has_lost_is_not_counted_twice() -> None:
    tail = tail_of(*[said("maker", 1)] * 3, size=4)
    bursts = Bursts(10)
    assert in_short(bursts, tail) == [("maker", "LONG", 3)]
    tail.extend([said("maker", 1)] * 9)
    assert in_short(bursts, tail) == [("maker", "LONG", 7)]


def test_a_stream_that_begins_anew_is_followed_from_its_history() -> None:
    tail = tail_of(said("maker", 1), said("maker", 1))
    bursts = Bursts(10)
    in_short(bursts, tail)
    tail.restart([said("rsi", 5), said("rsi", 5), said("rsi", 5)])
    assert in_short(bursts, tail) == [("rsi", "LONG", 3)]
