"""Watches the folders of strategy files and of strategies' own configurations, and has what changed reloaded.

Editors write in many ways: in place, in pieces, under another name that is then moved. So a change only says where to
look. What counts is what is there after a moment of quiet; ``Reloading`` compares it with what runs.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import structlog
from watchfiles import Change, awatch

from sengine.clock import NS_PER_S
from sengine.config.own_files import OWN_SUFFIX
from sengine.config.schema import PluginsConfig, StrategyConfig
from sengine.errors import SengineError
from sengine.plugins.compiled import COMPILED_SUFFIXES, is_loadable, module_name
from sengine.reloading.strategies import Reloading

_CODE_SUFFIXES: Final = (".py", *COMPILED_SUFFIXES)
_LOOK_AGAIN_S: Final = 1.0
_STEP_MS: Final = 20
_log = structlog.get_logger("sengine.reloading")


class Watcher:
    """``run`` lives until it is cancelled. ``folders`` hold strategies; those that do not exist yet are waited for."""

    def __init__(self, reloading: Reloading, folders: Sequence[Path], settings: PluginsConfig) -> None:
        self._reloading = reloading
        self._folders = [folder.expanduser().resolve() for folder in folders]
        self._configs = Path(settings.config_directory).expanduser().resolve()
        self._settings = settings
        self._leaving: dict[Path, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Watch, and look every second whether a folder has come or gone."""
        try:
            while True:
                existing = [folder for folder in (*self._folders, self._configs) if folder.is_dir()]
                changed = asyncio.Event()
                looking = asyncio.create_task(self._look(existing, changed), name="look-for-folders")
                try:
                    if existing:
                        await self._watch(existing, changed)
                    await changed.wait()
                finally:
                    looking.cancel()
        finally:
            for task in self._leaving.values():
                task.cancel()

    async def _watch(self, folders: Sequence[Path], stop: asyncio.Event) -> None:
        changes = awatch(
            *folders,
            watch_filter=_is_ours,
            debounce=max(self._settings.debounce_ms, 2 * _STEP_MS),
            step=_STEP_MS,
            stop_event=stop,
            rust_timeout=1000,
        )
        async with contextlib.aclosing(changes):
            async for batch in changes:
                try:
                    await self.take({Path(path) for _, path in batch})
                # The watcher outlives whatever a file does to it.
                except Exception:
                    _log.exception("a changed file could not be taken care of")

    async def _look(self, existing: Sequence[Path], changed: asyncio.Event) -> None:
        while [folder for folder in (*self._folders, self._configs) if folder.is_dir()] == existing:
            await asyncio.sleep(_LOOK_AGAIN_S)
        changed.set()

    async def take(self, paths: set[Path]) -> None:
        """Have reloaded, loaded and unloaded what these changed files ask for."""
        own = [path.stem for path in paths if path.suffix == OWN_SUFFIX and path.parent == self._configs]
        if own:
            await self._reloading.parameters_changed(own)
        code = {path for path in paths if path.suffix in _CODE_SUFFIXES}
        for path in code:
            leaving = self._leaving.pop(path, None)
            if leaving is not None:
                leaving.cancel()
        gone = {path for path in code if not path.is_file()}
        for path in gone:
            self._let_go(path)
        if code:
            await self._reloading.files_changed(code)
        if self._settings.load_new:
            await self._load_new(code - gone)

    def _let_go(self, path: Path) -> None:
        """Its strategies run on for ``unload_after``, or for good."""
        after_ns = self._settings.unload_after_ns
        strategies = self._reloading.made_of(path)
        if strategies and after_ns:
            self._leaving[path] = asyncio.create_task(self._unload(path, after_ns / NS_PER_S), name="unload")

    async def _unload(self, path: Path, after_s: float) -> None:
        await asyncio.sleep(after_s)
        del self._leaving[path]
        if path.is_file():  # back again, with its change still waiting to be taken
            return
        for strategy_id in self._reloading.made_of(path):
            self._reloading.unload(strategy_id, f"{path} is gone", "file")

    async def _load_new(self, paths: Iterable[Path]) -> None:
        for path in sorted(paths):
            if path.parent not in self._folders or not _is_strategy(path) or self._reloading.made_of(path):
                continue
            try:
                strategy = StrategyConfig(id=module_name(path), plugin=str(path))
                await self._reloading.load(strategy, "file")
            except SengineError as error:
                _log.warning("a new strategy file was not loaded", path=str(path), reason=str(error))


def _is_ours(_: Change, path: str) -> bool:
    name = path.rpartition("/")[2]
    return name.endswith((*_CODE_SUFFIXES, OWN_SUFFIX)) and not name.startswith((".", "#"))


def _is_strategy(path: Path) -> bool:
    """Whether it means to be one: helpers and tests have no ``create_strategy``."""
    if path.name.startswith(("_", "test_")) or path.name == "conftest.py":
        return False
    if path.suffix in COMPILED_SUFFIXES:
        return is_loadable(path)
    try:
        return b"def create_strategy" in path.read_bytes()
    except OSError:
        return False
