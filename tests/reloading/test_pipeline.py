"""New code for a running strategy: proved in a process of its own, swapped in between two ticks, or refused."""

from __future__ import annotations

import asyncio
import threading

import msgspec
import pytest

from sengine.adapters.containment.strategy_output import StrategyOutput, called_by, kept_by
from sengine.domain.events import PauseStrategy, ResumeStrategy, UnloadStrategy
from sengine.domain.strategy_line import KEPT
from sengine.engine.strategies.lifecycle import State
from tests.reloading.conftest import Desk, NewDesk


async def test_changed_code_takes_over_and_has_seen_every_tick_once(desk: Desk) -> None:
    desk.tick(100)
    old = desk.version
    desk.edit('"first"', '"second"')
    report = await desk.reload()
    assert report.is_done, report
    assert (report.old_version, report.new_version) == (old, desk.version)
    assert old != desk.version
    assert [step.name for step in report.steps] == [
        "state of the running version", "load", "parameters", "warm-up", "state", "canary", "prove",
        "warm up here", "swap",
    ]  # fmt: skip
    assert report.compared is not None
    assert (report.compared.ticks, report.compared.differ) == (100, 0)
    assert 0 < report.on_tick_p50_us <= report.on_tick_p99_us
    assert report.swap_pause_us > 0
    desk.tick(5)
    new = desk.running()
    assert (new.name, new.mids) == ("second", [float(mid) for mid in range(2, 107)])  # type: ignore[attr-defined]
    assert desk.said("strategy a reloaded: 1.0.0+")
    assert desk.facts.reloads.of("a") == (report,)


async def test_ticks_that_come_during_a_reload_reach_both_versions_in_order(desk: Desk) -> None:
    desk.tick(100)
    before = desk.running()
    desk.edit('"first"', '"second"')
    reload = asyncio.create_task(desk.reload())
    while not reload.done():
        desk.tick()
        await asyncio.sleep(0)
    assert reload.result().is_done
    desk.tick(5)
    new = desk.running()
    assert new is not before
    # Some of the last from when it was made, and everything since.
    assert new.mids == [float(mid) for mid in range(int(new.mids[0]), desk.step + 2)]  # type: ignore[attr-defined]
    assert len(new.mids) >= 100  # type: ignore[attr-defined]


async def test_ticks_that_outrun_any_warm_up_aside_are_shown_between_two_of_them(desk: Desk) -> None:
    desk.tick(1000)
    desk.edit('"first"', '"second"')
    reload = asyncio.create_task(desk.reload())
    while not reload.done():
        # In one turn of the loop, more than are kept.
        desk.tick(1200)
        await asyncio.sleep(0)
    assert reload.result().is_done, reload.result()
    desk.tick(5)
    new = desk.running()
    assert new.name == "second"  # type: ignore[attr-defined]
    assert new.mids == [float(mid) for mid in range(int(new.mids[0]), desk.step + 2)]  # type: ignore[attr-defined]
    assert len(new.mids) >= 500  # type: ignore[attr-defined]


async def test_signals_that_differ_are_counted_and_the_first_one_is_shown(desk: Desk) -> None:
    desk.edit("# more", 'if data.mid % 2: return Signal(direction="LONG", confidence=0.7)')
    assert (await desk.reload()).is_done
    desk.tick(50)
    desk.edit("0.7", "0.8")
    compared = (await desk.reload()).compared
    assert compared is not None
    assert (compared.ticks, compared.same, compared.differ) == (50, 25, 25)
    assert "LONG 1 (confidence 0.70) before, LONG 1 (confidence 0.80) now" in compared.first_difference.replace(
        "LONG 0", "LONG 1"
    )


STOPS = """
        if self.position == 0.0 and not hasattr(self, "asked"):
            self.asked = True
            return Signal(direction="LONG", confidence=0.7)
        entry = getattr(self, "entry", None)
        if entry is not None and data.mid > entry + 30:  # out
            return Signal(direction="CLOSE", confidence=1.0)"""
BY_FILL = "def on_fill(self, fill):\n        super().on_fill(fill)\n        self.entry = fill.price"
BY_STATE = (
    BY_FILL
    + """

    def export_state(self):
        return {"entry": self.entry}

    def import_state(self, state, version):
        self.entry = state["entry"]"""
)
AFTER_TICKS = BY_FILL.replace("fill.price", "fill.price + 0 * self.mids[-1]")


