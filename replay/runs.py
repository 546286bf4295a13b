"""What every way of reading a stretch of a file comes to: the events of consecutive rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sengine.domain.events import MarketEvent


class Run(NamedTuple):
    """The events of consecutive rows."""

    events: Iterator[MarketEvent]
    rows_left: Iterator[int]
    """Its ``operator.length_hint`` is how many of the rows have not been taken from ``events`` yet."""
