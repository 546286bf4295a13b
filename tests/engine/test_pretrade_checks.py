"""The pre-trade checks, one by one: what passes, what is refused under which code, and that nothing unknown passes."""

from __future__ import annotations

from math import inf, nan
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sengine.build_form import form
from sengine.domain.order import Contribution, ProposedOrder, Side
from sengine.engine.risk import limits
from sengine.engine.risk.checks import CHECKS, check_of
from sengine.engine.risk.checks.basis import ContributionCheck, OrderCheck
from sengine.engine.risk.limit import Refusal, Usage
from sengine.engine.risk.limits import LIMITS, AnyLimit
from sengine.engine.risk.view import ProposedContribution, RiskView, share_of
from sengine.engine.state.markets import Market
from sengine.engine.state.orders import OrderTracker
from sengine.engine.state.portfolio import Portfolio
from sengine.engine.state.trading_record import KEYS_KEPT, TIMES_KEPT, Rejections, TradingRecord
from tests.engine.conftest import SYMBOL, S, bar, book, fill, ns, order, vote

# A Monday, 08:00 UTC.
MONDAY_S = 1_723_420_800 + 8 * 3600


class World:
    """What checks look at, easily made: a market at 99/101, positions, orders that rest, orders that were sent."""

    def __init__(self, bid: float = 99.0, ask: float = 101.0, symbols: tuple[str, ...] = (SYMBOL,)) -> None:
        self.positions = Portfolio(100_000.0)
        self.orders = OrderTracker()
        self.markets = {symbol: self.market(symbol, bid, ask) for symbol in symbols}
        self.record = TradingRecord()
        self.view = RiskView(self.positions, self.orders, self.markets, self.record)

    @staticmethod
    def market(symbol: str, bid: float, ask: float) -> Market:
        market = Market(symbol)
        market.update_from_book(book(bid, ask))
        market.mid, market.last_ns = (bid + ask) / 2, ns(1)
        return market

    def holds(self, quantity: float, strategy_id: str = "a", symbol: str = SYMBOL) -> World:
        side = "buy" if quantity > 0 else "sell"
        self.positions.book(fill("x", abs(quantity), 100.0, side, strategy_id, symbol=symbol), 100.0)
        return self

    def rests(self, order_id: str, side: Side, quantity: float, limit: float | None, who: str = "a") -> World:
        self.orders.sent(order(order_id, side, quantity, limit=limit, parts=[(who, quantity)]))
        return self

    def sent(self, *at_s: float, who: str = "a", side: Side = Side.BUY, limit: float | None = None) -> World:
        for each in at_s:
            self.record.sent(order("s", side, 1.0, each, limit, [(who, 1.0)]))
        return self


def buys(quantity: float = 1.0, limit: float | None = None, at_s: float = 1.0, who: str = "a", symbol: str = SYMBOL):
    return order("new", Side.BUY, quantity, at_s, limit, [(who, quantity)], symbol)


def sells(quantity: float = 1.0, limit: float | None = None, at_s: float = 1.0, who: str = "a"):
    return order("new", Side.SELL, quantity, at_s, limit, [(who, quantity)])


def proposed(quantity: float = 1.0, position: float = 0.0, at_s: float = 1.0, who: str = "a", symbol: str = SYMBOL):
    return ProposedContribution(vote(who, at_s=at_s, symbol=symbol), quantity, 0.8, position)


def code(answer: Refusal | None) -> str:
    return answer.code if answer is not None else ""


# Size.


@pytest.mark.parametrize(
    ("quantity", "said"),
    [(5.0, ""), (5.01, "above_max_quantity"), (inf, "above_max_quantity"), (nan, "above_max_quantity")],
)
def test_an_orders_quantity_is_limited(quantity: float, said: str) -> None:
    check = limits.OrderQuantityLimit(5.0)
    assert code(check_of(check).review(buys(quantity), World().view)) == said


