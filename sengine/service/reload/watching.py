"""Watches the folders of strategy files and of strategies' own configurations, and has what changed reloaded.

Editors write in many ways: in place, in pieces, under another name that is then moved. So a change only says where to
look. What counts is what is there after a moment of quiet; ``Reloading`` compares it with what runs.

Nobody tells of a change that is made before a watch stands. So once it does, and when a folder has come, files are
compared with what was last seen of them. Nor is anybody told that a link leads elsewhere, or of what it leads to. So in
quiet moments it is looked where the folders are, and at the files that the engine runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import structlog
from watchfiles import Change, awatch

from sengine.clock import NS_PER_S
from sengine.config.own_files import OWN_SUFFIX
from sengine.config.schema import PluginsConfig, StrategyConfig
from sengine.errors import SengineError
from sengine.plugins.catalog import as_named
from sengine.plugins.compiled import COMPILED_SUFFIXES, is_loadable, module_name
from sengine.service.reload.file_stamps import SeenFiles
from sengine.service.reload.strategies import Reloading

_CODE_SUFFIXES: Final = (".py", *COMPILED_SUFFIXES)
_LOOK_AGAIN_MS: Final = 250
_STEP_MS: Final = 20
_Place: TypeAlias = tuple[Path, int, int]
"""Where a folder is when links are followed, its device and its inode."""
_log = structlog.get_logger("sengine.service.reload")


class Watcher:
    """``run`` lives until it is cancelled and takes every change since the watcher was made. ``folders`` hold
    strategies; those that do not exist yet are waited for."""

    def __init__(self, reloading: Reloading, folders: Sequence[Path], settings: PluginsConfig) -> None:
        self._reloading = reloading
        self._folders = [as_named(folder.expanduser()) for folder in folders]
        self._configs = as_named(Path(settings.config_directory).expanduser())
        self._settings = settings
        self._leaving: dict[Path, asyncio.Task[None]] = {}
        self._not_loaded: set[Path] = set()
        self._seen = SeenFiles(self._existing(), _is_ours)
        self._said = ""

    async def run(self) -> None:
        """Watch the folders that there are; others as soon as one has come or gone."""
        try:
            while True:
                places = self._existing()
                try:
                    if places:
                        await self._watch(places)
                        continue
                # A folder has gone just now, or the system gives out no more watches.
                except (OSError, RuntimeError) as error:
                    self._say_once(f"files are looked at now and then instead of watched: {error}")
                files = await asyncio.to_thread(self._seen.differences, self._existing())
                await self._take(files | await self._changed_in_use())
                await asyncio.sleep(_LOOK_AGAIN_MS / 1000)
        finally:
            for task in self._leaving.values():
                task.cancel()

    def _existing(self) -> Mapping[Path, _Place]:
        """The folders that there are."""
        found = {}
        for folder in (*self._folders, self._configs):
            with contextlib.suppress(OSError):
                if folder.is_dir():
                    real = folder.resolve()
                    status = real.stat()
                    found[folder] = real, status.st_dev, status.st_ino
        return found

    async def _changed_in_use(self) -> set[Path]:
        """Files that the engine runs and that are not what was last seen of them, after a moment of quiet."""
        files = self._reloading.files()
        wanted = {self._configs / f"{strategy_id}{OWN_SUFFIX}" for strategy_id in files}.union(*files.values())
        changed = await asyncio.to_thread(self._seen.look_at, wanted)
        if changed:
            await asyncio.sleep(self._settings.debounce_ms / 1000)
            changed |= await asyncio.to_thread(self._seen.look_at, wanted)
        return changed

    def _say_once(self, sentence: str) -> None:
        if sentence != self._said:
            self._said = sentence
            _log.warning(sentence)

    async def _watch(self, places: Mapping[Path, _Place]) -> None:
        """Until there are other folders to watch. Raises ``OSError`` or ``RuntimeError`` where these cannot be."""
        folders = {real for real, _, _ in places.values()}

        def concerns_us(change: Change, path: str) -> bool:
            is_folder = change is not Change.modified and (os.path.isdir(path) or Path(path) in folders)
            return is_folder or _is_ours(os.path.basename(path))

        changes = awatch(
            *folders,
            watch_filter=concerns_us,
            debounce=max(self._settings.debounce_ms, 2 * _STEP_MS),
            step=_STEP_MS,
            rust_timeout=_LOOK_AGAIN_MS,
            yield_on_timeout=True,
        )
        must_look = True
        async with contextlib.aclosing(changes):
            # The first batch, empty after a timeout, says that the watch stands.
            async for batch in changes:
                paths = {Path(path) for _, path in batch}
                ours = {path for path in paths if _is_ours(path.name)}
                files = _named(ours, places)
                if must_look or ours != paths:
                    files |= await asyncio.to_thread(self._seen.differences, places.keys())
                    must_look = False
                elif files:
                    self._seen.look_at(files)
                else:
                    files = await self._changed_in_use()
                await self._take(files)
                if self._existing() != places or not paths.isdisjoint(folders):
                    return

    async def _take(self, files: set[Path]) -> None:
        if not files:
            return
        try:
            await self.process(files)
        # The watcher outlives whatever a file does to it.
        except Exception:
            _log.exception("a changed file could not be taken care of")

    async def process(self, paths: set[Path]) -> None:
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
            self._not_loaded -= gone
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

    async def _load_new(self, changed: set[Path]) -> None:
        """Load new strategies, and those that could not be loaded and may have waited for what has changed now."""
        waited = {path for path in self._not_loaded if any(path.parent in file.parents for file in changed)}
        for path in sorted(changed | waited):
            self._not_loaded.discard(path)
            if path.parent not in self._folders or not _is_strategy(path) or self._reloading.made_of(path):
                continue
            try:
                strategy = StrategyConfig(id=module_name(path), plugin=str(path))
                report = await self._reloading.load(strategy, "file", is_retry=path not in changed)
            except SengineError as error:
                _log.warning("a new strategy file was not loaded", path=str(path), reason=str(error))
                continue
            if not report.is_done:
                self._not_loaded.add(path)


def _named(paths: Iterable[Path], places: Mapping[Path, _Place]) -> set[Path]:
    """Files as they are reached from the folders' names, which may be links."""
    return {
        folder / path.relative_to(real)
        for path in paths
        for folder, (real, _, _) in places.items()
        if path.is_relative_to(real)
    }


def _is_ours(name: str) -> bool:
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
