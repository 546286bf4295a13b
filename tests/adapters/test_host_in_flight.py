"""What a host adds to what the engine says is in flight: signals that the engine has not settled yet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sengine.adapters.remote.host_in_flight import HostInFlight
from sengine.domain.signal import Signal


def test_a_signal_counts_until_the_engine_has_heard_of_it() -> None:
    book = HostInFlight(2.0)
    book.hear("BTC", 0.0, 0)
    book.say(1, Signal(direction="LONG", confidence=1.0, size=3.0), "BTC", 0.0)
    assert book.on("BTC") == 3.0
    book.hear("BTC", 0.0, 0)
    assert book.on("BTC") == 3.0, "a tick that was on its way"
    book.hear("BTC", 3.0, 1)
    assert book.on("BTC") == 3.0, "it is an order now"
    book.hear("BTC", 0.0, 1)
    assert book.on("BTC") == 0.0


@pytest.mark.parametrize(
    ("direction", "size", "held", "counted"),
    [("LONG", 0.0, 0.0, 2.0), ("short", 0.5, 1.0, -0.5), ("CLOSE", 0.0, 1.5, -1.5), ("CLOSE", 7.0, 0.0, 0.0)],
)
def test_a_signal_counts_with_its_size_or_the_default_and_a_close_with_what_is_held(
    direction: str, size: float, held: float, counted: float
) -> None:
    book = HostInFlight(2.0)
    book.say(1, Signal(direction=direction, confidence=1.0, size=size), "BTC", held)
    assert book.on("BTC") == counted


def test_symbols_are_apart_and_the_star_is_their_sum() -> None:
    book = HostInFlight(0.0)
    book.hear("BTC", 2.0, 0)
    book.hear("ETH", -0.5, 0)
    book.say(1, Signal(direction="SHORT", confidence=1.0), "ETH", 0.0)
    assert (book.on("BTC"), book.on("ETH"), book.on("*"), book.on("LTC")) == (2.0, -1.5, 0.5, 0.0)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=40))
def test_however_late_the_engine_hears_one_who_looks_never_asks_for_more_than_one(
    steps: list[tuple[bool, int]],
) -> None:
    """The engine settles answers some ticks late, and its ticks say so."""
    book, heard, asked = HostInFlight(1.0), 0, dict[int, float]()
    for tick, (wants_long, late) in enumerate(steps, 1):
        heard = max(heard, tick - 1 - late)
        book.hear("BTC", sum(size for number, size in asked.items() if number <= heard), heard)
        heading = book.on("BTC")
        if heading <= 0 if wants_long else heading >= 0:
            signal = Signal(direction="LONG" if wants_long else "SHORT", confidence=1.0)
            book.say(tick, signal, "BTC", 0.0)
            asked[tick] = 1.0 if wants_long else -1.0
        assert abs(sum(asked.values())) <= 1.0