def test_closing_a_position_may_be_larger_than_the_largest_order_but_not_through_zero() -> None:
    world = World().holds(8.0)
    for check in (limits.OrderQuantityLimit(5.0), limits.OrderNotionalLimit(500.0)):
        assert check_of(check).review(sells(8.0), world.view) is None
        assert check_of(check).review(sells(8.5), world.view) is not None
        assert check_of(check).review(buys(8.0), world.view) is not None
        assert check_of(check).review(sells(8.0, who="b"), world.view) is not None


@pytest.mark.parametrize(
    ("proposal", "said"),
    [
        (buys(9.0), ""),
        (buys(10.0), "above_max_notional"),  # at the ask of 101
        (sells(10.0), ""),  # at the bid of 99
        (buys(10.0, 99.5), ""),
        (buys(10.0, 100.5), "above_max_notional"),
        (buys(1.0, nan), "no_price"),
        (buys(1.0, symbol="ETH"), "no_price"),
    ],
)
def test_an_orders_worth_is_limited_at_its_limit_or_at_the_touch(proposal: ProposedOrder, said: str) -> None:
    assert code(check_of(limits.OrderNotionalLimit(1_000.0)).review(proposal, World().view)) == said


# Market.


def test_a_market_order_in_a_symbol_that_was_never_seen_has_no_price() -> None:
    unseen = World(symbols=())
    for check in (
        limits.OrderNotionalLimit(1e9),
        limits.PriceAgeLimit(S),
        limits.PriceCollar(10.0, 10.0),
        limits.GrossExposureLimit(1e9),
        limits.NetExposureLimit(1e9),
    ):
        assert code(check_of(check).review(buys(), unseen.view)) == "no_price"
    assert code(check_of(limits.SoundBook()).review(buys(), unseen.view)) == "empty_book"
    empty = World(symbols=())
    empty.markets[SYMBOL] = Market(SYMBOL)
    assert code(check_of(limits.PriceAgeLimit(S)).review(buys(), empty.view)) == "no_price"
    assert code(check_of(limits.PriceCollar(1.0, 1.0)).review(buys(), empty.view)) == "no_price"
    assert code(check_of(limits.SoundBook()).review(buys(), empty.view)) == "empty_book"


@pytest.mark.parametrize(("at_s", "said"), [(1.0, ""), (3.0, ""), (3.1, "stale_price")])
def test_a_price_has_an_age(at_s: float, said: str) -> None:
    assert code(check_of(limits.PriceAgeLimit(2 * S)).review(buys(at_s=at_s), World().view)) == said


def test_a_trade_or_bar_does_not_make_the_book_younger() -> None:
    world = World()
    market = world.markets[SYMBOL]
    for at_s in (4.0, 5.0):
        market.follow_book()
        market.last_ns = ns(at_s)
    assert market.price_ns == ns(1)
    assert code(check_of(limits.PriceAgeLimit(2 * S)).review(buys(at_s=5.0), world.view)) == "stale_price"
    market.update_from_book(book())
    market.last_ns = ns(6)
    assert market.price_ns == ns(6)


def test_where_there_are_no_books_the_last_bar_is_the_price() -> None:
    world = World(symbols=())
    market = world.markets[SYMBOL] = Market(SYMBOL)
    market.follow_book()
    market.last_ns = ns(2)
    market.update_from_bar(bar(2.0))
    market.last_ns = ns(9)
    assert market.price_ns == ns(2)
    assert check_of(limits.SoundBook()).review(buys(at_s=9.0), world.view) is None
    assert code(check_of(limits.PriceAgeLimit(2 * S)).review(buys(at_s=9.0), world.view)) == "stale_price"


def test_after_an_unsound_book_orders_wait_for_a_sound_one() -> None:
    world, check = World(), limits.SoundBook()
    market = world.markets[SYMBOL]
    assert check_of(check).review(buys(), world.view) is None
    market.doubt()
    assert code(check_of(check).review(buys(), world.view)) == "unsound_book"
    market.update_from_book(book())
    assert check_of(check).review(buys(), world.view) is None
    market.update_from_book(book(101.0, 99.0))
    assert code(check_of(check).review(buys(), world.view)) == "unsound_book"
    market.update_from_book(book(nan, 99.0))
    assert code(check_of(check).review(buys(), world.view)) == "unsound_book"


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (None, ""),
        (100.0, ""),
        (101.0, ""),
        (99.0, ""),
        (101.2, "outside_collar"),
        (98.8, "outside_collar"),
        (nan, "outside_collar"),
    ],
)
def test_limit_prices_stay_near_the_mid(limit: float | None, said: str) -> None:
    assert code(check_of(limits.PriceCollar(110.0, 50.0)).review(buys(1.0, limit), World().view)) == said


