"""Which form of the engine runs: compiled from its source, or the source itself.

A compiled module stands beside its source as an extension, and Python imports the extension. ``SENGINE_PURE=1`` in the
environment chooses the source: for a debugger, for a profile by line, or to see whether a fault is the compiler's. In a
checkout whose source was edited after `make fast` the source runs too: what runs is always what is written.
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
_HERE: Final = os.path.dirname(os.path.abspath(__file__))


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


def choose() -> None:
    """Have sources imported from now on where they are to run although compiled modules stand beside them."""
    if _wants_source() or (_library() and _is_edited()):
        sys.meta_path.insert(0, _SourceFirst)


def form() -> str:
    """``compiled`` or ``pure Python``, found out without importing the engine."""
    if _SourceFirst not in sys.meta_path and _library():
        return "compiled"
    edited = bool(_library()) and not _wants_source()
    return "pure Python; its source is newer than what `make fast` compiled" if edited else "pure Python"


def _wants_source() -> bool:
    """Whether the environment asks for the source, and it is there: the executable has none."""
    is_there = os.path.isfile(os.path.join(_HERE, "engine", "core.py"))
    return is_there and os.environ.get(PURE_VARIABLE, "") not in ("", "0")


def _library() -> str:
    """The compiled code's file; empty where there is none."""
    for suffix in EXTENSION_SUFFIXES:
        path = os.path.join(_HERE, "engine", "_compiled__mypyc" + suffix)
        if os.path.isfile(path):
            return path
    return ""


def _is_edited() -> bool:
    """Whether this is a checkout, and a module of it is newer than the compiled code."""
    if not os.path.isfile(os.path.join(os.path.dirname(_HERE), "build", "compiled.py")):
        return False
    compiled_ns = os.stat(_library()).st_mtime_ns
    compiled_parts = (os.path.join(_HERE, "engine"), os.path.join(_HERE, "domain"))
    return any(
        os.stat(os.path.join(folder, name)).st_mtime_ns > compiled_ns
        for part in compiled_parts
        for folder, _, names in os.walk(part)
        for name in names
        if name.endswith(".py")
    )
