"""Events as they are made row by row, whatever quicker form a feed gave them."""

from __future__ import annotations

from sengine.domain.events import BookEvent, MarketEvent, SoundBookEvent
from sengine.domain.market import Quote
from sengine.engine.state.markets import book_fault


def plain(event: MarketEvent) -> MarketEvent:
    """One that a feed calls sound must be what the engine calls sound."""
    if not isinstance(event, SoundBookEvent | Quote):
        return event
    assert book_fault(event.book) is None
    return BookEvent(event.symbol, event.timestamp_ns, event.book, event.sequence)