@pytest.mark.parametrize(
    ("learns", "differ", "held"),
    [
        (BY_FILL, 9, "holding 1 BTC at 2.5"),
        (BY_STATE, 9, "holding 1 BTC at 2.5"),
        # Its on_fill needs a tick before, so nobody can tell it what it paid before the ticks.
        (AFTER_TICKS, 0, "holding 1 BTC at 2.5, entry prices left out"),
    ],
    ids=["on_fill", "export_state", "on_fill after ticks"],
)
async def test_a_stop_that_depends_on_the_entry_price_is_compared_by_what_it_does(
    desk: Desk, learns: str, differ: int, held: str
) -> None:
    desk.edit("# more", STOPS)
    desk.add_method(learns)
    assert (await desk.reload()).is_done
    desk.tick(30)
    assert [each.quantity for each in desk.live.engine.portfolio.positions()] == [1.0]
    desk.edit("entry + 30:", "entry + 20:")
    report = await desk.reload()
    assert report.compared is not None
    assert (report.compared.differ, report.compared.held) == (differ, held)
    assert f"; {30 - differ} of 30 recent ticks answered as before, {held}; swapped in" in report.message
    if differ:
        assert "nothing before, CLOSE" in report.compared.first_difference


async def test_nothing_changed_is_no_swap(desk: Desk) -> None:
    desk.tick(10)
    before = desk.running()
    report = await desk.reload()
    assert (report.what, report.message) == ("parameters", "strategy a reloaded; no parameter changed")
    assert desk.running() is before


