"""The files that running strategies are made of."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from sengine.adapters.remote.link import RemoteLink
from sengine.engine.strategies.runtime import StrategyRuntime


def files_of(runtime: StrategyRuntime, link: RemoteLink | None) -> Collection[Path]:
    """A strategy's own file and its helpers; none of what runs in a process that is not ours."""
    if link is not None:
        return {Path(runtime.spec.source), *link.sources} if link.is_ours else ()
    return runtime.spec.loaded_from.sources.keys() if runtime.spec.loaded_from is not None else ()


def is_made_of(runtime: StrategyRuntime, path: Path) -> bool:
    """Whether this is its own file, over whatever links their folders are reached."""
    loaded = runtime.spec.loaded_from
    return loaded is not None and _place(loaded.path) == _place(path)


def same_code(runtime: StrategyRuntime, path: Path) -> bool:
    """Whether the files that the running version was made of are as they were."""
    loaded = runtime.spec.loaded_from
    if loaded is None:
        return True
    try:
        return loaded.path == path and all(file.read_bytes() == content for file, content in loaded.sources.items())
    except OSError:
        return False


def content_of(path: Path) -> bytes | None:
    """What is in the file; ``None`` where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def _place(path: Path) -> Path:
    return path.parent.resolve() / path.name
