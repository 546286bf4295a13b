"""What was configured and commanded last: limits, aggregation, and which strategies run, as which version, how.

A start decides all of that anew, from its configuration. Where that is other than what was in force, it is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from sengine.config.redact import plain
from sengine.engine.risk.limits import AnyLimit
from sengine.engine.risk.pipeline import RiskPipeline

if TYPE_CHECKING:
    from sengine.engine.core import Engine


class Running(msgspec.Struct):
    """A strategy: its version, empty where its own process says it, and its parameters as they were given,
    but for their secrets: this goes into the journal."""

    version: str
    parameters: dict[str, Any]


class EffectiveSettings(msgspec.Struct):
    """At one moment of an engine; ``strategies`` by id."""

    # Journals have had them under this name since before a limit and its check were two things.
    limits: Sequence[AnyLimit] = msgspec.field(name="checks")
    bypass: Sequence[str]
    method: str
    window_ns: int
    strategies: dict[str, Running]

    @classmethod
    def of(cls, engine: Engine) -> EffectiveSettings:
        return cls(
            list(engine.risk.limits),
            sorted(engine.risk.bypass),
            engine.votes.method,
            engine.votes.window_ns,
            {
                runtime.strategy_id: Running(
                    runtime.spec.version if runtime.spec.max_signal_age_ns is None else "", plain(runtime.written)
                )
                for runtime in engine.registry
            },
        )

    def instead(self, now: EffectiveSettings) -> Iterator[str]:
        """A sentence for each thing that ``now`` decides otherwise."""
        if (list(self.limits), list(self.bypass)) != (list(now.limits), list(now.bypass)):
            pipeline = RiskPipeline(self.limits, self.bypass)
            looser = "; ".join(pipeline.loosened_by(now.limits, now.bypass)) or "nothing"
            yield f"the limits are the configuration's, not those last in force; looser than those: {looser}"
        if (self.method, self.window_ns) != (now.method, now.window_ns):
            yield (
                f"votes are aggregated as configured, {now.method} over {now.window_ns / 1e9:g} s, no more "
                f"{self.method} over {self.window_ns / 1e9:g} s"
            )
        for name, then in self.strategies.items():
            runs = now.strategies.get(name)
            if runs is None:
                yield f"strategy {name} ran last and is not loaded now; what it holds stays on the books"
                continue
            if then.version and runs.version and then.version != runs.version:
                yield f"strategy {name} is {runs.version} now; {then.version} ran last"
            if then.parameters != runs.parameters:
                yield (
                    f"strategy {name} has the configuration's parameters {runs.parameters}, not those it had last, "
                    f"{then.parameters}"
                )
        for name in now.strategies.keys() - self.strategies.keys():
            yield f"strategy {name} is loaded; it did not run last"
