"""A fill that takes a position beyond its limit is told once, counted, and keeps nobody from getting out."""

from __future__ import annotations

from sengine.domain.events import Flatten
from sengine.engine.core import Engine
from sengine.engine.risk import limits
from sengine.engine.risk.change_limits import ChangeLimits
from sengine.engine.risk.checks import check_of
from tests.engine.conftest import SYMBOL, Actor, engine_with, fill, long, quote, sent, short

LIMIT = limits.PositionLimit(10.0)


def quoting_engine(*more) -> Engine:
    """A buy of 8 that is being replaced by another, and a sell of 8 between them: the net is within the limit of 10."""
    quotes = (long(size=8.0, limit_price=98.0), short(size=8.0, limit_price=102.0), long(size=8.0, limit_price=97.0))
    engine = engine_with(Actor("a", *quotes, *more, route="direct"), checks=[LIMIT])
    for at_s in (1, 2, 3):
        assert sent(engine.process(quote(at_s)))
    return engine


def test_late_cancellation_that_fills_is_told_once_and_counted() -> None:
    engine = quoting_engine()
    assert engine.process(fill("1", 8.0, at_s=4)).warnings == []
    (warning,) = engine.process(fill("3", 4.0, at_s=5)).warnings
    assert warning.startswith("a holds 12 BTC after fill ")
    assert "beyond max_position 10" in warning
    assert engine.process(fill("3", 4.0, at_s=6)).warnings == [], "it is beyond already"
    assert engine.anomalies["position_beyond_limit"] == 1
    usage = check_of(LIMIT).usage(engine.risk_view)
    assert (usage.used, usage.used_by) == (16.0, "a BTC"), "what is in flight the other way does not hide it"


def test_position_that_comes_back_and_leaves_again_is_told_again() -> None:
    engine = quoting_engine(long(size=1.0, limit_price=96.0), long(size=1.0, limit_price=95.0))
    engine.process(fill("1", 8.0, at_s=4))
    assert engine.process(fill("3", 8.0, at_s=5)).warnings
    assert engine.process(fill("2", 7.0, side="sell", at_s=6)).warnings == []
    assert sent(engine.process(quote(7)))
    assert engine.process(fill("4", 1.0, at_s=7)).warnings == []
    assert sent(engine.process(quote(8))), "10 again, with the rest of the sell counted"
    assert engine.process(fill("5", 1.0, at_s=8)).warnings
    assert engine.anomalies["position_beyond_limit"] == 2


def test_what_reduces_passes_and_what_adds_does_not() -> None:
    engine = quoting_engine(short(size=3.0), long(size=1.0))
    for order_id in ("1", "3"):
        engine.process(fill(order_id, 8.0, at_s=4))
    engine.process(fill("2", 1.0, side="sell", at_s=5))
    # Held 15, and 7 of the sell still in flight.
    assert sent(engine.process(quote(6)))
    engine.process(fill("2", 1.0, side="sell", at_s=7))
    outcome = engine.process(Flatten("a", SYMBOL))
    assert outcome.cancels == ["2"]
    assert [order.quantity for order in outcome.orders] == [11.0], "14 held, of which 3 are being sold"
    (result,) = engine.process(quote(8)).signals
    assert result.check == "flatten"


def test_limit_that_is_bypassed_or_changed_counts_as_it_is() -> None:
    engine = quoting_engine()
    engine.process(ChangeLimits([LIMIT], ["position_limit"], allow_loosening=True))
    assert engine.process(fill("1", 8.0, at_s=4)).warnings == []
    engine.process(ChangeLimits([limits.PositionLimit(20.0), limits.PositionLimit(9.0, strategy="a")]))
    (warning,) = engine.process(fill("3", 8.0, at_s=5)).warnings
    assert "beyond max_position 9" in warning


def test_many_strategies_at_once_do_not_pile_up_beyond_a_limit_for_all() -> None:
    """Each may hold 10; all together may hold what 1,000 buys. Those of one event and those in flight count at once."""
    actors = [Actor(f"s{number}", long(size=4.0), long(size=4.0), route="direct") for number in range(5)]
    engine = engine_with(*actors, checks=[LIMIT, limits.NetExposureLimit(1_000.0, symbol=SYMBOL)])
    first = engine.process(quote(1))
    assert [result.check or "passed" for result in first.signals] == ["passed"] * 2 + ["net_exposure[BTC]"] * 3
    assert sent(engine.process(quote(2))) == []
    for order in first.orders:
        engine.process(fill(order.order_id, 4.0, at_s=3))
    assert engine.risk_view.exposure("", SYMBOL).net <= 1_000.0
