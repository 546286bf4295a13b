"""``market_data``: which times of market data are believed."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from sengine.clock import NS_PER_S
from sengine.config.durations import Duration
from sengine.config.section import Section


class MarketDataConfig(Section, frozen=True):
    """``market_data``: events whose time is far from their symbol's others, or in the future."""

    max_jump_ns: Annotated[
        Duration,
        Meta(
            gt=0,
            description="An event this much after its symbol's last one waits until others confirm its time; a bar ten "
            "times as much, or ten intervals.",
        ),
    ] = field(default=86_400 * NS_PER_S, name="max_jump")
    confirm: Annotated[
        int,
        Meta(ge=1, le=1000, description="How many events of the symbol in a row confirm the time of one that waits."),
    ] = 3
    max_ahead_ns: Annotated[
        Annotated[Duration, Meta(gt=0)] | None,
        Meta(description="Live, an event dated this much after it is received is refused; null takes it."),
    ] = field(default=5 * NS_PER_S, name="max_ahead")
