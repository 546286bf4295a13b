"""The risk checks as the control API shows them: each limit, how much of it is used, and what was refused."""

from __future__ import annotations

from sengine.adapters.facts import ServiceFacts
from sengine.config.schema import ConfidenceFilter, Filter, PositionLimitFilter
from sengine.domain.position import Position
from sengine.engine.core import Engine
from sengine.live import LiveEngine
from sengine.proto import engine_pb2 as pb


class WorstExposure:
    """The largest exposure of any strategy to any symbol."""

    def __init__(self) -> None:
        self.figure = 0.0
        self.position: Position | None = None

    def see(self, figure: float, position: Position) -> None:
        if figure > self.figure:
            self.figure, self.position = figure, position


def risk_messages(live: LiveEngine, facts: ServiceFacts, exposure: WorstExposure) -> list[pb.RiskCheck]:
    """The configured checks in their order, then those that refused without being configured (the kill switch)."""
    reasons: dict[str, dict[str, int]] = {}
    for (check, code), count in live.filtered_counts.items():
        reasons.setdefault(check, {})[code] = count
    checks = []
    for item in facts.risk.filters:
        message = _limit(item, live.engine, exposure)
        refused = reasons.pop(message.name, {})
        message.refusals = sum(refused.values())
        message.refusals_by_reason.update(refused)
        message.bypassed = message.name in facts.risk.bypass
        checks.append(message)
    checks.extend(
        pb.RiskCheck(name=name, refusals=sum(refused.values()), refusals_by_reason=refused)
        for name, refused in reasons.items()
    )
    return checks


def _limit(item: Filter, engine: Engine, exposure: WorstExposure) -> pb.RiskCheck:
    """The check with its limit, and how much of it is used at most."""
    if isinstance(item, ConfidenceFilter):
        return pb.RiskCheck(name="confidence", limit_name="min_confidence", limit=item.min_confidence)
    if isinstance(item, PositionLimitFilter):
        message = pb.RiskCheck(name="position_limit", limit_name="max_position", limit=item.max_position)
        if exposure.position is not None:
            message.used = exposure.figure
            message.used_by = f"{exposure.position.strategy_id} {exposure.position.symbol}"
        return message
    message = pb.RiskCheck(name="drawdown", limit_name="max_drawdown", limit=item.max_drawdown)
    capital = engine.positions.initial_capital
    for guest in engine.roster:
        account = engine.positions.equity_of(guest.strategy_id)
        drawdown = (account.peak - account.equity) / (capital + account.peak)
        if not message.used_by or drawdown > message.used:
            message.used, message.used_by = drawdown, guest.strategy_id
    return message
