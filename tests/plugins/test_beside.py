"""Which files beside strategies are helpers."""

from __future__ import annotations

from pathlib import Path

import pytest

from sengine.plugins.helper_files import helpers

STRATEGY = "from sengine.strategy import BaseStrategy\nclass S(BaseStrategy): ...\n"
MADE = "def create_strategy():\n    return S('s')\n"


def told(folder: Path, **sources: str) -> dict[str, str]:
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source)
    return {path.stem: why for path, why in helpers(sorted(folder.iterdir())).items()}


def test_what_is_imported_and_makes_no_strategy_is_a_helper(tmp_path: Path) -> None:
    assert told(tmp_path, mine="import base\n" + STRATEGY + MADE, base=STRATEGY) == {
        "base": "a helper that mine.py imports"
    }


@pytest.mark.parametrize(
    "statement", ["import base as b", "from base import S", "from . import base", "from .base import S"]
)
def test_every_way_to_import_it_counts(tmp_path: Path, statement: str) -> None:
    assert set(told(tmp_path, mine=f"def f():\n    {statement}\n" + MADE, base=STRATEGY)) == {"base"}


def test_what_has_nothing_of_a_strategy_is_a_helper(tmp_path: Path) -> None:
    why = "a helper, without create_strategy()"
    assert told(tmp_path, constants="ONE = 1\n", empty="") == {"constants": why, "empty": why}


@pytest.mark.parametrize(
    "source",
    [
        STRATEGY + MADE,
        STRATEGY,
        "import sengine.strategy as s\nclass S(s.BaseStrategy): ...\n",
        "class S(Shared):\n    def on_tick(self, data): ...\n",
        "plugin = Plugin('mine')\n",
        "from shared import made as create_strategy\n",
        "from shared import *\n",
        "create_strategy = 3\n",
        "def create_strategy(:\n",
        "x = 1\0\n",
    ],
)
def test_what_somebody_meant_for_a_strategy_is_none(tmp_path: Path, source: str) -> None:
    assert told(tmp_path, mine=source) == {}


def test_a_strategy_that_another_imports_stays_one(tmp_path: Path) -> None:
    assert told(tmp_path, mine="import other\n" + STRATEGY + MADE, other=STRATEGY + MADE) == {}
