"""Which files beside strategies are their helpers rather than strategies.

Told by their text: running a file to find out what it is would run what is nobody's strategy.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

_MADE_BY = "create_strategy"


def helpers(files: Iterable[Path]) -> dict[Path, str]:
    """Those of ``files`` that are helpers, and why in words: without ``create_strategy``, and imported by another file
    of their folder or with nothing of a strategy in them. What cannot be read or parsed is none."""
    trees = {path: tree for path in files if path.suffix == ".py" and (tree := _parsed(path)) is not None}
    importers: dict[Path, str] = {}
    for path, tree in trees.items():
        for step in _imported(tree):
            importers.setdefault(path.with_name(f"{step}.py"), path.name)
    found: dict[Path, str] = {}
    for path, tree in trees.items():
        if _MADE_BY in _names(tree) or "*" in _names(tree):
            continue
        if path in importers:
            found[path] = f"a helper that {importers[path]} imports"
        elif not _is_like_a_strategy(tree):
            found[path] = f"a helper, without {_MADE_BY}()"
    return found


def _parsed(path: Path) -> ast.Module | None:
    try:
        return ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _imported(tree: ast.Module) -> set[str]:
    """First steps of the names of all modules that it may import."""
    steps: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            steps.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            steps.update([node.module.split(".")[0]] if node.module else [alias.name for alias in node.names])
    return steps


def _names(tree: ast.Module) -> set[str]:
    """What it defines, assigns or imports, wherever it does; ``*`` where that cannot be told."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.ImportFrom):
            names.update(alias.asname or alias.name for alias in node.names)
    return names


def _is_like_a_strategy(tree: ast.Module) -> bool:
    """Somebody meant it for one: it names its plugin, or has a class with ``on_tick`` or of ``BaseStrategy``."""
    if "plugin" in _names(tree):
        return True
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            bases = [base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in node.bases]
            methods = [each.name for each in node.body if isinstance(each, ast.FunctionDef)]
            if "BaseStrategy" in bases or "on_tick" in methods:
                return True
    return False
