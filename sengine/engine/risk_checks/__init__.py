"""The pre-trade checks. Each is a pure function of what is proposed and of a read-only view; ``None`` lets it pass.

Comparisons are written so that a NaN refuses: what is not known to be within its limit is not within it.
"""

from __future__ import annotations

from typing import Final, TypeAlias, get_args

from sengine.engine.risk_checks.basis import Check, ProposedContribution, Reducing, Refusal, RiskView, Usage
from sengine.engine.risk_checks.exposure import GrossExposureCheck, MaxOpenOrdersCheck, NetExposureCheck, SelfCrossCheck
from sengine.engine.risk_checks.loss import DailyLossCheck, DrawdownCheck
from sengine.engine.risk_checks.market import BookCheck, LateEngineCheck, PriceCollarCheck, StaleMarketDataCheck
from sengine.engine.risk_checks.rate import DuplicateOrderCheck, OrderRateCheck, RepeatedExecutionCheck
from sengine.engine.risk_checks.schedule import SymbolAllowListCheck, TradingHoursCheck
from sengine.engine.risk_checks.signal import ConfidenceCheck, PositionLimitCheck
from sengine.engine.risk_checks.size import MaxOrderNotionalCheck, MaxOrderQuantityCheck

AnyCheck: TypeAlias = (
    ConfidenceCheck
    | PositionLimitCheck
    | DrawdownCheck
    | SymbolAllowListCheck
    | TradingHoursCheck
    | StaleMarketDataCheck
    | BookCheck
    | PriceCollarCheck
    | MaxOrderQuantityCheck
    | MaxOrderNotionalCheck
    | OrderRateCheck
    | RepeatedExecutionCheck
    | DuplicateOrderCheck
    | MaxOpenOrdersCheck
    | SelfCrossCheck
    | GrossExposureCheck
    | NetExposureCheck
    | DailyLossCheck
    | LateEngineCheck
)

CHECKS: Final[dict[str, type[AnyCheck]]] = {check.name: check for check in get_args(AnyCheck)}
"""Every check by its name, which is its ``type`` in the configuration."""

__all__ = [
    "CHECKS",
    "AnyCheck",
    "BookCheck",
    "Check",
    "ConfidenceCheck",
    "DailyLossCheck",
    "DrawdownCheck",
    "DuplicateOrderCheck",
    "GrossExposureCheck",
    "LateEngineCheck",
    "MaxOpenOrdersCheck",
    "MaxOrderNotionalCheck",
    "MaxOrderQuantityCheck",
    "NetExposureCheck",
    "OrderRateCheck",
    "PositionLimitCheck",
    "PriceCollarCheck",
    "ProposedContribution",
    "Reducing",
    "Refusal",
    "RepeatedExecutionCheck",
    "RiskView",
    "SelfCrossCheck",
    "StaleMarketDataCheck",
    "SymbolAllowListCheck",
    "TradingHoursCheck",
    "Usage",
]
