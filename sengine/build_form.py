"""Which form of the engine runs: compiled from its source, or the source itself.

A compiled module stands beside its source as an extension, and Python imports the extension. ``SENGINE_PURE=1`` in the
environment chooses the source: for a debugger, for a profile by line, or to see whether a fault is the compiler's.
``sengine --version`` comes here before anything else is imported, so this module imports next to nothing.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec, PathFinder, SourceFileLoader
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

PURE_VARIABLE: Final = "SENGINE_PURE"
_PACKAGES: Final = ("sengine.", "replay.")


class _SourceFirst:
    """Finds the source of our modules where Python would find the extension beside it."""

    @staticmethod
    def find_spec(fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if not fullname.startswith(_PACKAGES):
            return None
        found = PathFinder.find_spec(fullname, path, target)
        if found is None or not isinstance(found.loader, ExtensionFileLoader) or found.origin is None:
            return None
        folder, name = os.path.split(found.origin)
        source = os.path.join(folder, name.split(".", 1)[0] + ".py")
        if not os.path.isfile(source):
            return None
        spec = ModuleSpec(fullname, SourceFileLoader(fullname, source), origin=source, is_package=False)
        spec.has_location = True
        return spec


def wants_source() -> bool:
    """Whether the environment asks for the source."""
    return os.environ.get(PURE_VARIABLE, "") not in ("", "0")


def prefer_source() -> None:
    """Import sources from now on, also where compiled modules stand beside them."""
    sys.meta_path.insert(0, _SourceFirst)


def form() -> str:
    """``compiled`` or ``pure Python``, found out without importing the engine."""
    core = os.path.join(os.path.dirname(__file__), "engine", "core")
    is_compiled = any(os.path.isfile(core + suffix) for suffix in EXTENSION_SUFFIXES) and not wants_source()
    return "compiled" if is_compiled else "pure Python"
