"""Strategies in processes of their own, brought to what their files and the configuration say now."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import msgspec
import pytest

from sengine.adapters.transport.memory_limit import IS_ENFORCED
from sengine.config.schema import StrategyConfig
from sengine.domain.events import ReloadParameters
from sengine.errors import ConfigError, EngineError
from tests.adapters.remote_parts import ECHO, write_echo
from tests.reloading.remote_desk import desk


async def test_a_changed_file_and_sighup_reach_a_strategy_in_its_own_process(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        first = d.pid
        write_echo(tmp_path, "2.0.0")
        report = await d.changed()
        assert (report.is_done, report.trigger) == (True, "file")
        assert report.new_version.startswith("2.0.0+")
        assert d.pid != first
        d.wanted[0] = msgspec.structs.replace(d.wanted[0], config={"size": 4.0})
        await d.reloading.bring_all("SIGHUP")
        assert (d.report.trigger, d.report.what) == ("SIGHUP", "parameters")
        await d.tick()
        await d.r.signals(1)
        assert d.r.live.signals.history[-1].size == 4.0
        d.wanted.clear()
        await d.reloading.bring_all("SIGHUP")
        assert d.r.live.engine.registry.find("echo") is None


async def test_new_code_takes_over_only_after_it_has_proved_itself(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        await d.tick()
        await d.r.signals(1)
        first = d.pid
        d.file.write_text("raise RuntimeError('broken on purpose')\n")
        report = await d.changed()
        assert not report.is_done
        assert (report.reason, report.where) == ("import failed: RuntimeError: broken on purpose", f"{d.file}:1")
        assert d.pid == first
        await d.tick()
        await d.r.signals(2)

        write_echo(tmp_path, "2.0.0")
        report = await d.reloading.reload("echo")
        assert (report.is_done, report.what) == (True, "code")
        assert report.new_version.startswith("2.0.0+")
        await d.tick()
        await d.r.signals(3)
        assert d.r.live.signals.history[-1].version.startswith("2.0.0+")
        # It knows what its predecessor bought.
        await d.r.until(lambda: d.link.describe()["strategy"].get("BTC", {}).get("position") == 3.0)


async def test_its_report_says_how_its_signals_differ_from_the_running_versions(tmp_path: Path) -> None:
    async with desk(tmp_path, recent_ticks=100, every=2) as d:
        await d.tick(40)
        await d.r.signals(20)
        write_echo(tmp_path, "2.0.0", ECHO.replace("self.calls % self.params.every", "self.calls % 4"))
        report = await d.changed()
        assert report.is_done, report.message
        assert report.compared is not None
        # Every second tick was answered, and now every fourth is.
        assert (report.compared.ticks, report.compared.same, report.compared.differ) == (40, 30, 10)
        assert "LONG 1 (confidence 1.00) before, nothing now" in report.compared.first_difference
        assert "; 30 of 40 recent ticks answered as before" in report.message
        assert [step.name for step in report.steps] == [
            "load", "parameters", "warm-up", "state", "canary", "prove", "warm up in a new process",
        ]  # fmt: skip
        assert report.on_tick_p50_us > 0
        # Its warm-up was not answered.
        assert d.r.live.engine.signals_generated == 20

        d.file.write_text(d.file.read_text() + "# another version with the same signals\n")
        report = await d.changed()
        assert report.compared is not None
        assert (report.compared.same, report.compared.differ) == (40, 0)


HELPED = "    import sizes\n" + ECHO.replace("self.params.size, metadata", "sizes.SIZE, metadata")


async def test_a_changed_helper_reaches_a_strategy_in_its_own_process(tmp_path: Path) -> None:
    helper = tmp_path / "sizes.py"
    helper.write_text("SIZE = 2.0\n")
    async with desk(tmp_path, recent_ticks=50, code=HELPED) as d:
        await d.tick(3)
        first = d.pid
        helper.write_text("SIZE = 3.0\n")
        report = await d.changed(helper)
        assert report.is_done, report.message
        assert report.compared is not None
        assert report.compared.differ == 3
        assert "LONG 2 (confidence 1.00) before, LONG 3 (confidence 1.00) now" in report.compared.first_difference
        assert d.pid != first
        await d.tick()
        await d.r.signals(4)
        assert d.r.live.signals.history[-1].size == 3.0


LATER = "raise ValueError('not today')"


@pytest.mark.parametrize(
    ("code", "reason", "line"),
    [
        ("def broken(:\n", "syntax error", 1),
        ("import of_no_such_name\n", 'imports "of_no_such_name", which is neither', 1),
        (ECHO.replace("def on_tick(self, data)", "def on_tick(self)"), "on_tick", None),
        (ECHO.replace("self.calls += 1", LATER), "ValueError: not today", 18),
        (ECHO.replace("def create_strategy", "def make_strategy"), "create_strategy", None),
        (ECHO.replace("self.calls += 1", "os._exit(3)"), "it ended its process with exit code 3", None),
        (ECHO.replace("self.calls += 1", "return Signal('UP', 2.0)"), "invalid signal", None),
    ],
    ids=["syntax", "import", "signature", "raises", "no_factory", "exits", "unsound_signal"],
)
async def test_what_does_not_prove_itself_leaves_the_old_process_running(
    tmp_path: Path, code: str, reason: str, line: int | None
) -> None:
    async with desk(tmp_path, recent_ticks=50) as d:
        await d.tick(10)
        await d.r.signals(10)
        first = d.pid
        write_echo(tmp_path, "2.0.0", code)
        report = await d.changed()
        assert not report.is_done
        assert reason in report.reason
        assert report.where.startswith(str(d.file))
        assert line is None or report.where == f"{d.file}:{line}"
        assert report.old_version.startswith("1.0.0+")
        assert d.pid == first
        await d.tick()
        await d.r.signals(11)
        assert d.r.runtime().is_active
        assert d.r.live.signals.history[-1].version == report.old_version


THREADED = ECHO.replace(
    "    class Parameters",
    """    import threading, time

    def beat():
        while True:
            time.sleep(0.001)

    threading.Thread(target=beat, daemon=True).start()

    class Parameters""",
)


async def test_threads_of_a_strategy_are_its_own_matter_and_end_with_its_process(tmp_path: Path) -> None:
    async with desk(tmp_path, recent_ticks=50) as d:
        await d.tick(3)
        first = d.pid
        write_echo(tmp_path, "2.0.0", THREADED)
        report = await d.changed()
        assert report.is_done, report.message
        second = d.pid
        assert second != first
        assert len(os.listdir(f"/proc/{second}/task")) > 1
        write_echo(tmp_path, "3.0.0")
        assert (await d.changed()).is_done
        await d.r.until(lambda: not Path(f"/proc/{second}").exists())
        await d.tick()
        await d.r.signals(4)


async def test_a_file_written_in_two_pieces_is_taken_when_it_is_whole(tmp_path: Path) -> None:
    async with desk(tmp_path, recent_ticks=50) as d:
        await d.tick(3)
        whole = write_echo(tmp_path, "2.0.0").read_text()
        d.file.write_text(whole[: whole.index("self.calls +=")] + "(")
        reported = len(d.facts.reloads.of("echo"))
        report = await d.changed()
        assert not report.is_done
        assert report.reason.startswith("syntax error")
        assert len(d.facts.reloads.of("echo")) == reported + 1
        d.file.write_text(whole)
        report = await d.changed()
        assert report.is_done
        assert report.new_version.startswith("2.0.0+")


async def test_a_process_killed_while_new_code_is_proved_comes_back_with_one_version(tmp_path: Path) -> None:
    async with desk(tmp_path, recent_ticks=50) as d:
        await d.tick(3)
        write_echo(tmp_path, "2.0.0")
        os.kill(d.pid, signal.SIGKILL)
        await d.r.until(lambda: not d.link.is_connected)
        report = await d.changed()
        # It fails for want of a process to replace, or finds one that has come back meanwhile.
        assert report.is_done or "has no running process" in report.reason
        await d.r.until(lambda: d.link.is_connected)
        await d.tick()
        await d.r.signals(4)
        assert d.r.live.signals.history[-1].version.startswith("2.0.0+")


async def test_parameters_are_taken_or_refused_with_the_reason(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        d.wanted[0] = msgspec.structs.replace(d.wanted[0], config={"size": 5})
        report = await d.reloading.reload("echo")
        assert (report.is_done, report.what) == (True, "parameters")
        await d.tick()
        await d.r.signals(1)
        assert d.r.live.signals.history[-1].size == 5.0
        with pytest.raises(ConfigError, match=r"strategies.echo.config.size: expected a number > 0"):
            await d.link.give_parameters({"size": -1})
        d.wanted[0] = msgspec.structs.replace(d.wanted[0], config={"size": -1})
        report = await d.reloading.reload("echo")
        assert (report.is_done, report.what) == (False, "parameters")
        assert report.reason.startswith("strategies.echo.config.size: expected a number > 0")
        # As an event, for those who cannot wait, the refusal comes as a fault.
        d.r.live.process(ReloadParameters("echo", {"size": -1}))
        await d.r.until(lambda: d.r.runtime().errors)
        await d.tick()
        await d.r.signals(2)
        assert d.r.live.signals.history[-1].size == 5.0


async def test_a_strategy_is_proved_before_it_is_loaded_into_a_process_of_its_own(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        other = StrategyConfig(id="other", plugin="other", isolation="process")
        (tmp_path / "other.py").write_text("raise RuntimeError('broken on purpose')\n")
        report = await d.reloading.load(other)
        assert not report.is_done
        assert report.message == "strategy other not loaded: other.py:1: import failed: RuntimeError: broken on purpose"
        assert d.r.live.engine.registry.find("other") is None
        (tmp_path / "other.py").write_text(d.file.read_text())
        report = await d.reloading.load(other)
        assert report.is_done, report.message
        await d.r.until(lambda: d.r.remotes.links["other"].is_connected)
        assert d.r.remotes.links["other"].describe()["pid"] != d.pid


async def test_a_running_strategy_is_not_moved_into_another_process_without_a_word(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        first = d.pid
        d.wanted[0] = StrategyConfig(id="echo", plugin="echo")
        with pytest.raises(EngineError, match='"echo" runs in a process of its own, and goes on there: isolation is'):
            await d.reloading.reload("echo")
        assert d.pid == first
        # As written by hand, `type: grpc` and `isolation: process` are the same.
        d.wanted[0] = StrategyConfig(id="echo", plugin="echo", isolation="process")
        assert (await d.reloading.reload("echo")).is_done


@pytest.mark.skipif(not IS_ENFORCED, reason="the kernel of this system limits no data of a process")
async def test_new_code_that_takes_too_much_memory_is_refused_by_its_proof(tmp_path: Path) -> None:
    async with desk(tmp_path, memory_mb=64) as d:
        first = d.pid
        d.file.write_text("kept = bytearray(100 << 20)\n" + d.file.read_text())
        report = await d.changed()
        assert not report.is_done
        assert report.reason == (
            "import failed: MemoryError: it needs more than the 64 MB that its process may take (memory_mb)"
        )
        assert d.pid == first


async def test_what_a_new_process_remembers_less_of_by_its_own_account_is_in_the_report(tmp_path: Path) -> None:
    async with desk(tmp_path, recent_ticks=5) as d:
        await d.tick(12)
        write_echo(tmp_path, "2.0.0")
        report = await d.changed()
        assert report.is_done
        assert report.lost == "BTC: calls had 12, has 5"
        assert report.message.endswith("; it remembers less than before: BTC: calls had 12, has 5")
