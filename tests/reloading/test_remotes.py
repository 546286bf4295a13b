"""Strategies in processes of their own, brought to what their files and the configuration say now."""

from __future__ import annotations

from pathlib import Path

import msgspec

from sengine.adapters.facts import ServiceFacts
from sengine.config import Config
from sengine.config.schema import StrategyConfig
from sengine.reloading.strategies import Reloading
from tests.adapters.remote_parts import book, rig, write_echo


async def test_a_changed_file_and_sighup_reach_a_strategy_in_its_own_process(tmp_path: Path) -> None:
    path = write_echo(tmp_path)
    wanted = [StrategyConfig(id="echo", type="grpc", module="echo")]
    async with rig(tmp_path) as r:
        link = r.load(module="echo")
        await r.remotes.tried()
        facts = ServiceFacts("test")

        def config() -> Config:
            return Config(strategies=wanted)

        reloading = Reloading(r.live, facts, r.catalog, config(), config, r.remotes)
        first = link.describe()["pid"]
        write_echo(tmp_path, "2.0.0")
        await reloading.files_changed([path])
        report = facts.reloads.of("echo")[-1]
        assert (report.is_done, report.trigger) == (True, "file")
        assert report.new_version.startswith("2.0.0+")
        assert link.describe()["pid"] != first
        wanted[0] = msgspec.structs.replace(wanted[0], config={"size": 4.0})
        await reloading.bring_all("SIGHUP")
        assert facts.reloads.of("echo")[-1].trigger == "SIGHUP"
        r.live.take(book(1))
        await r.signals(1)
        assert r.live.signals.history[-1].size == 4.0
        second = link.describe()["pid"]
        path.write_text("def broken(:\n")
        await reloading.files_changed([path])
        report = facts.reloads.of("echo")[-1]
        assert not report.is_done
        assert "echo.py:1" in report.message
        assert link.describe()["pid"] == second
        wanted.clear()
        await reloading.bring_all("SIGHUP")
        assert r.live.engine.roster.find("echo") is None
        await reloading.stop()
