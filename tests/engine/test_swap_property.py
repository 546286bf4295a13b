"""Whatever a strategy is made to go through, what it holds is what its fills alone say, and no tick is lost."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from sengine.domain.events import PauseStrategy, ReloadParameters, ResumeStrategy
from sengine.domain.order import Order
from sengine.engine.outcome import Outcome
from sengine.engine.state.recent_ticks import recent_ticks
from sengine.engine.strategies.swap import SwapStrategy, Warmed
from sengine.service.reload.candidates import keys_of
from sengine.strategy import MarketData
from tests.engine.conftest import fill, long, quote, short
from tests.engine.test_swap import Versions, engine_of

SYMBOLS = ("BTC", "ETH")
KEEP = 400


def says(data: MarketData) -> Any:
    return {0.0: long(size=0.7), 1.0: short(size=0.5)}.get(data.mid % 3)


class Reloads(RuleBasedStateMachine):
    """One strategy on two symbols, its orders filled in parts, late and twice, while its versions change."""

    def __init__(self) -> None:
        super().__init__()
        self.versions = Versions()
        self.engine = engine_of(self.versions.spec("0", says=says), keep=KEEP)
        self.number = 0
        self.seen = 0
        self.orders: dict[str, Order] = {}
        self.left: dict[str, float] = {}
        self.held: Counter[str] = Counter()
        self.cash: Counter[str] = Counter()
        self.mids: dict[str, float] = {}
        self.shown: dict[str, list[float]] = {symbol: [] for symbol in SYMBOLS}
        self.was_paused = False

    @property
    def runtime(self) -> Any:
        return self.engine.registry.get("a")

    @rule(symbol=st.sampled_from(SYMBOLS), count=st.integers(1, 4))
    def tick(self, symbol: str, count: int) -> None:
        for _ in range(count):
            self.seen += 1
            self.mids[symbol] = mid = self.seen + 1.0
            if self.runtime.is_active:
                # It may pause itself by this tick, which it has seen then.
                self.shown[symbol].append(mid)
            self.take(self.engine.process(quote(self.seen, self.seen, self.seen + 2, symbol)))

    @rule(
        per_symbol=st.booleans(),
        fails_after=st.sampled_from([None, None, 1, 2, 5]),
        refuses=st.sampled_from([False, False, False, True]),
        rollback_ticks=st.sampled_from([0, 3, 10]),
    )
    def swap(self, per_symbol: bool, fails_after: int | None, refuses: bool, rollback_ticks: int) -> None:
        self.number += 1
        fails_at = (self.seen + 1.0 + fails_after,) if fails_after else ()
        spec = self.versions.spec(
            str(self.number), SYMBOLS, per_symbol, says=says, fails_at=fails_at, refuses_state=refuses, exports=True
        )
        before = self.runtime.spec
        warmed = {
            key: Warmed(len(recent_ticks(self.engine.markets, key, spec.symbols, spec.kinds)))
            for key in keys_of(spec, self.runtime.instances, self.engine)
        }
        outcome = self.engine.process(SwapStrategy(spec, warmed, rollback_ticks=rollback_ticks))
        assert self.runtime.spec is (before if outcome.faults else spec)

    @rule()
    def parameters(self) -> None:
        self.number += 1
        self.engine.process(ReloadParameters("a", {"number": self.number}))

    @rule()
    def pause_or_resume(self) -> None:
        self.engine.process(PauseStrategy("a") if self.runtime.is_active else ResumeStrategy("a"))

    @rule()
    def end_of_trial(self) -> None:
        self.engine.registry.end_trials(self.engine.now_ns)

    @precondition(lambda self: any(left > 1e-9 for left in self.left.values()))
    @rule(
        data=st.data(), share=st.sampled_from([0.3, 1.0]), price=st.sampled_from([50.0, 110.0]), is_twice=st.booleans()
    )
    def fill(self, data: st.DataObject, share: float, price: float, is_twice: bool) -> None:
        order_id = data.draw(st.sampled_from([each for each, left in self.left.items() if left > 1e-9]))
        order, quantity = self.orders[order_id], self.left[order_id] * share
        self.number += 1
        news = fill(
            order_id, quantity, price, order.side, commission=0.01, fill_id=str(self.number), symbol=order.symbol
        )
        for _ in range(1 + is_twice):
            self.take(self.engine.process(news))
        self.left[order_id] -= quantity
        self.held[order.symbol] += news.signed_quantity
        self.cash[order.symbol] -= news.signed_quantity * price + 0.01

    def take(self, outcome: Outcome) -> None:
        for order in outcome.orders:
            self.orders[order.order_id], self.left[order.order_id] = order, order.quantity

    @invariant()
    def positions_are_those_of_the_fills(self) -> None:
        for symbol in SYMBOLS:
            assert self.engine.portfolio.quantity("a", symbol) == pytest.approx(self.held[symbol], abs=1e-9)
        worth = sum(self.cash[symbol] + self.held[symbol] * self.mids.get(symbol, 0.0) for symbol in SYMBOLS)
        total = self.engine.portfolio.total
        assert total.realized + total.unrealized == pytest.approx(worth, abs=1e-6)

    @invariant()
    def every_version_knows_what_it_holds(self) -> None:
        versions = [self.runtime.current, *([self.runtime.trial.before] if self.runtime.trial is not None else [])]
        for version in versions:
            for key, instance in version.instances.items():
                held = sum(self.held.values()) if key == "*" else self.held[key]
                assert instance.position == pytest.approx(held, abs=1e-9)

    @invariant()
    def no_tick_is_lost_or_shown_twice(self) -> None:
        self.was_paused = self.was_paused or not self.runtime.is_active
        if self.was_paused:
            return
        for key, instance in self.runtime.instances.items():
            shown = sorted(mid for mids in self.shown.values() for mid in mids) if key == "*" else self.shown[key]
            assert instance.mids[-len(shown) :] == shown[-len(instance.mids) :]


def test_any_interleaving_gives_the_position_that_the_fills_alone_give() -> None:
    run_state_machine_as_test(Reloads, settings=settings(max_examples=40, stateful_step_count=40, deadline=None))