FAULTS = {
    "a syntax error": ("import", "def broken(:\nimport", ":2", "syntax error"),
    "an import error": ("from sengine", "import no_such_module_anywhere\nfrom sengine", ":2", "anywhere"),
    "a file cut short": ("def create_strategy():", "def create_str", ":", "syntax error"),
    "no create_strategy": ("create_strategy", "make_strategy", "", "expected a function create_strategy()"),
    "a changed signature": ("def on_tick(self, data)", "def on_tick(self)", ":19", "takes 1 positional argument but 2"),
    "sys.exit at import": ("NAME =", "import sys; sys.exit(3)\nNAME =", ":5", "SystemExit: 3"),
    "sys.exit on a tick": ("# more", "raise SystemExit(1)", ":21", "SystemExit"),
    "os._exit at import": ("NAME =", "import os; os._exit(3)\nNAME =", "", "ended its process with exit code 3"),
    "a crash": ("# more", "import ctypes; ctypes.string_at(0)", ":21", "crashed the interpreter (SIGSEGV)"),
    "a thread at import": (
        "NAME =",
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\nNAME =",
        ":6", "started the thread",
    ),
    "a bare thread at import": (
        "NAME =",
        "import _thread, time\n_thread.start_new_thread(time.sleep, (60,))\nNAME =",
        ":6", 'started the thread "sleep"',
    ),
    "a signal that is none": ("# more", 'return Signal(direction="UP", confidence=0.7)', ":19", "direction must be"),
    "parameters refused": ("self.size =", "raise ValueError('no such size')\n        self.size =", ":17", "no such"),
    "too slow": ("# more", "sum(range(200_000))", "", "the budget is 500 us"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("is_paused", [False, True], ids=["active", "paused"])
async def test_what_is_no_good_is_refused_with_its_place_and_the_old_version_runs_on(
    desk: Desk, fault: str, is_paused: bool
) -> None:
    desk.tick(40)
    if is_paused:
        desk.live.process(PauseStrategy("a"))
    version, running = desk.version, desk.running()
    old, new, line, words = FAULTS[fault]
    desk.edit(old, new)
    report = await desk.reload()
    assert not report.is_done
    assert words in report.reason
    assert report.where.startswith(f"{desk.file}{line}")
    assert not report.steps[-1].is_done
    assert (desk.version, desk.running()) == (version, running)
    assert desk.live.engine.registry.get("a").lifecycle.state is (State.PAUSED if is_paused else State.ACTIVE)
    desk.tick()
    assert len(running.mids) == (40 if is_paused else 41)  # type: ignore[attr-defined]
    assert desk.said("not reloaded")
    assert not any(thread.name.startswith("Thread-") for thread in threading.enumerate())


@pytest.mark.parametrize("place", ["at import", "on a tick"])
async def test_an_endless_loop_is_ended_and_located(new_desk: NewDesk, place: str) -> None:
    desk = await new_desk(proof_timeout_ms=500.0)
    desk.tick(10)
    line = 5 if place == "at import" else 21
    if place == "at import":
        desk.edit("NAME =", "while True: pass\nNAME =")
    else:
        desk.edit("# more", "while True: pass")
    report = await desk.reload()
    assert not report.is_done
    assert "did not return within 0.5 s" in report.reason
    assert report.where == f"{desk.file}:{line}"
    desk.write(desk.file.read_text().replace("while True: pass", "x = 1"))
    assert (await desk.reload()).is_done


async def test_a_paused_strategy_is_reloaded_and_stays_paused(desk: Desk) -> None:
    desk.tick(10)
    desk.live.process(PauseStrategy("a"))
    desk.edit('"first"', '"second"')
    assert (await desk.reload()).is_done
    runtime = desk.live.engine.registry.get("a")
    assert (runtime.lifecycle.state, runtime.pause_reason) == (State.PAUSED, "operator")
    assert desk.running().name == "second"  # type: ignore[attr-defined]


async def test_declared_state_is_carried_over_with_its_version(desk: Desk) -> None:
    desk.edit("# more", "self.count = getattr(self, 'count', 0) + 1")
    desk.edit(
        "    def initialize", "    def export_state(self):\n        return {'count': self.count}\n\n    def initialize"
    )
    assert (await desk.reload()).is_done
    desk.tick(7)
    desk.running().count = 41  # type: ignore[attr-defined]
    desk.add_method("def import_state(self, state, version):\n        self.count, self.got = state['count'], version")
    desk.add_method("state_version = 2")
    report = await desk.reload()
    assert report.is_done, report
    assert (desk.running().count, desk.running().got) == (41, 1)  # type: ignore[attr-defined]


async def test_state_that_is_refused_leaves_the_old_version(desk: Desk) -> None:
    desk.add_method("def export_state(self):\n        return {'count': 1}")
    assert (await desk.reload()).is_done
    desk.tick(3)
    version = desk.version
    desk.add_method("def import_state(self, state, version):\n        1 / 0")
    report = await desk.reload()
    assert (report.is_done, report.reason) == (False, "ZeroDivisionError: division by zero")
    assert [step.name for step in report.steps if not step.is_done] == ["state"]
    assert desk.version == version


async def test_a_running_version_that_cannot_give_its_state_is_named_with_what_to_do(desk: Desk) -> None:
    """The line is not in the file any more, so the sentence says whose it is."""
    desk.add_method("def export_state(self):\n        raise ValueError('no state')")
    assert (await desk.reload()).is_done
    desk.tick(2)
    desk.edit("raise ValueError('no state')", "return None")
    report = await desk.reload()
    assert not report.is_done
    assert report.reason.startswith("the version that runs cannot give its state (ValueError: no state)")
    assert "unload the strategy and load it again" in report.reason


async def test_a_reload_renews_a_strategy_that_was_paused_for_its_errors(desk: Desk) -> None:
    """What an error ended half-way is not gone on with; the same code is proved and put in place like new."""
    desk.edit("# more", "if getattr(self, 'half_done', False): raise ValueError('half done')")
    assert (await desk.reload()).is_done
    desk.tick(150)  # beyond its trial
    before = desk.running()
    before.half_done = True  # type: ignore[attr-defined]
    desk.tick(20)
    runtime = desk.live.engine.registry.get("a")
    assert (runtime.lifecycle.state, runtime.was_paused_for_errors) == (State.PAUSED, True)
    assert (await desk.reload()).is_done
    assert desk.running() is not before
    desk.live.process(ResumeStrategy("a"))
    errors = sum(runtime.errors.values())
    desk.tick(5)
    assert runtime.lifecycle.state is State.ACTIVE
    assert sum(runtime.errors.values()) == errors


async def test_position_is_carried_and_fills_go_on(desk: Desk) -> None:
    desk.edit("# more", 'if self.position < 3: return Signal(direction="LONG", confidence=0.9, size=self.size)')
    assert (await desk.reload()).is_done
    desk.tick(2)
    assert desk.running().position == 2.0
    desk.edit("1.0.0", "1.0.1")
    assert (await desk.reload()).is_done
    assert desk.running().position == 2.0
    desk.tick(5)
    assert desk.running().position == 3.0
    assert [each.quantity for each in desk.live.engine.portfolio.positions()] == [3.0]


async def test_a_version_that_fails_early_is_rolled_back(desk: Desk) -> None:
    desk.tick(10)
    version, old = desk.version, desk.running()
    desk.edit("# more", "if data.mid > 15: raise RuntimeError('too high')")
    assert (await desk.reload()).is_done
    desk.tick(10)
    assert (desk.version, desk.running()) == (version, old)
    assert old.mids == [float(mid) for mid in range(2, 22)]  # type: ignore[attr-defined]
    last = desk.facts.reloads.of("a")[-1]
    assert (last.what, last.new_version, last.where) == ("rollback", version, f"{desk.file}:21")
    assert desk.said("rolled back to 1.0.0+")


async def test_a_helper_is_proved_and_loaded_from_the_same_contents(desk: Desk) -> None:
    desk.write("NAME = 'helped'\n", "names.py")
    desk.edit('NAME = "first"', "from names import NAME")
    desk.tick(3)
    assert (await desk.reload()).is_done
    assert desk.running().name == "helped"  # type: ignore[attr-defined]
    desk.write("NAME = 'helped again'\n", "names.py")
    assert (await desk.reload()).is_done
    assert desk.running().name == "helped again"  # type: ignore[attr-defined]


async def test_other_symbols_and_routes_of_the_configuration_take_effect(desk: Desk) -> None:
    desk.tick(3)
    desk.strategies = [msgspec.structs.replace(desk.strategies[0], symbols=["ETH"], route="direct")]
    assert (await desk.reload()).is_done
    runtime = desk.live.engine.registry.get("a")
    assert (runtime.spec.symbols, runtime.is_direct) == (("ETH",), True)
    desk.tick(2, "ETH")
    assert len(desk.running("ETH").mids) == 2  # type: ignore[attr-defined]


async def test_the_prover_is_started_again_when_it_was_killed(desk: Desk) -> None:
    desk.tick(3)
    desk.edit('"first"', '"second"')
    assert (await desk.reload()).is_done
    process = desk.reloading._prover._process
    assert process is not None
    process.kill()
    await process.wait()
    desk.edit('"second"', '"third"')
    assert (await desk.reload()).is_done


async def test_what_new_code_prints_is_told_once_from_its_proof_and_then_as_it_runs(desk: Desk) -> None:
    desk.tick(3)
    desk.edit("# more", "print('saw', data.mid)")
    engine = desk.live.engine
    with StrategyOutput(called_by(engine.guard), lambda: engine.now_ns, desk.live.said.append):
        assert (await desk.reload()).is_done
        desk.tick()
    desk.live.tell_said()
    told = [line for line in desk.live.logs.history if line.fields.get("said_by") == "strategy"]
    assert [(line.event, line.fields.get("during")) for line in told] == [
        ("saw 2.0", "proof"),
        ("saw 3.0", "proof"),
        ("saw 4.0", "proof"),
        ("saw 5.0", None),
    ]
    assert {line.fields["strategy_id"] for line in told} == {"a"}


async def test_what_the_version_kept_for_a_rollback_prints_is_told_as_its_own(new_desk: NewDesk) -> None:
    desk = await new_desk(rollback_ticks=5)
    desk.tick()
    desk.edit("# more", "if self.position == 0.0: return Signal(direction='LONG', confidence=0.7)")
    desk.add_method("def on_fill(self, fill):\n        super().on_fill(fill)\n        print(NAME, 'bought')")
    desk.add_method("def shutdown(self):\n        print(NAME, 'ends')")
    assert (await desk.reload()).is_done
    desk.edit('"first"', '"second"')
    engine = desk.live.engine
    with StrategyOutput(
        called_by(engine.guard), lambda: engine.now_ns, desk.live.said.append, during=kept_by(engine.guard)
    ):
        assert (await desk.reload()).is_done
        desk.tick(6)
        desk.live.process(UnloadStrategy("a"))
    desk.live.tell_said()
    told = [line for line in desk.live.logs.history if line.fields.get("said_by") == "strategy"]
    assert [(line.event, line.fields.get("during", "")) for line in told if "bought" in line.event] == [
        ("first bought", KEPT),
        ("second bought", ""),
    ]
    assert ("first ends", KEPT) in [(line.event, line.fields.get("during", "")) for line in told]


async def test_a_window_that_the_warm_up_cannot_fill_is_named_in_report_step_message_and_log(new_desk: NewDesk) -> None:
    desk = await new_desk(warmup_ticks=20)
    desk.tick(100)
    desk.edit('"first"', '"second"')
    report = await desk.reload()
    assert report.is_done
    assert report.lost == "BTC: mids had 100, has 20"
    assert report.message.endswith("; it remembers less than before: BTC: mids had 100, has 20")
    assert report.steps[-1].note == "remembers less than before: BTC: mids had 100, has 20"
    assert [line.level for line in desk.live.logs.history if "remembers less" in line.event] == ["warning"]


async def test_what_export_state_carries_over_is_not_lost(new_desk: NewDesk) -> None:
    desk = await new_desk(warmup_ticks=20)
    desk.add_method("def export_state(self): return {'mids': self.mids}")
    desk.add_method("def import_state(self, state, version): self.mids = list(state['mids'])")
    assert (await desk.reload()).is_done
    desk.tick(100)
    desk.edit('"first"', '"second"')
    report = await desk.reload()
    assert (report.is_done, report.lost) == (True, "")
    assert "remembers" not in report.message
