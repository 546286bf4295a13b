"""New code in a process of its own that fails on its first live ticks: the process before it is used again."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import msgspec
import pytest

from sengine.domain.events import ReloadParameters, UnloadStrategy
from sengine.domain.strategy_line import KEPT
from tests.adapters.remote_parts import ECHO, book, is_alive, write_echo
from tests.reloading.remote_desk import Desk, desk

pytestmark = pytest.mark.skipif(not Path("/proc").exists(), reason="looks at processes in /proc")

HIGH = 300.0
"""A price that no tick has had on which new code was proved and warmed up."""
RAISES = ECHO.replace("data.mid > 9000", "data.mid > 200")
ON_TICK = "            self.calls += 1\n"
ON_FILL = """
        def on_fill(self, fill):
            super().on_fill(fill)
            if fill.price > 200:
                raise RuntimeError("too dear")

        def get_state(self):"""


def returns(what: str) -> str:
    return ECHO.replace(ON_TICK, ON_TICK + f"            if data.mid > 200: return {what}\n")


async def on_trial(d: Desk, version: str = "2.0.0", code: str = RAISES) -> tuple[int, int]:
    """Ten ticks for the version that runs, then new code on trial; the pids of both."""
    await d.tick(10)
    before = d.pid
    write_echo(d.file.parent, version, code)
    report = await d.changed()
    assert report.is_done, report.message
    assert d.trial["before_pid"] == before != d.pid
    assert is_alive(before)
    return before, d.pid


async def rolled_back(d: Desk) -> None:
    await d.r.until(lambda: d.report.what == "rollback")


@pytest.mark.parametrize(
    ("code", "kind", "reason", "signals"),
    [
        (RAISES, "exception", "ValueError: too high: 300.0", 13),
        (returns("'up'"), "bad_return", "got str", 13),
        (
            returns("Signal(direction='UP', confidence=1.0)"),
            "invalid_signal",
            "direction must be LONG, SHORT or CLOSE, got 'UP'",
            13,
        ),
        # The signal that led to the fill stays.
        (ECHO.replace("\n        def get_state(self):", ON_FILL), "exception", "RuntimeError: too dear", 14),
    ],
    ids=["raises", "returns_nonsense", "invalid_signal", "raises_in_on_fill"],
)
async def test_new_code_that_fails_on_a_live_tick_gives_way_to_the_process_before(
    tmp_path: Path, code: str, kind: str, reason: str, signals: int
) -> None:
    async with desk(tmp_path, recent_ticks=50, rollback_ticks=20) as d:
        before, failed = await on_trial(d, code=code)
        version, new_version = d.trial["before"], d.r.runtime().spec.version
        await d.tick(3)
        await d.r.signals(13)
        assert d.r.live.signals.history[-1].version == new_version
        await d.tick(1, mid=HIGH)
        await rolled_back(d)

        assert (d.pid, d.r.runtime().spec.version) == (before, version)
        assert (d.report.is_done, d.report.old_version, d.report.new_version) == (True, new_version, version)
        assert f"strategy echo rolled back to {version}: {new_version} failed after 4 ticks: " in d.report.message
        assert reason in d.report.message
        assert d.report.where.startswith(f"{d.file}:" if kind == "exception" else "")
        assert any(line.event == d.report.message for line in d.r.said)
        runtime = d.r.runtime()
        assert (runtime.errors, runtime.is_active, len(runtime.fault_times_ns)) == ({kind: 1}, True, 0)
        assert d.link.restarts == 0
        await d.r.until(lambda: not is_alive(failed))

        # It has seen all that came meanwhile, and goes on with what it knew.
        await d.tick(2)
        await d.r.signals(signals + 2)
        assert d.r.live.signals.history[-1].version == version
        await d.r.until(lambda: d.state.get("calls") == 16)
        await d.r.until(lambda: d.state.get("position") == float(signals + 2))
        assert d.r.live.engine.signals_generated == signals + 2
        assert runtime.errors == {kind: 1}


async def test_the_parameters_from_before_are_in_force_again(tmp_path: Path) -> None:
    async with desk(tmp_path, recent_ticks=50, rollback_ticks=20, size=2.0) as d:
        await d.tick(3)
        write_echo(tmp_path, "2.0.0", RAISES)
        d.wanted[0] = msgspec.structs.replace(d.wanted[0], config={"size": 5.0})
        assert (await d.reloading.reload("echo")).is_done
        await d.tick()
        await d.r.signals(4)
        assert (d.r.live.signals.history[-1].size, d.r.runtime().config["size"]) == (5.0, 5.0)
        content = d.link.sources[d.file]
        await d.tick(1, mid=HIGH)
        await rolled_back(d)
        assert (d.link.proxy.config, d.r.runtime().config["size"]) == ({"size": 2.0}, 2.0)
        assert d.link.sources[d.file] != content
        await d.tick()
        await d.r.signals(5)
        assert d.r.live.signals.history[-1].size == 2.0


async def test_a_process_that_is_killed_on_trial_gives_way_to_the_one_before(tmp_path: Path) -> None:
    async with desk(tmp_path, recent_ticks=50, rollback_ticks=20) as d:
        before, killed = await on_trial(d)
        version = d.trial["before"]
        await d.tick(2)
        await d.r.signals(12)
        os.kill(killed, signal.SIGKILL)
        await rolled_back(d)
        assert (d.pid, d.r.runtime().spec.version) == (before, version)
        assert "failed after 2 ticks: its process was ended by signal 9" in d.report.message
        assert (d.r.runtime().errors, d.r.runtime().is_active) == ({"disconnected": 1}, True)
        assert (d.link.restarts, d.link.missed_ticks) == (0, 0)
        await d.tick(2)
        await d.r.signals(14)
        await d.r.until(lambda: d.state.get("calls") == 14)


TELLS = ECHO.replace(
    "        def get_state(self):",
    """        def shutdown(self):
            open("FOLDER/ended-{version}", "w").close()

        def get_state(self):""",
)


async def test_a_trial_that_ends_well_ends_the_process_before(tmp_path: Path) -> None:
    tells = TELLS.replace("FOLDER", str(tmp_path))
    async with desk(tmp_path, recent_ticks=50, code=tells, rollback_ticks=5) as d:
        before, fresh = await on_trial(d)
        await d.tick(4)
        assert d.trial["answered"] == 4
        assert is_alive(before)
        await d.tick(1)
        await d.r.until(lambda: not d.trial)
        await d.r.until(lambda: not is_alive(before))
        assert (tmp_path / "ended-1.0.0").exists()
        # From here on an error is one like any other.
        await d.tick(1, mid=HIGH)
        await d.r.until(lambda: d.r.runtime().errors == {"exception": 1})
        await d.tick(1)
        await d.r.signals(16)
        assert (d.pid, d.report.what, len(d.r.runtime().fault_times_ns)) == (fresh, "code", 1)


async def test_the_end_of_the_engine_or_of_the_strategy_leaves_no_process(tmp_path: Path) -> None:
    async with desk(tmp_path, recent_ticks=50, rollback_ticks=20) as d:
        before, fresh = await on_trial(d)
        await d.r.remotes.stop()
        assert not is_alive(before)
        assert not is_alive(fresh)
    async with desk(tmp_path, recent_ticks=50, rollback_ticks=20) as d:
        before, fresh = await on_trial(d, "3.0.0")
        d.r.live.process(UnloadStrategy("echo"))
        # What is said in between is nobody's any more.
        d.r.live.process(book(d.step + 1, HIGH))
        await d.r.until(lambda: not is_alive(before) and not is_alive(fresh))
        assert d.r.remotes.links == {}


async def test_a_reload_on_trial_has_the_version_on_trial_to_go_back_to(tmp_path: Path) -> None:
    async with desk(tmp_path, recent_ticks=50, rollback_ticks=20) as d:
        first, second = await on_trial(d)
        d.file.write_text("raise RuntimeError('broken on purpose')\n")
        assert not (await d.changed()).is_done
        # What fails changes nothing, the trial included.
        assert d.trial["before_pid"] == first
        version = d.r.runtime().spec.version
        await d.tick(2)
        write_echo(tmp_path, "3.0.0")
        assert (await d.changed()).is_done
        third = d.pid
        assert d.trial["before_pid"] == second
        await d.r.until(lambda: not is_alive(first))
        # The second has answered as many as a trial takes by now; the third has not.
        await d.tick(18)
        assert d.trial["answered"] == 18
        os.kill(third, signal.SIGKILL)
        await rolled_back(d)
        assert (d.pid, d.r.runtime().spec.version, d.trial) == (second, version, {})
        await d.tick(2)
        await d.r.signals(32)
        assert d.link.restarts == 0


async def test_without_the_process_before_there_is_no_way_back(tmp_path: Path) -> None:
    async with desk(tmp_path, recent_ticks=50, rollback_ticks=20) as d:
        before, fresh = await on_trial(d)
        os.kill(before, signal.SIGKILL)
        await d.r.until(lambda: any("cannot come back" in line.event for line in d.r.said))
        await d.r.until(lambda: not d.trial)
        await d.tick(1, mid=HIGH)
        await d.r.until(lambda: d.r.runtime().errors == {"exception": 1})
        assert (d.pid, d.report.what) == (fresh, "code")
        # The process in use is looked after as always.
        os.kill(fresh, signal.SIGKILL)
        await d.r.until(lambda: d.link.restarts == 1)
        await d.r.until(lambda: d.link.is_connected)


async def test_who_gives_new_parameters_keeps_the_version_on_trial(tmp_path: Path) -> None:
    async with desk(tmp_path, recent_ticks=50, rollback_ticks=20) as d:
        before, fresh = await on_trial(d)
        d.r.live.process(ReloadParameters("echo", {"size": 3.0}))
        await d.r.until(lambda: not is_alive(before))
        assert (d.pid, d.trial) == (fresh, {})
        await d.tick()
        await d.r.signals(11)
        assert d.r.live.signals.history[-1].size == 3.0


async def test_no_tick_is_answered_by_both_versions(tmp_path: Path) -> None:
    async with desk(tmp_path, recent_ticks=50, rollback_ticks=20) as d:
        before, _ = await on_trial(d)
        os.kill(before, signal.SIGSTOP)
        await d.tick(3)
        await d.r.signals(13)
        d.step += 1
        d.r.live.process(book(d.step, HIGH))
        await rolled_back(d)
        os.kill(before, signal.SIGCONT)
        await d.tick(1)
        await d.r.signals(14)
        await d.r.until(lambda: d.state.get("calls") == 15)
        assert d.r.live.engine.signals_generated == 14


async def test_without_a_trial_the_process_before_is_ended_at_once(tmp_path: Path) -> None:
    async with desk(tmp_path, recent_ticks=50) as d:
        await d.tick(10)
        before = d.pid
        write_echo(tmp_path, "2.0.0", RAISES)
        assert (await d.changed()).is_done
        assert d.trial == {}
        await d.r.until(lambda: not is_alive(before))
        await d.tick(1, mid=HIGH)
        await d.r.until(lambda: d.r.runtime().errors == {"exception": 1})
        assert d.r.runtime().spec.version.startswith("2.0.0+")


async def test_what_the_process_before_prints_while_it_waits_is_told_as_its_own(tmp_path: Path) -> None:
    async with desk(tmp_path, recent_ticks=50, rollback_ticks=20) as d:
        write_echo(d.file.parent, "1.5.0", ECHO.replace(ON_TICK, ON_TICK + "            print('old', data.mid)\n"))
        assert (await d.changed()).is_done
        await on_trial(d, code=ECHO.replace(ON_TICK, ON_TICK + "            print('new', data.mid)\n"))
        await d.tick(1, mid=150.0)

        def told(text: str) -> set[str]:
            return {line.fields.get("during", "") for line in d.r.live.logs.history if line.event == text}

        await d.r.until(lambda: told("old 150.0") and told("new 150.0"))
        assert (told("old 150.0"), told("new 150.0")) == ({KEPT}, {""})
