"""Events that are far from their symbol's others in time (semantics, section 9)."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.session import ReplaySession
from sengine.domain.events import EndOfData, ForgetTime, MarketEvent, SoundBookEvent, TakeHeld
from sengine.domain.market import DataKind, OrderBook, PriceLevel
from sengine.engine.checkpoint.checkpoint import Checkpoint, checkpoint, restore
from sengine.engine.core import Engine
from sengine.engine.outcome import Outcome
from sengine.engine.risk import limits
from sengine.engine.time_jumps import JumpRule
from tests.engine.conftest import Actor, bar, close, engine_with, long, ns, quote, simulated_engine, trade

DAY_S = 86_400
RULE = JumpRule(ns(DAY_S))
EVERYTHING = (DataKind.BOOK, DataKind.TRADE, DataKind.BAR)
FAR_S = 200 * 365 * DAY_S
YEAR_2024_S = 1_704_067_200


def engine_of(*actors: Actor, rule: JumpRule | None = RULE) -> Engine:
    engine = engine_with(*(actors or (Actor(kinds=EVERYTHING),)))
    engine.jumps.change(rule)
    return engine


def feed(engine: Engine, *events: MarketEvent) -> list[Outcome]:
    """What each event led to, and what was due then."""
    outcomes = []
    for event in events:
        outcomes.append(engine.process(event))
        while engine.jumps.due:
            outcomes.append(engine.process(TakeHeld()))
    return outcomes


def seen(actor: Actor) -> list[float]:
    return [data.timestamp_ns / 1e9 for data in actor.seen]


@pytest.mark.parametrize("make", [quote, trade, bar])
def test_one_event_from_the_future_is_dropped_and_the_symbol_goes_on(make) -> None:
    actor = Actor(kinds=EVERYTHING)
    engine = engine_of(actor)
    feed(engine, *[make(at_s) for at_s in (1, 2, FAR_S, 3, 4, 5)])
    assert seen(actor) == [1, 2, 3, 4, 5]
    assert engine.rejected == {"time_jump": 1}
    assert engine.now_ns == ns(5)


def test_the_next_three_that_agree_confirm_a_jump_and_all_are_taken_in_order() -> None:
    actor = Actor()
    engine = engine_of(actor)
    monday = 3 * DAY_S
    feed(engine, quote(1), quote(2), quote(monday), quote(monday + 1), quote(monday + 2))
    assert seen(actor) == [1, 2]
    assert engine.jumps.is_holding("BTC") == 3
    feed(engine, quote(monday + 3), quote(monday + 4))
    assert seen(actor) == [1, 2, monday, monday + 1, monday + 2, monday + 3, monday + 4]
    assert not engine.rejected
    assert engine.jumps.is_holding("BTC") == 0


def test_a_jump_of_exactly_the_limit_is_none() -> None:
    actor = Actor()
    feed(engine_of(actor), quote(0), quote(DAY_S), quote(2 * DAY_S), quote(3 * DAY_S + 0.001))
    assert seen(actor) == [0, DAY_S, 2 * DAY_S]


def test_over_a_weekend_one_symbol_confirms_for_all_in_the_order_of_arrival() -> None:
    actor = Actor()
    engine = engine_of(actor)
    friday = [quote(0, symbol="A"), quote(1, symbol="B"), quote(2, symbol="A"), quote(3, symbol="B")]
    monday = [quote(3 * DAY_S + at_s, symbol="AB"[at_s % 2]) for at_s in range(9)]
    feed(engine, *friday, *monday)
    assert seen(actor) == [event.timestamp_ns / 1e9 for event in (*friday, *monday)]


def test_a_symbol_that_trades_seldom_does_not_wait_where_others_have_got_to() -> None:
    actor = Actor()
    engine = engine_of(actor)
    feed(engine, quote(0, symbol="SELDOM"), quote(1, symbol="SELDOM"))
    feed(engine, *[quote(at_s, symbol="OFTEN") for at_s in range(2, 4 * DAY_S, DAY_S // 2)])
    feed(engine, quote(4 * DAY_S, symbol="SELDOM"))
    assert seen(actor)[-1] == 4 * DAY_S


def test_a_jump_that_a_nearer_one_follows_is_dropped_and_the_nearer_one_waits() -> None:
    actor = Actor()
    engine = engine_of(actor)
    feed(engine, quote(1), quote(2), quote(FAR_S), *[quote(3 * DAY_S + at_s) for at_s in range(4)])
    assert seen(actor) == [1, 2, *[3 * DAY_S + at_s for at_s in range(4)]]
    assert engine.rejected == {"time_jump": 1}


def test_what_is_older_than_the_last_says_nothing_about_a_jump() -> None:
    actor = Actor()
    engine = engine_of(actor)
    feed(engine, quote(1), quote(2), quote(3 * DAY_S), quote(1.5))
    assert engine.rejected == {"time_backwards": 1}
    feed(engine, *[quote(3 * DAY_S + at_s) for at_s in (1, 2, 3)])
    assert seen(actor)[2:] == [3 * DAY_S + at_s for at_s in range(4)]


def test_a_first_event_from_the_future_is_found_wrong_when_others_agree_on_another_time() -> None:
    actor = Actor()
    engine = engine_of(actor)
    feed(engine, quote(FAR_S), *[quote(at_s) for at_s in (1, 2, 3)])
    assert seen(actor) == [FAR_S]
    outcomes = feed(engine, quote(4), quote(5))
    assert seen(actor) == [FAR_S, 1, 2, 3, 4, 5]
    assert engine.rejected == {"time_jump": 1}
    assert any("begins anew" in warning for outcome in outcomes for warning in outcome.warnings)


def test_where_other_symbols_tell_the_time_a_first_event_from_the_future_waits() -> None:
    actor = Actor()
    engine = engine_of(actor)
    feed(engine, quote(1, symbol="A"), quote(2, symbol="A"), quote(FAR_S, symbol="NEW"), quote(3, symbol="NEW"))
    assert seen(actor) == [1, 2, 3]
    assert engine.rejected == {"time_jump": 1}


def test_a_first_event_that_the_next_goes_on_from_stays_and_what_is_before_it_is_older() -> None:
    actor = Actor()
    engine = engine_of(actor)
    feed(engine, quote(9 * DAY_S), quote(1), quote(2), quote(9 * DAY_S + 1), quote(3))
    assert seen(actor) == [9 * DAY_S, 9 * DAY_S + 1]
    assert engine.rejected == {"time_backwards": 3}


def test_bars_may_be_ten_times_as_far_apart_or_ten_intervals() -> None:
    actor = Actor(kinds=EVERYTHING)
    engine = engine_of(actor)
    month = 30 * DAY_S
    feed(engine, bar(0), bar(10 * DAY_S), bar(20 * DAY_S + month))
    assert seen(actor) == [0, 10 * DAY_S, 20 * DAY_S + month], "40 days after bars that are 10 days apart"
    feed(engine, bar(700 * DAY_S))
    assert engine.jumps.is_holding("BTC") == 1


def test_monthly_bars_wait_once_and_all_of_them_are_taken() -> None:
    actor = Actor(kinds=EVERYTHING)
    engine = engine_of(actor)
    times = [place * 31 * DAY_S for place in range(24)]
    feed(engine, *[bar(at_s) for at_s in times])
    assert seen(actor) == times


@pytest.mark.parametrize(
    ("after_s", "taken"), [(3 * DAY_S, True), (10 * DAY_S, True), (11 * DAY_S, False), (FAR_S, False)]
)
def test_where_the_data_ends_first_a_jump_is_decided_by_its_length_and_told(after_s: float, *, taken: bool) -> None:
    actor = Actor()
    engine = engine_of(actor)
    feed(engine, quote(1), quote(2), quote(2 + after_s))
    (outcome, *_) = feed(engine, EndOfData())  # type: ignore[arg-type]
    assert seen(actor) == ([1, 2, 2 + after_s] if taken else [1, 2])
    assert engine.rejected == ({} if taken else {"time_jump": 1})
    (sentence,) = outcome.warnings
    assert "BTC: the last 1 event" in sentence
    assert ("taken" if taken else "dropped") in sentence


def test_what_is_held_back_and_due_is_in_a_checkpoint() -> None:
    first, second = engine_of(Actor(kinds=EVERYTHING)), engine_of(actor := Actor(kinds=EVERYTHING))
    sound = SoundBookEvent("BTC", ns(3 * DAY_S), OrderBook((PriceLevel(1.0, 1.0),), (PriceLevel(2.0, 1.0),)), 7, 9)
    feed(first, quote(1), quote(2), sound, trade(3 * DAY_S + 1))
    first.process(quote(8 * DAY_S, symbol="YOUNG"))
    for event in (bar(3 * DAY_S + 2), quote(3 * DAY_S + 3)):
        first.process(event)
    assert len(first.jumps.due) == 4
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(checkpoint(first)), type=Checkpoint)
    restore(second, state)
    assert msgspec.msgpack.encode(second.jumps.state()) == msgspec.msgpack.encode(first.jumps.state())
    assert [type(event) for _, event in second.jumps.due] == [type(event) for _, event in first.jumps.due]
    while second.jumps.due:
        second.process(TakeHeld())
    assert seen(actor) == [3 * DAY_S + at_s for at_s in range(4)]
    assert second.process(TakeHeld()).rejected == ""


def test_without_the_rule_nothing_is_held_back_and_with_it_again_it_is() -> None:
    actor = Actor()
    engine = engine_of(actor, rule=None)
    feed(engine, quote(1), quote(FAR_S))
    assert seen(actor) == [1, FAR_S]
    engine.jumps.change(RULE)
    feed(engine, quote(2 * FAR_S))
    assert seen(actor) == [1, FAR_S]


def test_a_time_that_is_forgotten_lets_the_symbol_begin_anew() -> None:
    actor = Actor("a", long(), None)
    engine = engine_of(actor, rule=None)
    feed(engine, quote(FAR_S))
    engine.process(ForgetTime("BTC", ns(YEAR_2024_S)))
    engine.process(ForgetTime("UNKNOWN", ns(YEAR_2024_S)))
    feed(engine, quote(YEAR_2024_S))
    assert seen(actor) == [FAR_S, YEAR_2024_S]
    assert not engine.rejected
    assert not any(engine.record.sent_ns.values())
    assert engine.votes.live() == []


def test_one_number_from_the_future_does_not_make_all_later_ones_out_of_order() -> None:
    engine = engine_of()
    numbers = (1, 2, 10**18, 3, 4, 5, 6, 7, 9)
    feed(engine, *[quote(at_s, sequence=number) for at_s, number in enumerate(numbers)])
    assert engine.gaps == {"jumped": 1, "out_of_order": 2, "missing": 1}


def test_a_publisher_that_counts_from_the_beginning_again_is_followed() -> None:
    engine = engine_of()
    numbers = (100, 101, 1, 2, 3, 4, 5, 7)
    feed(engine, *[trade(at_s, sequence=number) for at_s, number in enumerate(numbers)])
    assert engine.gaps == {"out_of_order": 2, "missing": 1}


# The day.


def refused(outcomes: list[Outcome]) -> list[str]:
    return [result.code for outcome in outcomes for result in outcome.signals if result.code]


def losing(rule: JumpRule = RULE) -> tuple[Engine, Actor]:
    """An engine on 2024-01-01 that lost 10 at 10:00, of which 5 may be lost a day."""
    actor = Actor("a", long())
    engine = simulated_engine(actor, checks=[limits.DailyLossLimit(5.0)])
    engine.jumps.change(rule)
    begin = YEAR_2024_S + 10 * 3600
    feed(engine, quote(begin, symbol="AAA"), quote(begin + 1, 89.0, 91.0, "AAA"))
    return engine, actor


def test_a_single_event_dated_tomorrow_does_not_begin_the_days_loss_anew() -> None:
    engine, actor = losing()
    begin = YEAR_2024_S + 10 * 3600
    tomorrow = begin + DAY_S - 1
    feed(engine, quote(begin + 2, symbol="ZZZ"), quote(begin + 2.5, symbol="ZZZ"))
    actor.says(long())
    assert refused(feed(engine, quote(tomorrow, 98.0, 100.0, "ZZZ"))) == ["above_max_loss"]
    for place in range(5):
        actor.says(long())
        assert refused(feed(engine, quote(begin + 3 + place, 89.0 - place / 10, 91.0, "AAA"))) == ["above_max_loss"]
    assert engine.record.day_ends_ns == ns(YEAR_2024_S + DAY_S)


def test_a_wrong_date_does_not_count_for_the_day_that_comes_later() -> None:
    engine, actor = losing()
    begin = YEAR_2024_S + 10 * 3600
    feed(engine, quote(begin + 2, symbol="ZZZ"), quote(begin + 2.5, symbol="ZZZ"))
    feed(engine, quote(begin + DAY_S - 1, 98.0, 100.0, "ZZZ"), quote(begin + 3, 88.0, 90.0, "AAA"))
    midnight = YEAR_2024_S + DAY_S
    feed(engine, quote(midnight - 1, 88.1, 90.1, "AAA"), quote(midnight, 88.2, 90.2, "AAA"))
    actor.says(long())
    assert refused(feed(engine, quote(midnight + 1, 88.0, 90.0, "AAA"))) == []
    assert engine.record.day_ends_ns == ns(midnight + DAY_S)
    assert engine.record.day_equity["a"] == pytest.approx(89.1 - 101.0), "as it was before midnight's first price"


def test_after_a_long_silence_the_second_event_turns_the_day_that_began_with_the_first() -> None:
    engine, actor = losing()
    tomorrow = YEAR_2024_S + DAY_S + 8 * 3600
    actor.says(long(), long())
    assert refused(feed(engine, quote(tomorrow, 80.0, 82.0, "AAA"))) == ["above_max_loss"]
    assert engine.record.day_ends_ns == ns(YEAR_2024_S + DAY_S)
    assert refused(feed(engine, quote(tomorrow + 1, 79.0, 81.0, "AAA"))) == ["above_max_loss"], "11 of this day"
    assert engine.record.day_equity["a"] == pytest.approx(90.0 - 101.0)


def test_bars_turn_the_day_one_by_one() -> None:
    actor = Actor("a", long(), kinds=(DataKind.BAR,))
    engine = simulated_engine(actor, checks=[limits.DailyLossLimit(5.0)])
    engine.jumps.change(RULE)
    for day in range(5):
        feed(engine, bar(YEAR_2024_S + day * DAY_S, 100.0 - 4 * day))
        assert engine.record.day_ends_ns == ns(YEAR_2024_S + (day + 1) * DAY_S)


# Ordinary data.


@st.composite
def ordinary(draw: st.DrawFn) -> list[MarketEvent]:
    """Books of two symbols in order of time, with nights and weekends of all lengths up to ten days."""
    made: list[MarketEvent] = []
    now_s = float(YEAR_2024_S)
    for _ in range(draw(st.integers(1, 40))):
        now_s += draw(st.sampled_from([0.0, 1.0, 60.0, 1.0, DAY_S, 3 * DAY_S, 10 * DAY_S]))
        mid = float(draw(st.integers(90, 110)))
        made.append(
            SoundBookEvent(
                draw(st.sampled_from("AB")),
                ns(now_s),
                OrderBook((PriceLevel(mid - 1, 1.0),), (PriceLevel(mid + 1, 1.0),)),
            )
        )
    return made


def run(events: list[MarketEvent], rule: JumpRule | None) -> tuple[str, list[float], list[str]]:
    actor = Actor("a", *[long(), None, close(), None] * 10)
    engine = simulated_engine(actor)
    engine.jumps.change(rule)
    session = ReplaySession(engine)
    result = session.run(iter(events))
    return result.digest, session.curve.pnl, [each for each in result.rejected if each]


@settings(max_examples=200, deadline=None)
@given(ordinary(), st.integers(1, 4))
def test_digest_and_curve_of_one_symbol_are_what_they_were_without_the_rule(
    events: list[MarketEvent], confirm: int
) -> None:
    own = [msgspec.structs.replace(event, symbol="A") for event in events]
    assert run(own, JumpRule(ns(DAY_S), confirm)) == run(own, None)


def test_digest_and_curve_of_several_symbols_over_weekends_are_what_they_were_without_the_rule() -> None:
    book = OrderBook((PriceLevel(99.0, 1.0),), (PriceLevel(101.0, 1.0),))
    other = OrderBook((PriceLevel(98.0, 1.0),), (PriceLevel(100.0, 1.0),))
    events: list[MarketEvent] = [
        SoundBookEvent(symbol, ns(YEAR_2024_S + week * 7 * DAY_S + at_s), book if at_s % 2 else other)
        for week in range(4)
        for at_s in range(20)
        for symbol in ("A", "B", "C")
    ]
    assert run(events, RULE) == run(events, None)
