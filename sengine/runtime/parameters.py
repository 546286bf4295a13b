"""New parameters for a running strategy, with a report. They need no proof: a failure leaves the old ones in force."""

from __future__ import annotations

from time import perf_counter, time_ns
from typing import Any

from sengine.config.redact import plain
from sengine.domain.events import ReloadParameters
from sengine.domain.reload import ReloadReport, ReloadStep
from sengine.engine.strategies.faults import in_words
from sengine.engine.strategies.runtime import StrategyRuntime
from sengine.errors import ConfigError, PluginError
from sengine.runtime.live_engine import LiveEngine


def give_parameters(live: LiveEngine, strategy_id: str, config: dict[str, Any], trigger: str) -> ReloadReport:
    """Hand ``config`` to a running strategy's ``hot_reload``. Raises ``EngineError`` where there is no such strategy,
    ``LifecycleError`` where its state does not allow it."""
    runtime = live.engine.registry.get(strategy_id)
    before, shown_before, began_s = dict(runtime.config), plain(dict(runtime.config)), perf_counter()
    faults = live.process(ReloadParameters(strategy_id, config)).faults
    took_ms = (perf_counter() - began_s) * 1000
    reason, where = (faults[0].message, faults[0].where) if faults else ("", "")
    if reason:
        message = f"strategy {strategy_id} keeps its old parameters: {reason}"
    else:
        shown = plain(dict(runtime.config))
        changed = [
            f"{key}: {shown_before.get(key)!r} -> {shown[key]!r}"
            for key, value in runtime.config.items()
            if before.get(key) != value
        ]
        message = f"strategy {strategy_id} reloaded; {', '.join(changed) or 'no parameter changed'}"
    return ReloadReport(
        strategy_id,
        "parameters",
        trigger,
        time_ns(),
        not reason,
        runtime.spec.version,
        runtime.spec.version,
        message,
        reason,
        where,
        (ReloadStep("parameters", not reason, took_ms, reason),),
        took_ms=took_ms,
    )


def prepared_parameters(runtime: StrategyRuntime, config: dict[str, Any]) -> dict[str, Any]:
    """The parameters with their defaults. Raises ``ConfigError`` or ``PluginError``, whatever declaring them does."""
    try:
        with runtime.guard.calling(runtime, has_patience=True):
            prepared: dict[str, Any] = runtime.spec.prepare(config)[1]
            return prepared
    except BaseException as error:
        runtime.guard.contain(error)
        if type(error) in (ConfigError, PluginError):
            raise
        said, _ = in_words(runtime.guard, runtime, error)
        raise PluginError(f"{runtime.spec.source}: parameters: {said}") from error
