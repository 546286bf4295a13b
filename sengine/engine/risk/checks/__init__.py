"""The pre-trade checks. Each is a pure function of what is proposed and of a read-only view; ``None`` lets it pass.

Comparisons are written so that a NaN refuses: what is not known to be within its limit is not within it.
"""

from __future__ import annotations

from typing import Any, Final

from sengine.engine.risk import limits
from sengine.engine.risk.checks.basis import Check
from sengine.engine.risk.checks.exposure import GrossExposureCheck, MaxOpenOrdersCheck, NetExposureCheck, SelfCrossCheck
from sengine.engine.risk.checks.loss import DailyLossCheck, DrawdownCheck
from sengine.engine.risk.checks.market import BookCheck, LateEngineCheck, PriceCollarCheck, StaleMarketDataCheck
from sengine.engine.risk.checks.rate import DuplicateOrderCheck, OrderRateCheck, RepeatedExecutionCheck
from sengine.engine.risk.checks.schedule import SymbolAllowListCheck, TradingHoursCheck
from sengine.engine.risk.checks.signal import ConfidenceCheck, PositionLimitCheck
from sengine.engine.risk.checks.size import MaxOrderNotionalCheck, MaxOrderQuantityCheck
from sengine.engine.risk.limits import AnyLimit

CHECKS: Final[dict[type[AnyLimit], Any]] = {
    limits.ConfidenceLimit: ConfidenceCheck,
    limits.PositionLimit: PositionLimitCheck,
    limits.DrawdownLimit: DrawdownCheck,
    limits.SymbolAllowList: SymbolAllowListCheck,
    limits.TradingHours: TradingHoursCheck,
    limits.PriceAgeLimit: StaleMarketDataCheck,
    limits.LateEngineLimit: LateEngineCheck,
    limits.SoundBook: BookCheck,
    limits.PriceCollar: PriceCollarCheck,
    limits.OrderQuantityLimit: MaxOrderQuantityCheck,
    limits.OrderNotionalLimit: MaxOrderNotionalCheck,
    limits.OrderRateLimit: OrderRateCheck,
    limits.RepeatedExecutionLimit: RepeatedExecutionCheck,
    limits.DuplicateOrderLimit: DuplicateOrderCheck,
    limits.OpenOrdersLimit: MaxOpenOrdersCheck,
    limits.SelfCrossLimit: SelfCrossCheck,
    limits.GrossExposureLimit: GrossExposureCheck,
    limits.NetExposureLimit: NetExposureCheck,
    limits.DailyLossLimit: DailyLossCheck,
}
"""The class of the check that holds each kind of limit."""


def check_of(limit: AnyLimit) -> Check:
    """The check that holds ``limit``."""
    check: Check = CHECKS[type(limit)](limit)
    return check
