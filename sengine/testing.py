"""For strategy authors' tests: drive one strategy by hand, without an engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sengine.clock import NS_PER_S
from sengine.domain.market import MarketData, OrderBook, PriceLevel
from sengine.domain.order import Fill
from sengine.domain.order_news import OrderNews
from sengine.domain.signal import Signal
from sengine.plugins.loader import load_plugin


class StrategyBench:
    """A strategy loaded from its file, with time that moves one second a tick.

    Raises ``PluginError`` or ``ConfigError`` just as the engine would when the file or its ``config`` is wrong.
    """

    def __init__(self, path: Path, config: Mapping[str, Any] | None = None, symbol: str = "BTCUSDT") -> None:
        plugin = load_plugin(Path(path))
        self.symbol = symbol
        self.now_ns = 0
        self.strategy = plugin.create(plugin.plugin.name, dict(config or {}), "config")

    def tick(self, bid: float, ask: float, bid_qty: float = 1.0, ask_qty: float = 1.0) -> Sequence[Signal]:
        """Show the strategy a new book; the signals that it returns."""
        self.now_ns += NS_PER_S
        book = OrderBook((PriceLevel(bid, bid_qty),), (PriceLevel(ask, ask_qty),))
        result = self.strategy.on_tick(MarketData(self.symbol, self.now_ns, book))
        if result is None:
            return []
        return [result] if isinstance(result, Signal) else list(result)

    def fill(self, side: str, price: float, quantity: float, commission: float = 0.0) -> None:
        """Tell the strategy that an order of its own was executed."""
        strategy_id = self.strategy.strategy_id
        fill = Fill("order", strategy_id, self.symbol, side, price, quantity, commission, self.now_ns, "fill")
        self._hand_over("on_fill", fill)

    def order(self, status: str, quantity: float = 1.0, **news: Any) -> None:
        """Tell the strategy what became of a signal or an order of its own; ``news`` are fields of ``OrderNews``, as
        ``direction="LONG"`` and ``reason="..."``."""
        told = OrderNews(
            status=status,
            strategy_id=self.strategy.strategy_id,
            symbol=self.symbol,
            quantity=quantity,
            timestamp_ns=self.now_ns,
            **news,
        )
        self._hand_over("on_order", told)

    def _hand_over(self, call: str, what: Fill | OrderNews) -> None:
        said = getattr(self.strategy, call)(what)
        if said is not None:
            # What the engine counts as an error is one here.
            raise TypeError(f"{call} must return nothing, got {type(said).__name__}; signals are returned from on_tick")
