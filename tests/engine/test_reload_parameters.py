"""New parameters for a running strategy: all or nothing, and the lifecycle state is what it was."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sengine.domain.events import PauseStrategy, ReloadParameters
from sengine.engine.strategies.lifecycle import State
from sengine.engine.strategies.spec import StrategySpec
from sengine.strategy import BaseStrategy
from tests.engine.conftest import engine_with, quote


class Limits(msgspec.Struct, frozen=True):
    high: int = 5


class Tunable(BaseStrategy):
    """Keeps what it was configured with; refuses a negative ``high``, but only after it took it over."""

    made: int = 0

    def initialize(self, config: dict[str, Any]) -> None:
        self.high = config["high"]
        if self.high < 0 or (self.high == 7 and self.made == 2):
            raise ValueError(f"high must not be {self.high}")

    def on_tick(self, data) -> None:
        self.seen = self.high


class Maker:
    """Makes ``Tunable`` instances as a loaded plugin would: typed parameters, defaults filled in."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.instances: list[Tunable] = []
        self.config = config
        self.spec = StrategySpec("a", self.create, config=config, prepare=self.prepare, source=__file__)

    def prepare(self, config: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        params = msgspec.convert(config, Limits)
        return params, msgspec.structs.asdict(params)

    def create(self) -> BaseStrategy:
        strategy = Tunable("a")
        strategy.params, full = self.prepare(self.config)
        self.instances.append(strategy)
        strategy.made = len(self.instances)
        strategy.initialize(full)
        return strategy


def running(config: dict[str, Any], symbols: tuple[str, ...] = ("BTC",)):
    maker = Maker(config)
    engine = engine_with()
    engine.registry.load(maker.spec)
    for symbol in symbols:
        engine.process(quote(1, symbol=symbol))
    return engine, maker


def in_force(maker: Maker) -> list[tuple[int, int]]:
    return [(strategy.high, strategy.params.high) for strategy in maker.instances]


def test_new_parameters_reach_every_instance_and_their_positions_stay() -> None:
    engine, maker = running({"high": 3}, ("BTC", "ETH"))
    maker.instances[1].position = 4.0
    assert engine.process(ReloadParameters("a", {"high": 9})).faults == []
    assert in_force(maker) == [(9, 9), (9, 9)]
    assert maker.instances[1].position == 4.0
    assert engine.registry.get("a").config == {"high": 9}


def test_defaults_are_filled_in() -> None:
    engine, maker = running({"high": 3})
    engine.process(ReloadParameters("a", {}))
    assert in_force(maker) == [(5, 5)]


def test_a_strategy_that_has_not_seen_a_tick_gets_them_too() -> None:
    engine, maker = running({"high": 3}, ())
    engine.process(ReloadParameters("a", {"high": 9}))
    engine.process(quote(1))
    assert in_force(maker) == [(9, 9)]


@pytest.mark.parametrize("config", [{"high": "many"}, {"high": -1}], ids=["not valid", "refused by the strategy"])
@pytest.mark.parametrize("paused", [False, True])
def test_a_failure_leaves_the_old_parameters_and_the_state(config: dict[str, Any], paused: bool) -> None:
    engine, maker = running({"high": 3}, ("BTC", "ETH"))
    if paused:
        engine.process(PauseStrategy("a"))
    (fault,) = engine.process(ReloadParameters("a", config)).faults
    assert fault.kind == "reload"
    assert in_force(maker) == [(3, 3), (3, 3)]
    assert engine.registry.get("a").config == {"high": 3}
    assert engine.registry.get("a").lifecycle.state is (State.PAUSED if paused else State.ACTIVE)


def test_a_failure_of_the_second_instance_takes_the_first_one_back() -> None:
    engine, maker = running({"high": 3}, ("BTC", "ETH"))
    (fault,) = engine.process(ReloadParameters("a", {"high": 7})).faults
    assert fault.message == "ValueError: high must not be 7"
    assert fault.where.startswith(f"{__file__}:")
    assert in_force(maker) == [(3, 3), (3, 3)]


@pytest.mark.parametrize("paused", [False, True])
def test_a_reload_ends_in_the_state_that_it_began_in(paused: bool) -> None:
    engine, _ = running({"high": 3})
    if paused:
        engine.process(PauseStrategy("a"))
    before = engine.registry.get("a").lifecycle.state
    engine.process(ReloadParameters("a", {"high": 9}))
    assert engine.registry.get("a").lifecycle.state is before


def test_a_failure_goes_back_to_defaults_that_were_never_written_down() -> None:
    engine, maker = running({})
    (fault,) = engine.process(ReloadParameters("a", {"high": -1})).faults
    assert fault.message == "ValueError: high must not be -1"
    assert in_force(maker) == [(5, 5)]


def test_a_symbol_that_comes_after_a_reload_runs_with_the_new_parameters() -> None:
    engine, maker = running({"high": 3})
    engine.process(ReloadParameters("a", {"high": 9}))
    engine.process(quote(1, symbol="ETH"))
    assert in_force(maker) == [(9, 9), (9, 9)]
