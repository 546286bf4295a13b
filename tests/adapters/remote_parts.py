"""A live engine with strategies in processes of their own, for the tests of both."""

from __future__ import annotations

import asyncio
import os
import signal
import textwrap
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

from sengine.adapters.remote.link import RemoteLink
from sengine.adapters.remote.remotes import Remotes
from sengine.assembly import load_strategies
from sengine.config.schema import StrategyConfig
from sengine.domain.events import BookEvent
from sengine.domain.market import OrderBook, PriceLevel
from sengine.engine.core import Engine
from sengine.engine.orders.simulated_venue import SimulatedVenue
from sengine.engine.risk.pipeline import RiskPipeline
from sengine.engine.state.portfolio import Portfolio
from sengine.engine.state.votes import VoteBook
from sengine.engine.strategies.runtime import StrategyRuntime
from sengine.plugins.catalog import Catalog
from sengine.runtime.live_engine import LiveEngine
from tests.patience import PATIENCE_S

T0 = 1_700_000_000_000_000_000
MS = 1_000_000

ECHO = """
    from typing import Annotated, Any
    import msgspec, os, sys
    from sengine.strategy import BaseStrategy, Plugin, Signal

    plugin = Plugin("echo", "{version}")

    class Parameters(msgspec.Struct, frozen=True):
        size: Annotated[float, msgspec.Meta(gt=0)] = 1.0
        every: int = 1

    class Echo(BaseStrategy):
        parameters = Parameters
        route = "direct"
        calls = 0

        def on_tick(self, data):
            self.calls += 1
            if data.mid > 9000:
                raise ValueError(f"too high: {{data.mid}}")
            if data.mid > 8000:
                os._exit(7)
            if self.calls % self.params.every:
                return None
            return Signal(direction="LONG", confidence=1.0, size=self.params.size, metadata={{"calls": self.calls}})

        def get_state(self):
            return super().get_state() | {{"calls": self.calls, "size": self.params.size}}

    def create_strategy():
        return Echo("echo")
"""


def write_echo(folder: Path, version: str = "1.0.0", code: str = ECHO) -> Path:
    path = folder / "echo.py"
    path.write_text(textwrap.dedent(code).format(version=version))
    return path


def book(step: int, mid: float = 100.5, symbol: str = "BTC") -> BookEvent:
    """The ``step``-th book, one each millisecond."""
    touch = OrderBook((PriceLevel(mid - 0.5, 5.0),), (PriceLevel(mid + 0.5, 5.0),))
    return BookEvent(symbol, T0 + step * MS, touch)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Rig:
    """An engine with remote strategies on the loop of the test."""

    def __init__(
        self, folder: Path, recent_ticks: int = 0, restart_after_s: float = 600.0, rollback_ticks: int = 0
    ) -> None:
        votes = VoteBook("weighted_average", 5_000 * MS)
        engine = Engine(votes, RiskPipeline([]), Portfolio(1e5), SimulatedVenue(), recent_ticks=recent_ticks)
        self.live = LiveEngine(engine)
        self.catalog = Catalog([folder])
        self.remotes = Remotes(self.live, self.catalog.find, restart_after_s, rollback_ticks)
        self.said = self.live.logs.history

    def load(self, strategy_id: str = "echo", **keys: Any) -> RemoteLink:
        strategy = StrategyConfig(id=strategy_id, type="grpc", **keys)
        assert load_strategies(self.live.engine, [strategy], self.catalog, "", self.remotes.spec) == []
        return self.remotes.links[strategy_id]

    def runtime(self, strategy_id: str = "echo") -> StrategyRuntime:
        return self.live.engine.registry.get(strategy_id)

    async def until(self, condition: Callable[[], object], timeout_s: float = PATIENCE_S) -> None:
        deadline = monotonic() + timeout_s
        while not condition():
            assert monotonic() < deadline, f"what was waited for did not come; said: {list(self.said)[-5:]}"
            await asyncio.sleep(0.005)

    async def signals(self, count: int) -> None:
        await self.until(lambda: self.live.engine.signals_generated >= count)


@asynccontextmanager
async def rig(
    folder: Path, recent_ticks: int = 0, restart_after_s: float = 600.0, rollback_ticks: int = 0
) -> AsyncIterator[Rig]:
    made = Rig(folder, recent_ticks, restart_after_s, rollback_ticks)
    try:
        yield made
    finally:
        for link in made.remotes.links.values():
            with suppress(ProcessLookupError):
                if pid := link.describe().get("pid"):
                    os.kill(pid, signal.SIGCONT)
        await made.remotes.stop()