@pytest.mark.parametrize(("before", "said"), [(0.0, ""), (100.4, ""), (101.0, "price_jumped"), (nan, "price_jumped")])
def test_no_order_goes_out_right_after_the_price_jumped(before: float, said: str) -> None:
    world = World()
    world.markets[SYMBOL].reference_mid = before
    assert code(check_of(limits.PriceCollar(500.0, 50.0)).review(buys(), world.view)) == said


# Rates.


@pytest.mark.parametrize(("at_s", "said"), [(1.9, "above_max_orders"), (2.0, ""), (9.0, "")])
def test_orders_have_a_rate(at_s: float, said: str) -> None:
    check = limits.OrderRateLimit(3, S)
    assert code(check_of(check).review(buys(at_s=at_s), World().sent(0.5, 1.0, 1.2, 1.3).view)) == said
    assert check_of(check).review(buys(at_s=at_s), World().sent(1.2, 1.3).view) is None


def test_a_rate_can_be_that_of_each_strategy_or_of_one_or_of_a_symbol() -> None:
    world = World().sent(1.0, 1.1, who="a").sent(1.2, who="b")
    each = check_of(limits.OrderRateLimit(100, S, 2))
    assert code(each.review(buys(at_s=1.3, who="a"), world.view)) == "above_max_orders_per_strategy"
    assert each.review(buys(at_s=1.3, who="b"), world.view) is None
    assert each.review(buys(at_s=1.3, who="c"), world.view) is None
    assert check_of(limits.OrderRateLimit(2, S, strategy="b")).review(buys(at_s=1.3, who="b"), world.view) is None
    of_symbol = check_of(limits.OrderRateLimit(3, S, symbol=SYMBOL))
    assert code(of_symbol.review(buys(at_s=1.3, who="b"), world.view)) == "above_max_orders"
    assert check_of(limits.OrderRateLimit(3, S, symbol="ETH")).review(buys(at_s=1.3, symbol="ETH"), world.view) is None


def test_the_record_of_a_rate_is_bounded_and_still_counts_the_most_that_can_be_asked_for() -> None:
    record = TradingRecord()
    for number in range(5_000):
        record.sent(order(quantity=1.0 + number, at_s=number / 1e6, parts=[("a", 1.0 + number)]))
    assert TIMES_KEPT <= len(record.sent_ns["", ""]) < 2 * TIMES_KEPT
    assert len(record.twins) == 1_000
    world = World()
    world.record = record
    view = RiskView(world.positions, world.orders, world.markets, record)
    assert code(check_of(limits.OrderRateLimit(TIMES_KEPT, S)).review(buys(at_s=0.5), view)) == "above_max_orders"


def test_a_record_forgets_which_strategies_came_together_and_counts_on() -> None:
    record = TradingRecord()
    for number in range(KEYS_KEPT + 2):
        record.sent(order(at_s=number / 1e6, parts=[("a", 1.0)], symbol=f"S{number}"))
    record.sent(order(at_s=1.0, parts=[("a", 1.0)], symbol="S0"))
    assert len(record.sent_ns["a", "S0"]) == 2


def test_a_record_that_was_restored_goes_on_counting() -> None:
    world = World().sent(1.0, 1.1)
    record = TradingRecord()
    record.sent(order(at_s=0.5))
    record.restore(world.record)
    record.sent(order(at_s=1.2))
    assert len(record.sent_ns["", ""]) == 3
    assert len(world.record.sent_ns["", ""]) == 2


