"""Whether what is imported is declared: a package that only comes with another one goes when that one drops it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PRODUCT = ("sengine", "tui", "replay", "strategies")
# Folders of ours, and modules that build/ imports from beside itself; `google` is protobuf's part of a shared name.
OURS = {*PRODUCT, "tests", *(file.stem for file in (ROOT / "build").glob("*.py"))}
SHARED_NAMES = {"google": "protobuf"}


def imported(folder: str) -> Iterator[tuple[str, Path]]:
    """The top-level names that the files of a folder import, with the file."""
    for file in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            modules: Iterable[str] = ()
            if isinstance(node, ast.Import):
                modules = (each.name for each in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules = (node.module,)
            yield from ((module.partition(".")[0], file) for module in modules)


def name_of(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def group(name: str) -> set[str]:
    items: list[Any] = PROJECT["dependency-groups"][name]
    return {each for item in items for each in (group(item["include-group"]) if isinstance(item, dict) else [item])}


def undeclared(folder: str, declared: set[str]) -> dict[str, str]:
    providers = packages_distributions()
    missing: dict[str, str] = {}
    for top, file in imported(folder):
        if top in sys.stdlib_module_names or top in OURS:
            continue
        provided_by = [SHARED_NAMES[top]] if top in SHARED_NAMES else providers.get(top, [top])
        if not {name_of(each) for each in provided_by} & declared:
            missing[top] = str(file.relative_to(ROOT))
    return missing


RUN = {name_of(each) for each in PROJECT["project"]["dependencies"]}
# `nats-py[nkeys]` brings nkeys; `mkdocs-material` is a theme of mkdocs, which its hooks are written for.
BROUGHT_BY_NAME = {"nkeys"}
DEV = {name_of(each) for each in group("dev")} | {"mkdocs"}


@pytest.mark.parametrize("folder", PRODUCT)
def test_the_product_imports_declared_packages_only(folder: str) -> None:
    assert undeclared(folder, RUN | BROUGHT_BY_NAME) == {}


@pytest.mark.parametrize("folder", ["tests", "build"])
def test_tests_and_builds_import_declared_packages_only(folder: str) -> None:
    assert undeclared(folder, RUN | DEV | BROUGHT_BY_NAME) == {}


@pytest.mark.parametrize(
    ("lock", "declared"), [("run.txt", RUN), ("dev.txt", RUN | {name_of(e) for e in group("dev")})]
)
def test_every_declared_package_is_pinned(lock: str, declared: set[str]) -> None:
    pinned = {name_of(line) for line in (ROOT / "requirements" / lock).read_text().splitlines() if "==" in line}
    assert declared - pinned == set()
