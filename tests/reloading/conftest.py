"""A live engine with one strategy from a file, and everything that reloads it, prover process included."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from sengine.assembly import build_engine, build_venue, catalog, load_strategies
from sengine.config import Config, load_config
from sengine.config.schema import AggregationConfig, PluginsConfig, RiskConfig, StrategyConfig
from sengine.domain.events import BookEvent
from sengine.domain.market import OrderBook, PriceLevel
from sengine.domain.reload import ReloadReport
from sengine.runtime.live_engine import LiveEngine
from sengine.runtime.status import ServiceStatus
from sengine.service.reload.strategies import Reloading
from sengine.strategy import BaseStrategy

SOURCE = '''
from sengine.strategy import BaseStrategy, Plugin, Signal

plugin = Plugin("mine", "1.0.0")
NAME = "first"


class Mine(BaseStrategy):
    """Remembers what it saw."""

    def __init__(self, strategy_id):
        super().__init__(strategy_id)
        self.mids = []
        self.name = NAME

    def initialize(self, config):
        self.size = config.get("size", 1.0)

    def on_tick(self, data):
        self.mids.append(data.mid)
        # more
        return None


def create_strategy():
    return Mine("mine")
'''


class Desk:
    """Feeds the engine books, edits the strategy's file and asks for reloads."""

    def __init__(self, folder: Path, plugins: dict[str, Any]) -> None:
        self.folder = folder
        self.file = folder / "mine.py"
        self.config_file: Path | None = None
        if not self.file.exists():
            self.write(SOURCE)
        self.strategies = [StrategyConfig(id="a", plugin="mine", config={"size": 1.0})]
        self.settings = PluginsConfig(
            directory=str(folder),
            config_directory=str(folder / "configs"),
            **({"proof_timeout_ms": 10_000.0} | plugins),
        )
        config = self.config()
        self.live = LiveEngine(build_engine(config, build_venue(config), reloads=True))
        self.facts = ServiceStatus("test")
        assert not load_strategies(self.live.engine, config.strategies, catalog(config))
        self.reloading = Reloading(self.live, self.facts, catalog(config), config, self.config)
        self.step = 0

    def config(self) -> Config:
        if self.config_file is not None:
            return load_config(self.config_file, environment={})
        return Config(
            plugins=self.settings,
            strategies=self.strategies,
            risk=RiskConfig(filters=[]),
            aggregation=AggregationConfig(method="first_signal"),
        )

    def write(self, source: str, name: str = "mine.py") -> Path:
        path = self.folder / name
        path.write_text(source)
        return path

    def edit(self, old: str, new: str) -> None:
        source = self.file.read_text()
        assert old in source
        self.write(source.replace(old, new))

    def add_method(self, source: str) -> None:
        self.edit("    def initialize", f"    {source}\n\n    def initialize")

    def tick(self, count: int = 1, symbol: str = "BTC") -> None:
        for _ in range(count):
            self.step += 1
            touch = OrderBook((PriceLevel(self.step + 0.5, 1.0),), (PriceLevel(self.step + 1.5, 1.0),))
            self.live.process(BookEvent(symbol, self.step * 1_000_000, touch, self.step))

    async def reload(self) -> ReloadReport:
        return await self.reloading.reload("a")

    def running(self, symbol: str = "BTC") -> BaseStrategy:
        return self.live.engine.registry.get("a").instances[symbol]

    def name(self) -> str:
        return self.running().name  # type: ignore[attr-defined,no-any-return]

    @property
    def version(self) -> str:
        return self.live.engine.registry.get("a").spec.version

    def said(self, words: str) -> bool:
        return any(words in line.event for line in self.live.logs.history)


NewDesk = Callable[..., Awaitable[Desk]]


@pytest.fixture
async def new_desk(tmp_path: Path) -> AsyncIterator[NewDesk]:
    desks: list[Desk] = []

    async def new(folder: Path = tmp_path, **plugins: Any) -> Desk:
        desks.append(Desk(folder, plugins))
        return desks[-1]

    yield new
    for desk in desks:
        await desk.reloading.stop()


@pytest.fixture
async def desk(new_desk: NewDesk) -> Desk:
    return await new_desk()
