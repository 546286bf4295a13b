"""Threads that a strategy starts while it is proved, and where it starts them."""

from __future__ import annotations

import _thread
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sengine.errors import PluginError


class StartedThreads:
    """Of the strategy at ``path``, from ``watched`` on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inside = f"{path.parent}{os.sep}"
        self._before = set(threading.enumerate())
        self._bare: list[str] = []
        self._places: list[str] = []

    def check(self) -> None:
        """Raises ``PluginError`` where one is alive."""
        names = [thread.name for thread in threading.enumerate() if thread not in self._before] + self._bare
        if names:
            place = self._places[0] if self._places else str(self._path)
            raise PluginError(
                f'{place}: started the thread "{names[0]}", which would run on beside the next version; a strategy is '
                "called by the engine and starts no threads"
            )

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Take note of threads that are started meanwhile."""
        start, start_bare = threading.Thread.start, _thread.start_new_thread

        def noted(thread: threading.Thread) -> None:
            self._note_place()
            start(thread)

        # ``threading`` knows nothing of these, and how many the interpreter counts is late by a moment.
        def noted_bare(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any] = {}) -> int:
            name = getattr(function, "__name__", repr(function))

            def run() -> None:
                try:
                    function(*args, **kwargs)
                finally:
                    self._bare.remove(name)

            self._note_place()
            self._bare.append(name)
            return start_bare(run, ())

        threading.Thread.start = noted  # type: ignore[assignment,method-assign]
        _thread.start_new_thread = noted_bare
        try:
            yield
        finally:
            threading.Thread.start = start  # type: ignore[method-assign]
            _thread.start_new_thread = start_bare

    def _note_place(self) -> None:
        """The innermost line of the strategy's folder that is being run, as ``file:line``."""
        frame: Any = sys._getframe(2)
        while frame is not None and not frame.f_code.co_filename.startswith(self._inside):
            frame = frame.f_back
        if frame is not None:
            self._places.append(f"{frame.f_code.co_filename}:{frame.f_lineno}")
