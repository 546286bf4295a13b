"""Another version of a running strategy: no tick lost or seen twice, position and state carried, the old one waits."""

from __future__ import annotations

from typing import Any

import pytest

from sengine.domain.events import PauseStrategy, ReloadParameters, ResumeStrategy, UnloadStrategy
from sengine.engine.core import Engine
from sengine.engine.orders.simulated_venue import SimulatedVenue
from sengine.engine.risk.pipeline import RiskPipeline
from sengine.engine.state.portfolio import Portfolio
from sengine.engine.state.recent_ticks import recent_ticks
from sengine.engine.state.votes import VoteBook
from sengine.engine.strategies.lifecycle import State
from sengine.engine.strategies.spec import StrategySpec
from sengine.engine.strategies.swap import SwapStrategy, Warmed, made, warm
from sengine.strategy import BaseStrategy, Fill, MarketData, TickResult
from tests.engine.conftest import long, ns, quote, short, trade


class Version(BaseStrategy):
    """Remembers the prices it saw; says and raises what its version was told to."""

    def __init__(self, name: str, **does: Any) -> None:
        super().__init__("a")
        self.name = name
        self.does = does
        self.mids: list[float] = []
        self.fills: list[Fill] = []
        self.ended = 0
        self.counted = 0

    def on_tick(self, data: MarketData) -> TickResult:
        self.mids.append(data.mid)
        self.counted += 1
        if data.mid in self.does.get("fails_at", ()):
            raise ValueError(f"{self.name} does not like {data.mid}")
        return self.does["says"](data) if "says" in self.does else None

    def on_fill(self, fill: Fill) -> None:
        super().on_fill(fill)
        self.fills.append(fill)

    def export_state(self) -> dict[str, Any] | None:
        return {"counted": self.counted} if "exports" in self.does else None

    def import_state(self, state: dict[str, Any], version: int) -> None:
        if self.does.get("refuses_state"):
            raise ValueError("not my state")
        self.counted, self.imported_version = state["counted"], version

    def shutdown(self) -> None:
        self.ended += 1


class Versions:
    """Specs of versions of strategy ``a``, and every instance that was made of them."""

    def __init__(self) -> None:
        self.made: dict[str, list[Version]] = {}

    def spec(self, name: str, symbols: tuple[str, ...] = ("*",), per_symbol: bool = True, **does: Any) -> StrategySpec:
        def create() -> Version:
            self.made.setdefault(name, []).append(Version(name, **does))
            return self.made[name][-1]

        return StrategySpec(
            "a", create, symbols, version=name, source=__file__, one_instance_per_symbol=per_symbol, route="direct"
        )

    def last(self, name: str) -> Version:
        return self.made[name][-1]


def engine_of(spec: StrategySpec, keep: int = 50, venue: SimulatedVenue | None = None) -> Engine:
    engine = Engine(
        VoteBook("majority_vote", ns(5)), RiskPipeline([]), Portfolio(1e5), venue, recent_ticks=keep, max_errors=2
    )
    engine.registry.load(spec)
    return engine


def swap_now(engine: Engine, spec: StrategySpec, rollback_ticks: int = 10, symbols: tuple[str, ...] = ("BTC",)):
    """As a reload does: everything warmed on what is there, then the command."""
    warmed = {key: Warmed(len(recent_ticks(engine.markets, key, spec.symbols, spec.kinds))) for key in symbols}
    return engine.process(SwapStrategy(spec, warmed, rollback_ticks=rollback_ticks))


@pytest.fixture
def versions() -> Versions:
    return Versions()


def test_each_tick_reaches_the_strategy_once_and_in_order(versions: Versions) -> None:
    engine = engine_of(versions.spec("1"))
    for price in range(1, 6):
        engine.process(quote(price, price, price + 2))
    swap_now(engine, versions.spec("2"))
    for price in range(6, 9):
        engine.process(quote(price, price, price + 2))
    assert versions.last("2").mids == [float(mid) for mid in range(2, 10)]
    assert versions.last("1").mids == [float(mid) for mid in range(2, 7)]
    assert engine.registry.get("a").spec.version == "2"


