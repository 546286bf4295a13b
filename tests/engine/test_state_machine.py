"""Whatever happens, in whatever order: nothing leaves that a limit forbids, and the books agree with what was sent.

The machine keeps books of its own, in the plainest way, and holds every order that leaves to limits that it works out
from them again.
"""

from __future__ import annotations

from collections import Counter
from math import inf

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sengine.domain.events import (
    BookEvent,
    Flatten,
    KillSwitch,
    PauseStrategy,
    Rearm,
    ResumeStrategy,
)
from sengine.domain.order import Fill, Order, OrderStatus, OrderUpdate, Side
from sengine.engine.outcome import Outcome
from sengine.engine.risk import limits
from sengine.engine.risk.change_limits import ChangeLimits
from sengine.errors import LifecycleError, LimitError
from tests.engine.conftest import Actor, S, close, engine_with, ladder, long, ns, short

SYMBOLS = ("BTC", "ETH")
NAMES = ("one", "two", "maker")
sizes = st.sampled_from([0.5, 1.0, 2.0, 3.0])
symbols = st.sampled_from(SYMBOLS)
names = st.sampled_from(NAMES)
some_limits = st.builds(
    lambda quantity, position, rate, most_open, gross: {
        "quantity": quantity,
        "position": position,
        "rate": rate,
        "open": most_open,
        "gross": gross,
    },
    st.sampled_from([1.0, 2.0, 4.0]),
    st.sampled_from([2.0, 3.0, 6.0]),
    st.sampled_from([2, 4]),
    st.sampled_from([2, 5]),
    st.sampled_from([300.0, 900.0]),
)
answer = st.one_of(
    st.none(),
    st.builds(long, st.just(0.9), sizes, symbol=symbols),
    st.builds(short, st.just(0.9), sizes, symbol=symbols),
    st.builds(close, symbol=symbols),
    st.just(ValueError("bad day")),
)
quotes = st.one_of(
    st.none(),
    st.builds(long, st.just(0.9), sizes, limit_price=st.integers(96, 104).map(float)),
    st.builds(short, st.just(0.9), sizes, limit_price=st.integers(96, 104).map(float)),
)


def as_checks(limit: dict) -> tuple:
    return (
        limits.PositionLimit(limit["position"]),
        limits.SoundBook(),
        limits.OrderQuantityLimit(limit["quantity"]),
        limits.OrderRateLimit(limit["rate"], S),
        limits.OpenOrdersLimit(limit["open"]),
        limits.SelfCrossLimit(),
        limits.GrossExposureLimit(limit["gross"]),
        limits.RepeatedExecutionLimit(12, 3600 * S),
    )


