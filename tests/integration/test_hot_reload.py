"""A running demo whose momentum.py is edited, broken and mended."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from sengine.adapters.control.client import ControlClient
from sengine.resources import resource_path
from tests.integration.engine_process import ENVIRONMENT, until
from tests.patience import PATIENCE_S


async def test_an_edited_momentum_changes_a_running_demo_and_a_broken_one_does_not(tmp_path: Path) -> None:
    strategies = tmp_path / "strategies"
    strategies.mkdir()
    source = resource_path("strategies", "momentum.py").read_text()
    file = strategies / "momentum.py"
    file.write_text(source)
    address = f"unix:{tmp_path}/engine.sock"
    log = tmp_path / "demo.log"
    command = [
        sys.executable, "-m", "sengine", "demo", "--no-tui", "--rate", "300",
        "--set", f"api.listen={address}", "--set", f"plugins.directory={strategies}", "--set", "service.port=0",
        "--set", "logging.level=info",
    ]  # fmt: skip
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, cwd=tmp_path, env=ENVIRONMENT, start_new_session=True
        )
    try:
        await until(lambda: "ticks/s" in log.read_text(), 40.0, "the demo's trading")
        async with ControlClient(address) as client:
            momentum = next(
                each for each in (await client.strategies()).strategies if Path(each.source).name == "momentum.py"
            )
            name = momentum.strategy_id

            async def ticks(least: int) -> None:
                async with asyncio.timeout(PATIENCE_S):
                    while (await client.strategy(name)).state.ticks < least:
                        await asyncio.sleep(0.02)

            await ticks(100)
            file.write_text(source.replace("confidence=0.7", "confidence=0.61").replace('"1.0.0"', '"1.1.0"'))
            async with asyncio.timeout(PATIENCE_S):
                while not (await client.strategy(name)).state.version.startswith("1.1.0+"):
                    await asyncio.sleep(0.02)
            detail = await client.strategy(name)
            report = detail.reloads[-1]
            assert (report.is_done, report.what, report.trigger) == (True, "code", "file"), report
            assert report.steps
            assert "reloaded: 1.0.0+" in log.read_text()

            file.write_text(source.replace("def on_tick", "def on_tick("))
            async with asyncio.timeout(PATIENCE_S):
                while (last := (await client.strategy(name)).reloads[-1]).is_done:
                    await asyncio.sleep(0.02)
            assert last.where.startswith(f"{file}:")
            detail = await client.strategy(name)
            assert detail.state.version.startswith("1.1.0+")
            assert detail.state.state == "ACTIVE"
            await ticks(detail.state.ticks + 100)
            shown = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "sengine", "reload", name, "--json", "--address", address,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT, cwd=tmp_path,
            )  # fmt: skip
            printed, complaint = await shown.communicate()
            assert shown.returncode == 1, complaint
            assert json.loads(printed)["report"]["is_done"] is False
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.wait(PATIENCE_S)
    assert "not reloaded" in log.read_text()
