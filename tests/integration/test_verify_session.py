"""A live session in which everything happened that an engine can do, run again from its journal."""

from __future__ import annotations

from collections.abc import Callable

import yaml

from sengine.adapters.control.client import ControlClient
from sengine.adapters.journal.reader import JournalReader
from sengine.service.verification import verify
from tests.integration.engine_process import EngineProcess, book, flipper, publisher, until

NewEngine = Callable[..., EngineProcess]
CHANGING = """
from sengine.strategy import BaseStrategy, Plugin, Signal

plugin = Plugin("changing", "{version}")


class Changing(BaseStrategy):
    calls = 0

    def on_tick(self, data):
        self.calls += 1
        if {fails}:
            raise ValueError("no good")
        return Signal(direction="LONG" if self.calls % 2 else "SHORT", confidence=1.0, size={size})


def create_strategy():
    return Changing("changing")
"""
STUCK = """
import time
from sengine.strategy import BaseStrategy


class Stuck(BaseStrategy):
    calls = 0

    def on_tick(self, data):
        self.calls += 1
        if self.calls == 5:
            time.sleep(600)


def create_strategy():
    return Stuck("stuck")
"""


async def test_session_with_everything_in_it_is_the_same_again(new_engine: NewEngine) -> None:
    engine = new_engine(
        {
            "strategies": [
                flipper(),
                flipper(away=1.0) | {"id": "rest"},
                {"id": "changing", "plugin": "changing"},
                {"id": "stuck", "plugin": "stuck"},
                {"id": "apart", "plugin": "apart", "isolation": "process", "max_signal_age_ms": 60_000},
                {"id": "far", "type": "grpc", "plugin": "flipper", "max_signal_age_ms": 60_000},
            ],
            "plugins": {"directory": "strategies", "rollback_ticks": 50, "tick_timeout_ms": 200, "hot_reload": False},
            "risk": {"filters": [{"type": "position_limit", "max_position": 100.0}]},
            "journal": {"segment_bytes": 200_000},
        }
    )

    def write(version: str, size: float, fails: str = "False", name: str = "changing") -> None:
        file = engine.folder / "strategies" / f"{name}.py"
        file.write_text(CHANGING.format(version=version, size=size, fails=fails))

    write("1", 0.5)
    write("1", 0.25, name="apart")
    (engine.folder / "strategies" / "stuck.py").write_text(STUCK)
    engine.start()
    await engine.ready()
    step = 0

    def version(strategy_id: str = "changing") -> str:
        return next(
            each["version"]
            for each in engine.get("/api/strategies")["strategies"]
            if each["strategy_id"] == strategy_id
        )

    async with (
        publisher(engine.listeners["nats broker"]) as (_, publish),
        ControlClient(engine.listeners["control API"]) as client,
    ):

        async def trade(books: int = 20, bid: float = 100.0) -> None:
            nonlocal step
            await publish([book(step + number, bid=bid + number % 3) for number in range(1, books + 1)])
            step += books
            await until(lambda: engine.ticks() == step)

        await trade()
        write("2", 0.75)
        assert (await client.reload("changing")).message
        await trade(60)
        write("3", 0.25, "data.mid > 150.0")
        assert (await client.reload("changing")).message
        write("2", 0.75, "data.mid > 150.0", name="apart")
        await client.reload("apart")
        assert version("apart").startswith("2+")
        await trade(10)
        await trade(10, bid=200.0)
        await until(lambda: "2+" in version(), what="the version before")
        await until(lambda: "1+" in version("apart"), what="the process before")
        await client.set_parameters("flip", {"size": 2.0})
        await trade()
        config = yaml.safe_load(engine.config_file.read_text())
        config["risk"]["filters"][0]["max_position"] = 2.5
        engine.config_file.write_text(yaml.safe_dump(config))
        await client.reload_risk()
        await trade()
        await client.load("flipper", "late", ("BTCUSDT",), {"size": 0.1})
        await trade()
        await client.flatten()
        await trade()
        await client.kill("a drill")
        await trade()
        await client.rearm()
        await client.pause("rest")
        await trade()
        await client.unload("late")
        await client.resume("rest")
        await trade()
        await until(lambda: engine.metric("sengine_orders_open") <= 2)
        signals = {each["strategy_id"] for each in engine.signals()}
    assert await engine.terminate() == 0
    journal = engine.folder / "data" / "journal"
    kinds = {type(entry.record).__name__ for entry in JournalReader(journal)}
    assert kinds >= {
        "StrategySwapped", "ReloadParameters", "ChangeLimits", "StrategyLoaded", "UnloadStrategy", "Flatten",
        "KillSwitch", "Rearm", "PauseStrategy", "ResumeStrategy", "RemoteSignals", "RemoteReady",
        "RemoteRolledBack", "Happened", "Shutdown",
    }  # fmt: skip
    faults = {
        fault.kind
        for entry in JournalReader(journal)
        if type(entry.record).__name__ == "Happened"
        for fault in entry.record.faults
    }
    assert faults >= {"timeout", "exception"}
    assert signals >= {"flip", "rest", "changing", "apart", "far", "late"}
    (check,) = verify(journal)
    assert check.is_equal, check.divergence or check.skipped
    assert check.orders > 100