class EngineMachine(RuleBasedStateMachine):
    @initialize(limit=some_limits)
    def start(self, limit: dict) -> None:
        self.limit = limit
        self.actors = [
            Actor("one", symbols=SYMBOLS),
            Actor("two", symbols=SYMBOLS, one_instance_per_symbol=False),
            Actor("maker", route="direct", symbols=SYMBOLS),
        ]
        self.engine = engine_with(*self.actors, checks=as_checks(limit), max_errors=4)
        self.now_s = 1.0
        self.mid: dict[str, float] = {}
        self.books: dict[str, tuple[float, float]] = {}
        self.open: dict[str, Order] = {}
        self.ended: dict[str, Order] = {}
        self.filled: Counter[str] = Counter()
        self.held: Counter[tuple[str, str]] = Counter()
        self.sent_s: list[float] = []
        self.signals = 0
        self.disposed: Counter[str] = Counter()
        self.fills = 0
        for symbol in SYMBOLS:
            self.quote(symbol, 100.0, 0.0, (None, None, None))

    # What the market and the strategies do.

    @rule(
        symbol=symbols,
        mid=st.integers(98, 102).map(float),
        step_s=st.sampled_from([0.0, 0.1, 0.4, 1.5]),
        said=st.tuples(answer, answer, quotes | st.lists(quotes.filter(bool), max_size=2)),
    )
    def quote(self, symbol: str, mid: float, step_s: float, said: tuple) -> None:
        self.now_s += step_s
        for actor, words in zip(self.actors, said, strict=True):
            actor.answers.clear()
            actor.says(words)
        self.mid[symbol], self.books[symbol] = mid, (mid - 1.0, mid + 1.0)
        book = ladder([(mid - 1.0, 5.0)], [(mid + 1.0, 5.0)])
        self.take(self.engine.process(BookEvent(symbol, ns(self.now_s), book)))

    def crossed_book(self, symbol: str) -> None:
        outcome = self.engine.process(BookEvent(symbol, ns(self.now_s), ladder([(103.0, 1.0)], [(101.0, 1.0)])))
        assert outcome.rejected == "crossed_book"

    @rule(what=st.sampled_from(["crossed_book", "fill_of_nobody", "kill", "flatten", "", ""]), symbol=symbols)
    def rarely(self, what: str, symbol: str) -> None:
        """One rule for all of these: rules are drawn alike, and a market that is killed all the time tells little."""
        if what:
            getattr(self, what)(symbol)

    # What the execution service does, also wrongly.

    @precondition(lambda self: self.open)
    @rule(data=st.data(), share=st.sampled_from([0.3, 1.0]), repeat=st.booleans())
    def fill(self, data: st.DataObject, share: float, repeat: bool) -> None:
        order = self.open[data.draw(st.sampled_from(sorted(self.open)))]
        quantity = (order.quantity - self.filled[order.order_id]) * share
        self.fills += 1
        price = order.limit_price or self.mid[order.symbol]
        news = Fill(
            order.order_id, "", order.symbol, order.side, price, quantity, 0.0, ns(self.now_s), f"f{self.fills}"
        )
        self.count(order, quantity)
        self.take(self.engine.process(news))
        if repeat:
            before = dict(self.held)
            self.take(self.engine.process(news))
            assert before == dict(self.held)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), status=st.sampled_from(list(OrderStatus)))
    def news(self, data: st.DataObject, status: OrderStatus) -> None:
        order_id = data.draw(st.sampled_from(sorted(self.open)))
        if status in (OrderStatus.REJECTED, OrderStatus.CANCELLED):
            self.ended[order_id] = self.open.pop(order_id)
        self.take(self.engine.process(OrderUpdate(order_id, status, ns(self.now_s))))

    @rule(side=st.sampled_from(list(Side)))
    def fill_of_nobody(self, side: Side) -> None:
        self.take(
            self.engine.process(Fill("99999", "", "BTC", side, 100.0, 1.0, 0.0, ns(self.now_s), f"x{self.now_s}"))
        )

    # What people do.

    def kill(self, symbol: str) -> None:
        outcome = self.engine.process(KillSwitch("test"))
        assert set(outcome.cancels) <= set(self.open)
        self.take(outcome)

    @precondition(lambda self: self.engine.kill_reason)
    @rule()
    def rearm(self) -> None:
        self.take(self.engine.process(Rearm()))

    def flatten(self, symbol: str) -> None:
        self.take(self.engine.process(Flatten(symbol=symbol)))

    @rule(name=names)
    def pause(self, name: str) -> None:
        if self.engine.registry.get(name).is_active:
            self.take(self.engine.process(PauseStrategy(name)))

    @rule(name=names)
    def resume(self, name: str) -> None:
        try:
            self.take(self.engine.process(ResumeStrategy(name)))
        except LifecycleError:
            assert self.engine.registry.get(name).is_active

    @rule(limit=some_limits, on_purpose=st.booleans())
    def change_limits(self, limit: dict, on_purpose: bool) -> None:
        is_looser = any(limit[key] > self.limit[key] for key in limit)
        try:
            self.take(self.engine.process(ChangeLimits(as_checks(limit), (), on_purpose)))
        except LimitError:
            assert is_looser
            assert not on_purpose
        else:
            assert on_purpose or not is_looser
            self.limit = limit

    # The books, and the limits worked out again.

    def take(self, outcome: Outcome) -> None:
        for result in outcome.signals:
            self.signals += 1
            self.disposed[result.disposition] += 1
        for cross in outcome.crosses:
            # What a flatten hands over inside comes before what it trades.
            self.held[cross.strategy_id, cross.symbol] += cross.signed_quantity
        for order in outcome.orders:
            if all(part.signal_sequence == 0 for part in order.contributions):
                self.hold_to_reducing(order)
            else:
                self.hold_to_limits(order)
            self.open[order.order_id] = order
            self.sent_s.append(self.now_s)

    def hold_to_reducing(self, order: Order) -> None:
        """An order of a flatten: past the kill switch, and only out of what is held."""
        assert order.limit_price is None
        for part in order.contributions:
            held = self.held[part.strategy_id, order.symbol]
            assert held * part.quantity < 0.0
            assert abs(part.quantity) <= abs(held) * (1 + 1e-9)

    def hold_to_limits(self, order: Order) -> None:
        assert not self.engine.kill_reason, "a killed engine sends nothing but what flattens"
        parts = {part.strategy_id: part.quantity for part in order.contributions}
        assert (
            all(self.engine.registry.get(name).is_active for name in parts)
            or self.engine.registry.get(next(iter(parts))).pause_reason
        )
        before = {name: self.heading(name, order.symbol) for name in parts}
        reduces = all(abs(before[name] + traded) < abs(before[name]) for name, traded in parts.items())
        closes = all(before[name] * traded < 0 and abs(traded) <= abs(before[name]) for name, traded in parts.items())
        for name, traded in parts.items():
            after = abs(before[name] + traded)
            assert after <= self.limit["position"] + 1e-9 or after < abs(before[name])
        assert order.quantity <= self.limit["quantity"] or closes
        assert len(self.open) < self.limit["open"]
        assert sum(at_s > self.now_s - 1.0 + 1e-9 for at_s in self.sent_s) < self.limit["rate"]
        bid, ask = self.books[order.symbol]
        reach = order.limit_price or (ask if order.side is Side.BUY else bid)
        for other in self.open.values():
            if other.symbol == order.symbol and other.side is not order.side and other.limit_price is not None:
                assert reach < other.limit_price if order.side is Side.BUY else reach > other.limit_price
        gross = sum(abs(quantity) * self.mid[symbol] for (_, symbol), quantity in self.held.items())
        gross += sum(self.left(each) * self.mid[each.symbol] for each in [*self.open.values(), order])
        assert gross <= self.limit["gross"] + 1e-6 or reduces

    def left(self, order: Order) -> float:
        return max(0.0, order.quantity - self.filled[order.order_id])

    def heading(self, name: str, symbol: str) -> float:
        """Held and in flight."""
        return self.held[name, symbol] + sum(
            part.quantity * self.left(order) / order.quantity
            for order in self.open.values()
            for part in order.contributions
            if part.strategy_id == name and order.symbol == symbol
        )

    def count(self, order: Order, quantity: float) -> None:
        self.filled[order.order_id] += quantity
        for part in order.contributions:
            self.held[part.strategy_id, order.symbol] += part.quantity * quantity / order.quantity
        if self.left(order) <= 1e-12 * order.quantity:
            self.open.pop(order.order_id, None)

    @invariant()
    def every_signal_ended_once(self) -> None:
        if hasattr(self, "engine"):
            assert self.engine.signals_generated == self.signals == sum(self.engine.dispositions.values())
            assert self.disposed == self.engine.dispositions

    @invariant()
    def positions_are_the_sum_of_the_fills(self) -> None:
        if hasattr(self, "engine"):
            for (name, symbol), quantity in self.held.items():
                assert self.engine.portfolio.quantity(name, symbol) == pytest.approx(quantity, abs=1e-9)

    @invariant()
    def what_is_open_is_open(self) -> None:
        if hasattr(self, "engine"):
            assert {working.order.order_id for working in self.engine.orders.open_orders()} == set(self.open)
            for working in self.engine.orders.open_orders():
                assert 0.0 <= working.remaining <= working.order.quantity < inf


def test_nothing_that_happens_breaks_a_limit_or_the_books() -> None:
    run_state_machine_as_test(EngineMachine, settings=settings(max_examples=40, stateful_step_count=40, deadline=None))