def test_executions_in_a_row_on_one_side_disable_the_strategy() -> None:
    check = limits.RepeatedExecutionLimit(3, 10 * S)
    world = World().sent(1.0, 2.0, 3.0)
    answer = check_of(check).review(proposed(1.0, at_s=4.0), world.view)
    assert answer is not None
    assert (answer.code, answer.disables) == ("repeated_execution", True)
    assert check_of(check).review(proposed(-1.0, at_s=4.0), world.view) is None
    assert check_of(check).review(proposed(1.0, at_s=4.0, symbol="ETH"), world.view) is None
    assert check_of(check).review(proposed(1.0, at_s=4.0, who="b"), world.view) is None
    assert check_of(check).review(proposed(1.0, at_s=11.5), world.view) is None
    assert check_of(check).review(proposed(1.0, at_s=4.0), World().sent(1.0, 2.0).view) is None
    assert (
        check_of(check).review(proposed(1.0, at_s=4.0), World().sent(1.0, 2.0).sent(2.5, side=Side.SELL).sent(3.0).view)
        is None
    )


def test_what_was_sent_or_rejected_at_a_time_that_is_yet_to_come_is_forgotten() -> None:
    record = World().sent(1.0, 500.0 * 86_400).record
    record.begin_day(ns(500.0 * 86_400), {"": 7.0})
    record.rejections = {("a", SYMBOL): Rejections(5, ns(2.0), ns(3.0)), ("b", SYMBOL): Rejections(5, ns(9e7), ns(9e7))}
    record.forget_after(ns(3.0))
    assert record.sent_ns["", ""] == [ns(1.0)]
    assert (record.day_ends_ns, record.next_day_ends_ns) == (0, 0)
    assert list(record.rejections) == [("a", SYMBOL)]
    record.see(ns(3.0), lambda: {"": -1.0}, is_sure=True)
    assert record.day_equity == {"": -1.0}
    record.forget_after(ns(4.0))
    assert record.day_ends_ns == 86_400 * S


def test_what_a_person_has_looked_at_counts_no_longer() -> None:
    world = World().sent(1.0, 2.0, 3.0).sent(1.0, 2.0, who="b")
    world.record.forgive("a")
    assert check_of(limits.RepeatedExecutionLimit(3, 10 * S)).review(proposed(1.0, at_s=4.0), world.view) is None
    assert list(world.record.runs) == [("b", SYMBOL)]


