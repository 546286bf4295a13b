"""What passed its proof and then misbehaves in the engine's own process: it is interrupted, or left behind."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest

from sengine.config.schema import StrategyConfig
from sengine.errors import PluginError
from sengine.service.reload.bounded_thread import run_aside
from tests.reloading.conftest import Desk, NewDesk

HERE = Path(__file__).resolve()


# A loop that a busy machine could not interrupt in time must not burn a core beside all later tests.
over = threading.Event()


@pytest.fixture(autouse=True)
def _nothing_goes_on() -> Iterator[None]:
    over.clear()
    yield
    over.set()


def loop_for_ever() -> None:
    while not over.is_set():
        time.monotonic()


def loop_and_catch() -> None:
    while not over.is_set():
        try:
            loop_for_ever()
        except BaseException:
            continue


def wait_for_ever() -> None:
    threading.Event().wait(3.0)


@pytest.mark.parametrize("hangs", [loop_for_ever, wait_for_ever])
async def test_work_that_does_not_return_is_left_and_located(hangs: Callable[[], None]) -> None:
    with pytest.raises(PluginError, match=rf"^{HERE}:\d+: did not return within 0.1 s"):
        await run_aside(hangs, 0.1, HERE)
    assert await run_aside(lambda: 1, 1.0, HERE) == 1


async def test_work_that_catches_everything_is_interrupted_again_and_again() -> None:
    began_s = monotonic()
    with pytest.raises(PluginError, match="did not return"):
        await run_aside(loop_and_catch, 0.1, HERE)
    assert monotonic() - began_s < 5.0


async def test_what_ends_a_process_is_told_like_anything_else() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(PluginError, match=rf"^{HERE}:\d+: KeyboardInterrupt$"):
        await run_aside(interrupt, 1.0, HERE)


async def test_an_error_is_put_into_words_where_it_was_raised_and_in_time() -> None:
    class EndlessError(Exception):
        def __str__(self) -> str:
            return str(wait_for_ever())

    def fail() -> None:
        raise EndlessError

    with pytest.raises(PluginError, match="did not return within"):
        await run_aside(fail, 0.1, HERE)


HERE_ONLY = f"import os, time\nIS_HERE = os.getpid() == {os.getpid()}\nNAME ="


async def test_an_import_that_hangs_in_the_engine_alone_does_not_block_the_next_reload(new_desk: NewDesk) -> None:
    desk = await new_desk(setup_timeout_ms=200.0)
    desk.tick(10)
    version = desk.version
    desk.edit("NAME =", HERE_ONLY.replace("\nNAME", "\nwhile IS_HERE: pass\nNAME"))
    report = await desk.reload()
    assert (report.is_done, report.where) == (False, f"{desk.file}:7")
    assert "did not return within 0.2 s" in report.reason
    assert desk.version == version
    desk.edit("while IS_HERE: pass", "pass")
    assert (await desk.reload()).is_done


@pytest.mark.parametrize("error", ["KeyboardInterrupt()", "SystemExit(1)", "type('Odd', (BaseException,), {})()"])
async def test_no_exception_of_new_code_gets_past_the_reload(desk: Desk, error: str) -> None:
    desk.tick(10)
    desk.edit("NAME =", HERE_ONLY)
    desk.edit("# more", f"if IS_HERE: raise {error}")
    report = await desk.reload()
    assert (report.is_done, report.where) == (False, f"{desk.file}:23")
    desk.edit(f"if IS_HERE: raise {error}", "pass")
    assert (await desk.reload()).is_done


async def test_a_warm_up_that_would_hold_up_the_engine_refuses_the_swap(new_desk: NewDesk) -> None:
    desk = await new_desk(warmup_ticks=100, rollback_ticks=10)
    desk.tick(200)
    version = desk.version
    desk.edit("NAME =", HERE_ONLY)
    desk.edit("# more", "if IS_HERE: time.sleep(0.001)")
    reload = asyncio.create_task(desk.reload())
    while not reload.done():
        desk.tick(100)
        await asyncio.sleep(0.001)
    assert not reload.result().is_done
    assert "takes longer than 50 ms (plugins.tick_timeout_ms) to see the ticks that have come" in reload.result().reason
    assert desk.version == version


async def test_a_strategy_loaded_later_is_proved_and_warmed_on_what_there_was(desk: Desk) -> None:
    desk.tick(30)
    desk.tick(30, "ETH")
    desk.write(desk.file.read_text().replace('"first"', '"late"'), "late.py")
    report = await desk.reloading.load(StrategyConfig(id="late", plugin="late"))
    assert report.is_done, report
    assert report.on_tick_p50_us > 0
    runtime = desk.live.engine.registry.get("late")
    assert runtime.is_active
    desk.tick(5)
    late = runtime.instances["BTC"]
    assert late.mids == [float(mid) for mid in (*range(2, 32), *range(62, 67))]  # type: ignore[attr-defined]
    assert len(runtime.instances["ETH"].mids) == 30  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [("# more", "raise KeyError('on a tick')", "on a tick"), ("# more", "sum(range(200_000))", "the budget is 500 us")],
)
async def test_a_strategy_that_fails_on_what_there_was_is_not_loaded(
    desk: Desk, old: str, new: str, words: str
) -> None:
    desk.tick(30)
    desk.write(desk.file.read_text().replace(old, new), "late.py")
    report = await desk.reloading.load(StrategyConfig(id="late", plugin="late"))
    assert not report.is_done
    assert words in report.reason
    assert desk.live.engine.registry.find("late") is None
