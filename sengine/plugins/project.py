"""The start of a project: a configuration, strategies to edit, a market to try them on, a test."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from string import Template
from typing import Final

from sengine.errors import DataError
from sengine.resources import resource_path

MARKET: Final = "market.csv"
_TEMPLATES: Final = {
    "sengine.yaml": ("project", "sengine.yaml"),
    "README.md": ("project", "README.md"),
    ".gitignore": ("project", "gitignore.txt"),
    "strategies/test_momentum.py": ("test_momentum.py.txt",),
}


def write_project(folder: Path, write_market: Callable[[Path], None]) -> Sequence[Path]:
    """Write a project into ``folder``, which is made when missing, and return its files. ``write_market`` writes the
    market's file.

    Raises ``DataError`` rather than overwrite a file, and before any is written.
    """
    project = re.sub("[^A-Za-z0-9_.-]", "-", folder.resolve().name) or "sengine"
    contents = {folder / name: _filled_in(parts, project) for name, parts in _TEMPLATES.items()}
    for example in sorted(resource_path("strategies").glob("[a-z]*.py")):
        contents[folder / "strategies" / example.name] = example.read_text("utf-8")
    market = folder / MARKET
    for path in (*contents, market):
        if path.exists():
            raise DataError(f"{path} exists already, and nothing is overwritten; name another folder, or move it away")
    try:
        for path, text in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    except OSError as error:
        raise DataError(f"{error.filename or folder}: cannot be written: {error.strerror}") from error
    write_market(market)
    return [*contents, market]


def _filled_in(parts: Sequence[str], name: str) -> str:
    return Template(resource_path("configs", "templates", *parts).read_text("utf-8")).safe_substitute(name=name)
