"""Which strategy files there are, and which one a name means."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from sengine.errors import PluginError
from sengine.plugins.compiled import is_loadable, module_name


class Catalog:
    """Plugin folders in order of precedence; the user's folder comes before the packaged examples."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self.folders: Sequence[Path] = tuple(dict.fromkeys(map(as_named, folders)))

    def files(self) -> dict[str, Path]:
        """Strategy files by stem; of equal stems the first folder's, and there the compiled one's. Tests and private
        files are left out."""
        found: dict[str, Path] = {}
        for folder in self.folders:
            if not folder.is_dir():
                continue
            for path in sorted(folder.iterdir(), key=_precedence):
                if (
                    (path.suffix == ".py" or is_loadable(path))
                    and not path.name.startswith(("_", ".", "test_"))
                    and path.name != "conftest.py"
                ):
                    found.setdefault(module_name(path), path)
        return found

    def find(self, name: str) -> Path:
        """The file that ``plugin: NAME`` means: a path, a file name or its stem, whatever its suffix says.

        Raises ``PluginError`` naming the folders searched and the nearest strategy.
        """
        if "/" in name or "\\" in name:
            path = Path(name).expanduser()
            if path.is_file():
                return as_named(path)
            raise PluginError(f'strategy file "{name}" does not exist')
        stem = name.split(".", 1)[0]
        files = self.files()
        if stem in files:
            return files[stem]
        near = difflib.get_close_matches(stem, files, n=1)
        hint = f'did you mean "{near[0]}"?' if near else f"there is: {', '.join(files) or 'none'}"
        folders = ", ".join(str(folder) for folder in self.folders)
        raise PluginError(f'no strategy "{name}" in {folders}; {hint}')


def as_named(path: Path) -> Path:
    """The absolute path without ``..``. Links in it stay, since what they lead to may change while the engine runs."""
    named = Path(os.path.abspath(path))
    # A step up from where a link leads to is another one than a step up from the link.
    return named if named.resolve() == path.resolve() else path.resolve()


def _precedence(path: Path) -> tuple[bool, str]:
    """A compiled file before the source beside it."""
    return path.suffix == ".py", path.name
