"""All that an engine knows between two events, as one value: who handles an event reads it here and writes it here.

A checkpoint saves it. Nothing in it does I/O or asks a clock.
"""

from __future__ import annotations

from collections import Counter

from sengine.domain.order import Fill
from sengine.domain.signal import Disposition
from sengine.engine.risk.pipeline import RiskPipeline
from sengine.engine.risk.view import RiskView
from sengine.engine.state.held_fills import HeldFills
from sengine.engine.state.markets import Market
from sengine.engine.state.orders import OrderTracker
from sengine.engine.state.portfolio import Portfolio
from sengine.engine.state.recent_ticks import new_ring
from sengine.engine.state.saved import Flattening
from sengine.engine.state.trading_record import TradingRecord
from sengine.engine.state.votes import VoteBook
from sengine.engine.strategies.guard import Guard
from sengine.engine.strategies.registry import StrategyRegistry


class EngineState:
    """Markets, orders, positions, votes, strategies and limits, and what was counted.

    ``max_errors`` within ``reset_after_ns`` of event time pause a strategy. ``order_prefix`` makes order ids unique
    across sessions. The last ``recent_ticks`` ticks of each symbol are kept.
    """

    def __init__(
        self,
        votes: VoteBook,
        risk: RiskPipeline,
        portfolio: Portfolio,
        *,
        max_errors: int = 10,
        reset_after_ns: int = 60_000_000_000,
        order_prefix: str = "",
        recent_ticks: int = 0,
    ) -> None:
        self.now_ns = 0
        """Event time, nanoseconds UTC: that of the newest event."""
        self.ticks = 0
        self.markets: dict[str, Market] = {}
        self.orders = OrderTracker()
        self.portfolio = portfolio
        self.record = TradingRecord()
        self.votes = votes
        self.risk = risk
        self.risk_view = RiskView(portfolio, self.orders, self.markets, self.record)
        self.guard = Guard()
        self.registry = StrategyRegistry(
            max_errors, reset_after_ns, votes.withdraw, self.markets, self.guard, self.orders.heading
        )
        self.order_prefix = order_prefix
        self.orders_sent = 0
        self.kill_reason = ""
        """Why the kill switch is pulled; nothing is sent while there is a reason."""
        self.is_shut_down = False
        self.is_following = False
        """While the engine follows a recorded session, orders, cancellations and signals are the recorded ones only."""
        self.flattening: dict[tuple[str, str], Flattening] = {}
        """(strategy, symbol) that an operator is bringing to zero; their signals are filtered until they are there."""
        self.crossed = 0
        """Crosses of flattens so far; they number the orders that their fills name."""
        self.unwanted: list[tuple[Fill, int]] = []
        """Shares of fills of orders that a CLOSE had withdrawn, with its sequence, until they are traded back."""
        self.held_fills = HeldFills()
        # What was counted.
        self.rejected: Counter[str] = Counter()
        """Market data that was dropped, by reason code."""
        self.gaps: Counter[str] = Counter()
        self.anomalies: Counter[str] = Counter()
        """What came back from outside and did not fit, by kind."""
        self.overruled_closes: Counter[tuple[str, str]] = Counter()
        """CLOSE signals that a vote overruled while their strategy held something, by strategy and symbol."""
        self.signals = 0
        self.dispositions: Counter[Disposition] = Counter()
        self.filtered_by: Counter[str] = Counter()
        self._recent_ticks = recent_ticks

    def new_market(self, symbol: str) -> Market:
        """Begin to keep a symbol's market."""
        market = self.markets[symbol] = Market(symbol)
        market.recent = new_ring(self._recent_ticks)
        market.routed = self.registry.wants(symbol)
        return market

    def route_anew(self) -> None:
        """Strategies came or went: ask again who wants which symbol."""
        for market in self.markets.values():
            market.routed = self.registry.wants(market.symbol)

    def next_order_id(self) -> str:
        return f"{self.order_prefix}{self.orders_sent + 1}"
