"""What stands in the live engine for a strategy in its own process. It hands ticks on and never waits."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

from sengine.adapters.remote.outbox import Outbox, RemoteCounts, Sent
from sengine.domain.market import MarketData
from sengine.domain.order import Fill
from sengine.domain.order_news import OrderNews
from sengine.strategy import BaseStrategy, in_flight_on


class RemoteStrategy(BaseStrategy):
    """For all symbols of one strategy. ``outboxes`` are where ticks and fills go: one while connected, one more for a
    new process that warms up, and for an old one that waits, none without a connection; then ticks are missed, and
    counted.

    ``on_config`` is told of new parameters, ``on_shutdown`` of the end, ``describe`` gives what operators see.
    """

    one_instance_per_symbol = False

    def __init__(self, strategy_id: str, config: dict[str, Any], figures: RemoteCounts) -> None:
        super().__init__(strategy_id)
        self.config = config
        """The parameters that its process has, or is to be started with."""
        self.figures = figures
        self.outboxes: tuple[Outbox, ...] = ()
        self.number = 0
        """Of the last tick that was given a number."""
        self.on_config: Callable[[dict[str, Any]], None] = lambda config: None
        self.on_shutdown: Callable[[], None] = lambda: None
        self.describe: Callable[[], dict[str, Any]] = dict

    def on_tick(self, data: MarketData) -> None:
        if not self.outboxes:
            self.figures.missed_ticks += 1
            return
        self.number += 1
        sent = Sent(self.number, data, perf_counter_ns())
        self._put(sent, data.symbol)

    def on_fill(self, fill: Fill) -> None:
        super().on_fill(fill)
        self._put(fill, fill.symbol)

    def on_order(self, update: OrderNews) -> None:
        self._put(update, update.symbol)

    def _put(self, item: Sent | Fill | OrderNews, symbol: str) -> None:
        in_flight = in_flight_on(self, symbol)
        for outbox in self.outboxes:
            outbox.append(item, in_flight)

    def get_state(self) -> dict[str, Any]:
        return {"position": self.position} | self.describe()

    def hot_reload(self, config: dict[str, Any]) -> None:
        if config != self.config:
            self.on_config(config)

    def shutdown(self) -> None:
        self.on_shutdown()
