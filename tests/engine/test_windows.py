"""What an instance remembers is counted, and what another one remembers less of is said."""

from __future__ import annotations

from collections import deque
from typing import Any

from sengine.engine.strategies.windows import lost_windows, sizes_told, window_sizes
from sengine.strategy import BaseStrategy


class Channel:
    def __init__(self, bars: int) -> None:
        self.bars = deque(range(bars), maxlen=10)
        self.name = "channel"


class Remembering(BaseStrategy):
    def __init__(self, bars: int = 5) -> None:
        super().__init__("a")
        self.mids = [1.0, 2.0]
        self.channel = Channel(bars)
        self.ticks = 7

    def on_tick(self, data: Any) -> None:
        return None


def test_containers_of_the_instance_and_of_what_it_holds_are_counted_by_name() -> None:
    assert window_sizes(Remembering()) == {"mids": 2, "channel.bars": 5}


def test_a_window_that_is_shorter_is_said_and_a_longer_or_other_one_is_not() -> None:
    assert lost_windows(window_sizes(Remembering(5)), window_sizes(Remembering(2))) == "channel.bars had 5, has 2"
    assert lost_windows(window_sizes(Remembering(2)), window_sizes(Remembering(5))) == ""
    assert lost_windows({"old_name": 5}, {"new_name": 1}) == ""


def test_many_are_counted_and_not_all_named() -> None:
    before = {f"w{number}": 3 for number in range(9)}
    assert lost_windows(before, dict.fromkeys(before, 1)).endswith("w4 had 3, has 1; and 4 more")


def test_one_that_hides_what_it_holds_is_taken_at_its_word() -> None:
    class Hidden(BaseStrategy):
        def on_tick(self, data: Any) -> None:
            return None

        def get_state(self) -> dict[str, Any]:
            return super().get_state() | {"bars": 5, "mids": [1, 2, 3], "mean": 1.5, "is_full": True}

    assert window_sizes(Hidden("a")) == {"bars": 5, "mids": 3}
    assert sizes_told({"position": 3, "bars": 2}) == {"bars": 2}


def test_a_container_of_ones_own_is_not_asked_for_its_length() -> None:
    class Odd(list):  # type: ignore[type-arg]
        def __len__(self) -> int:
            raise AssertionError("asked")

    strategy = Remembering()
    strategy.mids = Odd()
    assert window_sizes(strategy) == {"channel.bars": 5}