def test_only_the_newest_ticks_are_kept_and_only_of_kinds_that_are_asked_for(versions: Versions) -> None:
    engine = engine_of(versions.spec("1"), keep=3)
    for price in range(1, 6):
        engine.process(quote(price, price, price + 2))
    engine.process(trade(6, 100.0))
    spec = versions.spec("2")
    assert [data.mid for _, data in recent_ticks(engine.markets, "BTC", spec.symbols, spec.kinds)] == [5.0, 6.0]
    assert not recent_ticks(engine.markets, "ETH", spec.symbols, spec.kinds)


def test_one_instance_for_all_symbols_sees_them_in_the_order_of_arrival(versions: Versions) -> None:
    engine = engine_of(versions.spec("1", per_symbol=False))
    for at, symbol in enumerate(("BTC", "ETH", "ETH", "BTC")):
        engine.process(quote(at, at + 1, at + 3, symbol))
    swap_now(engine, versions.spec("2", per_symbol=False), symbols=("*",))
    assert versions.last("2").mids == [2.0, 3.0, 4.0, 5.0]


def test_instances_made_ready_before_are_taken_as_they_are(versions: Versions) -> None:
    engine = engine_of(versions.spec("1"))
    engine.process(quote(1))
    spec = versions.spec("2")
    ready = spec.create()
    warm(ready, recent_ticks(engine.markets, "BTC", spec.symbols, spec.kinds), 0.0)
    engine.process(SwapStrategy(spec, {"BTC": Warmed(1)}, {"BTC": ready}))
    assert engine.registry.get("a").instances == {"BTC": ready}


def test_a_command_without_instances_makes_the_same_ones_again(versions: Versions) -> None:
    engine = engine_of(versions.spec("1"))
    for price in range(1, 6):
        engine.process(quote(price, price, price + 2))
    instance = made(SwapStrategy(versions.spec("2"), {"BTC": Warmed(3, 1.5)}), engine.markets)["BTC"]
    assert (instance.mids, instance.position) == ([4.0, 5.0, 6.0], 1.5)  # type: ignore[attr-defined]


def test_the_position_is_carried_as_a_fill_at_the_average_price(versions: Versions) -> None:
    engine = engine_of(versions.spec("1", says=lambda data: short(size=2.0)), venue=SimulatedVenue())
    engine.process(quote(1, 99, 101))
    engine.process(quote(2, 97, 98))
    swap_now(engine, versions.spec("2"))
    new = versions.last("2")
    assert new.position == -4.0 == versions.last("1").position
    assert [(each.side, each.quantity, each.price) for each in new.fills] == [("sell", 4.0, 98.0)]


def test_declared_state_is_carried_with_its_version(versions: Versions) -> None:
    engine = engine_of(versions.spec("1", exports=True))
    for at in range(3):
        engine.process(quote(at))
    versions.last("1").counted = 41
    swap_now(engine, versions.spec("2"))
    assert (versions.last("2").counted, versions.last("2").imported_version) == (41, 1)


def test_a_new_version_that_refuses_the_state_leaves_the_old_one(versions: Versions) -> None:
    engine = engine_of(versions.spec("1", exports=True))
    engine.process(quote(1))
    (fault,) = swap_now(engine, versions.spec("2", refuses_state=True)).faults
    assert fault.message == "ValueError: not my state"
    assert engine.registry.get("a").spec.version == "1"
    engine.process(quote(2))
    assert len(versions.last("1").mids) == 2
    assert versions.last("1").ended == 0


def test_what_was_paused_stays_paused(versions: Versions) -> None:
    engine = engine_of(versions.spec("1"))
    engine.process(quote(1))
    engine.process(PauseStrategy("a"))
    engine.process(quote(2))
    swap_now(engine, versions.spec("2"))
    assert engine.registry.get("a").lifecycle.state is State.PAUSED
    assert len(versions.last("2").mids) == 2
    engine.process(quote(3))
    assert len(versions.last("2").mids) == 2
    engine.process(ResumeStrategy("a"))
    engine.process(quote(4))
    assert len(versions.last("2").mids) == 3