def test_the_same_order_does_not_go_out_twice() -> None:
    check = limits.DuplicateOrderLimit(S // 10)
    world = World().sent(1.0).sent(1.0, limit=99.0)
    assert code(check_of(check).review(buys(at_s=1.05), world.view)) == "duplicate_order"
    assert code(check_of(check).review(buys(1.0, 99.0, at_s=1.05), world.view)) == "duplicate_order"
    for other in (
        buys(2.0, at_s=1.05),
        sells(at_s=1.05),
        buys(1.0, 98.0, 1.05),
        buys(at_s=1.05, who="b"),
        buys(at_s=1.1),
    ):
        assert check_of(check).review(other, world.view) is None


# Exposure.


def test_gross_exposure_adds_longs_shorts_and_all_that_may_still_fill() -> None:
    world = World().holds(3.0).holds(-2.0, "b").rests("1", Side.BUY, 1.0, 99.0).rests("2", Side.SELL, 1.0, 101.0)
    assert world.view.exposure("", "").gross == 700.0
    assert check_of(limits.GrossExposureLimit(800.0)).review(buys(), world.view) is None
    assert code(check_of(limits.GrossExposureLimit(799.0)).review(buys(), world.view)) == "above_max_notional"
    assert code(check_of(limits.GrossExposureLimit(799.0)).review(buys(nan), world.view)) == "no_price"
    assert check_of(limits.GrossExposureLimit(10.0)).review(sells(2.0), world.view) is None, "reduces"


def test_exposure_can_be_that_of_a_strategy_or_of_a_symbol() -> None:
    world = (
        World(symbols=(SYMBOL, "ETH"))
        .holds(3.0)
        .holds(-2.0, "b")
        .holds(4.0, "a", "ETH")
        .rests("1", Side.BUY, 1.0, 99.0)
    )
    view = world.view
    assert view.exposure("a", "").gross == 800.0
    assert view.exposure("b", "").gross == 200.0
    assert view.exposure("", "ETH").gross == 400.0
    assert view.exposure("a", SYMBOL).net == 400.0
    assert code(check_of(limits.GrossExposureLimit(899.0, strategy="a")).review(buys(), view)) == "above_max_notional"
    assert check_of(limits.GrossExposureLimit(899.0, strategy="a", symbol=SYMBOL)).review(buys(), view) is None


def test_net_exposure_is_the_worst_that_orders_in_flight_can_make_of_it() -> None:
    world = World().holds(3.0).holds(-2.0, "b").rests("1", Side.BUY, 1.0, 99.0).rests("2", Side.SELL, 4.0, 101.0)
    assert world.view.exposure("", "").net == 300.0
    check = limits.NetExposureLimit(350.0)
    assert check_of(check).review(buys(), world.view) is None
    assert code(check_of(check).review(sells(who="c"), world.view)) == "above_max_notional"
    assert check_of(limits.NetExposureLimit(10.0)).review(sells(2.0), World().holds(3.0).view) is None, "reduces"


def test_an_orders_share_is_the_contributors_part_of_it() -> None:
    both = order("1", Side.SELL, 4.0, parts=[("a", 1.0), ("b", 2.0), ("a", 1.0)])
    assert (share_of(both, "a"), share_of(both, "b"), share_of(both, "c")) == (0.5, 0.5, 0.0)
    assert (share_of(buys(), "a"), share_of(buys(), "b")) == (1.0, 0.0)


def test_parts_of_one_strategy_reduce_together_or_not_at_all() -> None:
    world = World().holds(10.0)
    assert world.view.reduces(order("1", Side.SELL, 12.0, parts=[("a", 6.0), ("a", 6.0)]))
    assert not world.view.reduces(order("1", Side.SELL, 27.0, parts=[("a", 9.0), ("a", 9.0), ("a", 9.0)]))
    assert not world.view.reduces(order("1", Side.SELL, 2.0, parts=[("a", 1.0), ("b", 1.0)]))


def test_open_orders_are_counted_of_all_of_a_strategy_or_of_a_symbol() -> None:
    world = World().rests("1", Side.BUY, 1.0, 99.0).rests("2", Side.SELL, 1.0, None, "b")
    world.orders.ask_to_cancel("1")
    for check, said in [
        (limits.OpenOrdersLimit(2), "above_max_open_orders"),
        (limits.OpenOrdersLimit(3), ""),
        (limits.OpenOrdersLimit(1, strategy="a"), "above_max_open_orders"),
        (limits.OpenOrdersLimit(2, strategy="a"), ""),
        (limits.OpenOrdersLimit(1, strategy="c"), ""),
        (limits.OpenOrdersLimit(2, symbol=SYMBOL), "above_max_open_orders"),
        (limits.OpenOrdersLimit(1, symbol="ETH"), ""),
    ]:
        assert code(check_of(check).review(buys(), world.view)) == said


@pytest.mark.parametrize(
    ("proposal", "said"),
    [
        (buys(), ""),  # reaches the ask of 101
        (buys(1.0, 101.5), ""),
        (buys(1.0, 102.0), "would_cross_own_order"),
        (buys(1.0, nan), "would_cross_own_order"),
        (sells(), ""),  # reaches the bid of 99
        (sells(1.0, 98.0), "would_cross_own_order"),
        (sells(1.0, 98.5), ""),
        (buys(who="b", limit=103.0), "would_cross_own_order"),
        (buys(1.0, 200.0, symbol="ETH"), ""),
    ],
)
def test_no_order_meets_an_own_one(proposal: ProposedOrder, said: str) -> None:
    world = World().rests("1", Side.BUY, 1.0, 98.0).rests("2", Side.SELL, 1.0, 102.0).rests("3", Side.SELL, 1.0, None)
    assert code(check_of(limits.SelfCrossLimit()).review(proposal, world.view)) == said


def test_a_market_order_without_a_price_to_reach_to_could_meet_any_own_one() -> None:
    world = World(symbols=()).rests("2", Side.SELL, 1.0, 102.0)
    assert code(check_of(limits.SelfCrossLimit()).review(buys(), world.view)) == "would_cross_own_order"


# Loss.


def test_a_days_loss_is_measured_from_what_the_day_began_with() -> None:
    world, check = World().holds(10.0), limits.DailyLossLimit(50.0)
    world.positions.mark(SYMBOL, 92.0)
    assert code(check_of(check).review(buys(), world.view)) == "above_max_loss"
    assert check_of(check).review(sells(), world.view) is None, "reduces"
    assert check_of(limits.DailyLossLimit(50.0, strategy="b")).review(buys(who="b"), world.view) is None
    assert code(check_of(limits.DailyLossLimit(50.0, strategy="a")).review(buys(), world.view)) == "above_max_loss"
    world.record.begin_day(ns(MONDAY_S), world.positions.equities())
    assert check_of(check).review(buys(), world.view) is None
    assert world.record.day_ends_ns == ns(MONDAY_S + 16 * 3600)
    world.positions.mark(SYMBOL, 87.0)
    assert check_of(check).review(buys(), world.view) is None, "50 is not beyond 50"
    world.positions.mark(SYMBOL, nan)
    assert code(check_of(check).review(buys(), world.view)) == "above_max_loss"


# Schedule.


@pytest.mark.parametrize(
    ("opens", "closes", "days", "at_h", "is_open"),
    [
        ("08:00", "16:30", ("mon",), 0.0, True),
        ("08:01", "16:30", ("mon",), 0.0, False),
        ("08:00", "16:30", ("mon",), 8.4, True),
        ("08:00", "16:30", ("mon",), 8.5, False),
        ("08:00", "16:30", ("tue",), 0.0, False),
        ("22:00", "06:00", ("mon",), 15.0, True),
        ("22:00", "06:00", ("mon",), 21.9, True),  # Tuesday, 05:54
        ("22:00", "06:00", ("mon",), 22.0, False),
        ("22:00", "06:00", ("sun",), 15.0, False),
        ("22:00", "06:00", ("sun",), -3.0, True),  # Monday, 05:00: it opened on Sunday
        ("22:00", "06:00", ("mon",), -3.0, False),
    ],
)
def test_trading_has_hours(opens: str, closes: str, days: tuple[str, ...], at_h: float, is_open: bool) -> None:
    check = limits.TradingHours(opens, closes, days)
    answer = check_of(check).review(buys(at_s=MONDAY_S + at_h * 3600), World().view)
    assert code(answer) == ("" if is_open else "outside_trading_hours")


def test_only_listed_symbols_are_traded_and_others_may_be_left() -> None:
    check = limits.SymbolAllowList((SYMBOL,))
    assert check_of(check).review(proposed(), World().view) is None
    assert code(check_of(check).review(proposed(symbol="ETH"), World().view)) == "symbol_not_allowed"
    assert check_of(check).review(proposed(-1.0, 2.0, symbol="ETH"), World().view) is None


# All of them.

EXAMPLES = [
    limits.ConfidenceLimit(0.6),
    limits.PositionLimit(10.0),
    limits.DrawdownLimit(0.2),
    limits.SymbolAllowList((SYMBOL,)),
    limits.TradingHours("08:00", "16:30"),
    limits.PriceAgeLimit(S),
    limits.LateEngineLimit(S),
    limits.SoundBook(),
    limits.PriceCollar(100.0, 50.0),
    limits.OrderQuantityLimit(5.0),
    limits.OrderNotionalLimit(500.0),
    limits.OrderRateLimit(3, S, 2),
    limits.RepeatedExecutionLimit(3, S),
    limits.DuplicateOrderLimit(S),
    limits.OpenOrdersLimit(3),
    limits.SelfCrossLimit(),
    limits.GrossExposureLimit(1_000.0),
    limits.NetExposureLimit(1_000.0),
    limits.DailyLossLimit(100.0),
]


def test_every_check_is_listed_with_codes_a_source_and_one_scope() -> None:
    assert [type(example) for example in EXAMPLES] == list(LIMITS.values()) == list(get_args(AnyLimit)) == list(CHECKS)
    for name, limit in LIMITS.items():
        assert limit.name == name
        assert limit.codes
        assert limit.source
        assert limit.__doc__
    for check in CHECKS.values():
        assert issubclass(check, ContributionCheck) != issubclass(check, OrderCheck)
        assert check.__doc__ or form() == "compiled", "compiled classes have none"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_every_check_tells_what_is_used_of_its_limit(example: AnyLimit) -> None:
    world = World().holds(3.0).holds(-2.0, "b").rests("1", Side.BUY, 2.0, 99.0).sent(1.0, 1.4, 2.2)
    world.positions.mark(SYMBOL, 90.0)
    usages = {
        "position_limit": Usage("max_position", 10.0, 5.0, f"a {SYMBOL}"),
        "drawdown": Usage("max_drawdown", 0.2, 30.0 / 100_000, "a"),
        "order_rate": Usage("max_orders", 3, 2, ""),
        "repeated_execution": Usage("max_executions", 3, 2, f"a {SYMBOL}"),
        "max_open_orders": Usage("max_orders", 3, 1, ""),
        "gross_exposure": Usage("max_notional", 1_000.0, 650.0, ""),
        "net_exposure": Usage("max_notional", 1_000.0, 290.0, ""),
        "daily_loss": Usage("max_loss", 100.0, 10.0, ""),
        "late_engine": Usage("max_age_ms", 1_000.0, 0.0, ""),
    }
    usage = check_of(example).usage(world.view)
    if example.name in usages:
        assert usage == usages[example.name]
    else:
        assert (usage.used, usage.used_by) == (None, "")


def test_what_is_used_of_a_scoped_limit_is_that_of_the_scope() -> None:
    world = World().holds(3.0).holds(-2.0, "b").sent(1.0, who="a").sent(1.0, 1.1, who="b")
    world.positions.mark(SYMBOL, 110.0)
    assert check_of(limits.RepeatedExecutionLimit(5, S)).usage(world.view).used_by == f"b {SYMBOL}"
    world.sent(1.0, who="c")
    assert check_of(limits.RepeatedExecutionLimit(5, S)).usage(world.view).used_by == f"b {SYMBOL}"
    assert check_of(limits.PositionLimit(10.0, strategy="b")).usage(world.view).used_by == f"b {SYMBOL}"
    assert (
        check_of(limits.PositionLimit(10.0))
        .usage(World().holds(1.0).rests("1", Side.BUY, 1.0, 9.0, "b").rests("2", Side.SELL, 1.0, 9.0, "b").view)
        .used
        == 1.0
    )
    assert check_of(limits.DrawdownLimit(0.1, strategy="b")).usage(world.view).used_by == "b"
    assert check_of(limits.RepeatedExecutionLimit(5, S, strategy="a")).usage(world.view) == Usage(
        "max_executions", 5, 1, f"a {SYMBOL}"
    )
    assert check_of(limits.OrderRateLimit(5, S, strategy="d")).usage(world.view).used == 0


@given(st.sampled_from(EXAMPLES), st.floats(), st.floats() | st.none(), st.floats(), st.booleans())
def test_no_check_raises_or_lets_a_nan_grow_a_position(
    check: AnyLimit, quantity: float, limit: float | None, position: float, sells_it: bool
) -> None:
    world = World()
    asked = check_of(check)
    if isinstance(asked, ContributionCheck):
        asked.review(proposed(quantity, position), world.view)
        return
    side = Side.SELL if sells_it else Side.BUY
    proposal = ProposedOrder(SYMBOL, side, quantity, ns(MONDAY_S), (Contribution("a", quantity, 1),), limit)
    answer = asked.review(proposal, world.view)
    if quantity != quantity and check.name in (
        "max_order_quantity",
        "max_order_notional",
        "gross_exposure",
        "net_exposure",
    ):
        assert answer is not None
