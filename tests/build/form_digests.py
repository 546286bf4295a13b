"""Prints what the form that runs makes of many markets, as JSON: replays' digests, and what random events led to."""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings

from replay.run import ReplayOptions, run_replay
from replay.sample import write_sample
from sengine.build_form import form
from sengine.config import load_config
from sengine.engine.outcome import Outcome
from sengine.resources import resource_path
from tests.engine.test_random_events import Setting, events_of, happenings, run, settings_of_an_engine

STRATEGIES = ("momentum", "rsi", "market_maker")
EXECUTIONS = ((), ("execution.latency_ms=250", "execution.commission_bps=1"), ("execution.depth=walk",))


def replay_digests(files: list[Path]) -> dict[str, str]:
    """By file, strategy and execution."""
    digests = {}
    for file in files:
        for strategy in STRATEGIES:
            for execution in EXECUTIONS:
                config = load_config(resource_path("configs", "replay.yaml"), overrides=execution, environment={})
                result = run_replay(config, ReplayOptions(files=(file,), strategies=(strategy,)))
                digests[f"{file.name} {strategy} {' '.join(execution)}"] = f"{result.digest} {result.signals_total}"
    return digests


def plain(outcome: Outcome) -> tuple[object, ...]:
    """What was decided. A fault's place and traceback are left out: they name the frames of the form that runs."""
    faults = [(each.strategy_id, each.kind, each.message, each.call, each.number) for each in outcome.faults]
    return (
        outcome.rejected, outcome.signals, outcome.orders, outcome.cancels, outcome.fills, outcome.shares, faults,
        outcome.notices, outcome.warnings, outcome.updates,
    )  # fmt: skip


def random_outcomes(examples: int) -> str:
    """One hash over what ``examples`` random runs led to, the same ones in every process."""
    seen = hashlib.sha256()

    @settings(max_examples=examples, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(settings_of_an_engine, happenings)
    def look(setting: Setting, happened: list[tuple]) -> None:
        result = run(setting, events_of(happened))
        for outcome in result.outcomes:
            seen.update(repr(plain(outcome)).encode())
        seen.update(repr(list(result.engine.portfolio.positions())).encode())

    look()
    return seen.hexdigest()


def main() -> None:
    captured = [Path(name) for name in sys.argv[2:]]
    with tempfile.TemporaryDirectory() as folder:
        generated = []
        for seed in (1, 2, 3):
            generated.append(Path(folder, f"seed{seed}.csv"))
            write_sample(generated[-1], 20_000, ["BTCUSDT", "ETHUSDT", "SOLUSDT"][:seed], seed=seed)
        digests = replay_digests([*generated, *captured])
    print(json.dumps({"form": form(), "digests": digests, "random": random_outcomes(int(sys.argv[1]))}))


if __name__ == "__main__":
    main()