def test_a_new_version_that_raises_on_trial_makes_way_for_the_old_one(versions: Versions) -> None:
    engine = engine_of(versions.spec("1"), venue=SimulatedVenue())
    engine.process(quote(1, 1, 3))
    swap_now(engine, versions.spec("2", fails_at=(4.0,), says=lambda data: long()))
    engine.process(quote(2, 2, 4))
    outcome = engine.process(quote(3, 3, 5))
    (report,) = outcome.rollbacks
    assert (report.failed_version, report.version, report.ticks) == ("2", "1", 2)
    assert report.reason == "ValueError: 2 does not like 4.0"
    old = versions.last("1")
    assert engine.registry.get("a").instances == {"BTC": old}
    # It saw what it missed, and the fill of what the other one had bought.
    assert (old.mids, old.position) == ([2.0, 3.0, 4.0], 1.0)
    assert versions.last("2").ended == 1
    engine.process(quote(4, 4, 6))
    assert old.mids == [2.0, 3.0, 4.0, 5.0]
    assert engine.registry.get("a").is_active


def test_a_signal_that_is_none_is_a_reason_to_roll_back_too(versions: Versions) -> None:
    engine = engine_of(versions.spec("1"))
    engine.process(quote(1))
    swap_now(engine, versions.spec("2", says=lambda data: long(confidence=7.0)))
    assert engine.process(quote(2)).rollbacks
    assert engine.registry.get("a").spec.version == "1"


def test_after_the_trial_the_old_version_is_let_go(versions: Versions) -> None:
    engine = engine_of(versions.spec("1"))
    engine.process(quote(1))
    swap_now(engine, versions.spec("2", fails_at=(100.5,)), rollback_ticks=2)
    engine.process(quote(2))
    assert engine.registry.end_trials(0) == []
    assert versions.last("1").ended == 0
    engine.process(quote(3))
    engine.registry.end_trials(0)
    assert versions.last("1").ended == 1
    assert not engine.process(quote(4, 100, 101)).rollbacks
    assert engine.registry.get("a").spec.version == "2"


def test_an_error_after_the_trial_is_an_error_like_any_other(versions: Versions) -> None:
    engine = engine_of(versions.spec("1"))
    engine.process(quote(1))
    swap_now(engine, versions.spec("2", fails_at=(100.5,)), rollback_ticks=1)
    engine.process(quote(2))
    assert not engine.process(quote(3, 100, 101)).rollbacks


def test_the_next_swap_ends_the_trial_before_it(versions: Versions) -> None:
    engine = engine_of(versions.spec("1"))
    engine.process(quote(1))
    swap_now(engine, versions.spec("2"))
    swap_now(engine, versions.spec("3", fails_at=(100.5,)))
    assert (versions.last("1").ended, versions.last("2").ended) == (1, 0)
    assert engine.process(quote(2, 100, 101)).rollbacks[0].version == "2"


@pytest.mark.parametrize("command", [ReloadParameters("a", {}), UnloadStrategy("a")])
def test_new_parameters_and_unloading_end_a_trial(versions: Versions, command: ReloadParameters) -> None:
    engine = engine_of(versions.spec("1"))
    engine.process(quote(1))
    swap_now(engine, versions.spec("2"))
    engine.process(command)
    assert versions.last("1").ended == 1


def test_a_version_for_other_symbols_is_called_for_those(versions: Versions) -> None:
    engine = engine_of(versions.spec("1", ("BTC",)))
    engine.process(quote(1))
    swap_now(engine, versions.spec("2", ("ETH",)), symbols=())
    assert engine.process(quote(2)).rejected == "no_strategy_wants_symbol"
    engine.process(quote(2, symbol="ETH"))
    assert len(versions.last("2").mids) == 1
