"""Strategies that were compiled to an extension module (mypyc, Cython), loaded anew each time they change.

The interpreter loads an extension once for each path, for good, and calls ``PyInit_NAME`` by the name it was compiled
under. So each load is of a copy under a fresh path, as the module that it was compiled as, and the module is then
known by a private name.
"""

from __future__ import annotations

import importlib.util
import itertools
import shutil
import sys
import tempfile
from collections.abc import Mapping
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from pathlib import Path
from types import ModuleType
from typing import Final

COMPILED_SUFFIXES: Final = (".so", ".pyd")
_numbers = itertools.count(1)


def module_name(path: Path) -> str:
    """The name that an extension was compiled under: its file's, up to the first dot."""
    return path.name.split(".", 1)[0]


def is_loadable(path: Path) -> bool:
    """Whether this interpreter can load it: a module of another version or another system cannot be."""
    return any(path.name == module_name(path) + suffix for suffix in EXTENSION_SUFFIXES)


class CompiledModule:
    """One load of an extension; like ``PrivateModules`` for a file of Python."""

    def __init__(self, path: Path, known: Mapping[Path, bytes]) -> None:
        self._path = path
        self._known = known
        self.sources: Mapping[Path, bytes] = {}
        self._private_name = ""

    def run_main(self) -> ModuleType:
        """Load it. Raises ``OSError`` and ``ImportError``, and what the module raises."""
        content = self._known[self._path] if self._path in self._known else self._path.read_bytes()
        self.sources = {self._path: content}
        name = module_name(self._path)
        before = sys.modules.get(name)
        aside = Path(tempfile.mkdtemp(prefix="sengine-compiled-"))
        try:
            copy = aside / self._path.name
            copy.write_bytes(content)
            loader = ExtensionFileLoader(name, str(copy))
            spec = importlib.util.spec_from_file_location(name, copy, loader=loader)
            assert spec is not None
            # While it runs it is known as what it was compiled as; mypyc looks itself up.
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            loader.exec_module(module)
        finally:
            if before is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = before
            # What is loaded stays loaded without its file.
            shutil.rmtree(aside, ignore_errors=True)
        self._rename(module, name)
        return module

    def _rename(self, module: ModuleType, name: str) -> None:
        """Its classes are found under a name of its own, where msgspec looks for what their annotations mean."""
        self._private_name = f"sengine_compiled_{next(_numbers)}_{name}"
        sys.modules[self._private_name] = module
        for value in list(vars(module).values()):
            if isinstance(value, type) and value.__module__ == name:
                try:
                    value.__module__ = self._private_name
                except TypeError:
                    continue

    def forget(self) -> None:
        """Whoever holds the module has it still; nobody finds it any more."""
        sys.modules.pop(self._private_name, None)
