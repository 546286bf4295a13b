"""The settings that a running engine takes on at once, and the keys of those that wait for the next start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from sengine.assembly import risk_limits
from sengine.config import Config
from sengine.config.risk_schema import RiskConfig
from sengine.domain.events import ChangeAggregation
from sengine.engine.risk.change_limits import ChangeLimits
from sengine.runtime.live_engine import LiveEngine
from sengine.runtime.logging import configure_logging

_EXECUTION: Final = ("deadline_ms", "retry_for_ms", "queue_limit", "cancel_on_shutdown")


class LiveSettings:
    """``in_force`` is what the engine runs with: the configuration of its start, with what ``take`` put into it."""

    def __init__(self, live: LiveEngine, started: Config) -> None:
        self._live = live
        self.in_force = started

    def apply_limits(self, risk: RiskConfig, *, allow_loosening: bool) -> str:
        """Put these limits into force; what was done.

        Raises ``LimitError`` where that would make one looser and ``allow_loosening`` is false.
        """
        command = ChangeLimits(tuple(risk_limits(risk, is_live=True)), tuple(risk.bypass), allow_loosening)
        looser = len(self._live.process(command).notices)
        now = msgspec.structs.replace(self.in_force.risk, filters=risk.filters, bypass=risk.bypass)
        self.in_force = msgspec.structs.replace(self.in_force, risk=now)
        said = f"limits reloaded: {len(risk.filters)} checks, {looser or 'none'} looser than before"
        self._live.say("info", said)
        return said

    def limits_differ(self, risk: RiskConfig) -> bool:
        now = self.in_force.risk
        return (risk.filters, risk.bypass) != (now.filters, now.bypass)

    def apply(self, config: Config) -> None:
        """Put what may change at run time into force: the vote, logging, and the bounds of the gateway."""
        self._change(config, "aggregation", self._aggregate)
        self._change(config, "logging", lambda wanted: configure_logging(wanted.logging.level, wanted.logging.format))
        now = self.in_force.execution
        execution = msgspec.structs.replace(now, **{key: getattr(config.execution, key) for key in _EXECUTION})
        self._change(msgspec.structs.replace(self.in_force, execution=execution), "execution", self._bound_gateway)

    def _change(self, wanted: Config, section: str, apply: Callable[[Config], object]) -> None:
        before, after = getattr(self.in_force, section), getattr(wanted, section)
        changes = list(differences(section, before, after))
        if not changes:
            return
        apply(wanted)
        self.in_force = msgspec.structs.replace(self.in_force, **{section: after})
        self._live.say("info", "settings changed", **{key: f"{old} -> {new}" for key, old, new in changes})

    def _aggregate(self, wanted: Config) -> None:
        self._live.process(ChangeAggregation(wanted.aggregation.method, wanted.aggregation.window_size_ns))

    def _bound_gateway(self, wanted: Config) -> None:
        if self._live.gateway is not None:
            self._live.gateway.change_bounds(wanted.execution)


def differences(place: str, before: object, after: object) -> Iterator[tuple[str, object, object]]:
    """Each key below ``place`` whose values differ, as it is written in YAML, with both values."""
    if isinstance(before, msgspec.Struct) and type(before) is type(after):
        for each in msgspec.structs.fields(before):
            key = f"{place}.{each.encode_name}" if place else each.encode_name
            yield from differences(key, getattr(before, each.name), getattr(after, each.name))
    elif before != after:
        yield place, before, after
