"""The risk checks as the control API shows them: each limit, how much of it is used, and what was refused."""

from __future__ import annotations

from sengine.domain.position import Position
from sengine.engine.risk.checks.signal import PositionLimitCheck
from sengine.engine.risk.limit import Usage
from sengine.proto import engine_pb2 as pb
from sengine.runtime.live_engine import LiveEngine


class WorstExposure:
    """The largest exposure of any strategy to any symbol."""

    def __init__(self) -> None:
        self.figure = 0.0
        self.position: Position | None = None

    def see(self, figure: float, position: Position) -> None:
        if figure > self.figure:
            self.figure, self.position = figure, position

    def usage(self, check: PositionLimitCheck) -> Usage:
        whose = f"{self.position.strategy_id} {self.position.symbol}" if self.position is not None else ""
        return Usage("max_position", check.max_position, self.figure if whose else None, whose)


def risk_messages(live: LiveEngine, exposure: WorstExposure) -> list[pb.RiskCheck]:
    """The checks in their order, then what refused without being one of them (the kill switch)."""
    reasons: dict[str, dict[str, int]] = {}
    for (check, code), count in live.filtered_counts.items():
        reasons.setdefault(check, {})[code] = count
    engine = live.engine
    messages = []
    for each in engine.risk.checks:
        # Every position was looked at for the snapshot already, in pieces that hold no tick up.
        if isinstance(each, PositionLimitCheck) and not each.strategy and not each.symbol:
            usage = exposure.usage(each)
        else:
            usage = each.usage(engine.risk_view)
        refused = reasons.pop(each.title, {})
        messages.append(
            pb.RiskCheck(
                name=each.title,
                limit_name=usage.limit_name,
                limit=usage.limit,
                used=usage.used,
                used_by=usage.used_by,
                refusals=sum(refused.values()),
                refusals_by_reason=refused,
                bypassed=each.name in engine.risk.bypass,
            )
        )
    messages.extend(
        pb.RiskCheck(name=name, refusals=sum(refused.values()), refusals_by_reason=refused)
        for name, refused in reasons.items()
    )
    return messages
