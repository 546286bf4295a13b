"""Code of strategies run in a thread beside the engine's loop: for a limited time, and without keeping the interpreter.

A thread that does not come back is not waited for: neither the next reload nor the end of the process hangs on it.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import Any, Final, TypeVar

from sengine.adapters.containment.strategy_output import unheard
from sengine.engine.strategies.faults import describe_error
from sengine.engine.strategies.guard import StrategyTimeout
from sengine.errors import PluginError, SengineError
from sengine.plugins.loader import locate

T = TypeVar("T")
# How long the thread may keep the interpreter from the loop; Python's own default is ten times that.
_SWITCH_S: Final = 0.0005
_INTERRUPT_EVERY_S: Final = 0.001
_INTERRUPT_FOR_S: Final = 0.5


async def run_aside(work: Callable[[], T], timeout_s: float, path: Path) -> T:
    """What ``work`` returns or raises. When it takes longer, ``StrategyTimeout`` is raised in it, and ``PluginError``
    here, which says at what line of the strategy in ``path`` it was."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()

    def settle(result: Any, error: BaseException | None) -> None:
        if not outcome.done():
            outcome.set_result((result, error))

    def run() -> None:
        # An interruption that comes late must not be shown as a thread that died.
        with suppress(StrategyTimeout, RuntimeError):
            result, error = None, None
            try:
                # The proof, in another process, has told what it prints on the same ticks.
                with unheard():
                    result = work()
            except BaseException as raised:
                # Showing it runs its author's code, which is to happen here and in time.
                error = raised if issubclass(type(raised), SengineError) else _in_words(raised, path)
            loop.call_soon_threadsafe(settle, result, error)

    thread = Thread(target=run, name="reload", daemon=True)
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    try:
        thread.start()
        await asyncio.wait((outcome,), timeout=timeout_s)
        if not outcome.done():
            place = _place(thread, path)
            await _interrupt(thread)
            left = "; it cannot be interrupted and goes on in a thread of its own" if thread.is_alive() else ""
            raise PluginError(f"{place}: did not return within {timeout_s:g} s{left}")
    finally:
        sys.setswitchinterval(before)
    result, error = outcome.result()
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]


def _in_words(error: BaseException, path: Path) -> PluginError:
    return PluginError(f"{locate(error, path)}: {describe_error(error)}")


async def _interrupt(thread: Thread) -> None:
    """Raise in the thread, and again where it catches that, until it ends or that has no effect."""
    end_s = monotonic() + _INTERRUPT_FOR_S
    while thread.is_alive() and monotonic() < end_s:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(StrategyTimeout))
        await asyncio.sleep(_INTERRUPT_EVERY_S)


def _place(thread: Thread, path: Path) -> str:
    """The innermost line of the strategy's folder that the thread is at, else the strategy's file."""
    frame = sys._current_frames().get(thread.ident or 0)
    while frame is not None and not frame.f_code.co_filename.startswith(f"{path.parent}{os.sep}"):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else str(path)
