"""``sengine strategies new``: what is written loads, runs, and its own test passes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sengine.errors import DataError
from sengine.plugins.catalog import Catalog
from sengine.plugins.loader import load_plugin
from sengine.plugins.template import write_template


def test_the_template_loads_and_is_documented(tmp_path: Path) -> None:
    strategy, test = write_template("buy_low", tmp_path / "new" / "folder")
    assert (strategy.name, test.name) == ("buy_low.py", "test_buy_low.py")
    plugin = load_plugin(strategy)
    assert plugin.plugin.name == "buy_low"
    assert plugin.strategy_type.__name__ == "BuyLowStrategy"
    assert plugin.doc.startswith("buy_low: ")
    assert Catalog([strategy.parent]).files() == {"buy_low": strategy}


def test_the_templates_own_test_passes(tmp_path: Path) -> None:
    _, test = write_template("buy_low", tmp_path)
    # No plugins: what a newcomer has installed besides pytest does not matter, and starting is quicker.
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test.name]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


@pytest.mark.parametrize("name", ["x", "rsi2", "My_Strategy", "UPPER", "a_1", "plugin", "market_data", "parameters"])
def test_any_usual_name_makes_a_strategy_that_starts(tmp_path: Path, name: str) -> None:
    strategy, _ = write_template(name, tmp_path)
    assert load_plugin(strategy).create(name, {"window": 3}, "config").strategy_id == name


@pytest.mark.parametrize("name", ["none", "true", "signal"])
def test_a_name_that_the_template_takes_makes_a_strategy_that_works(tmp_path: Path, name: str) -> None:
    from sengine.testing import StrategyBench

    strategy, _ = write_template(name, tmp_path)
    bench = StrategyBench(strategy, {"window": 2})
    bench.tick(100.0, 101.0)
    (signal,) = bench.tick(90.0, 91.0)
    assert signal.direction == "LONG"


@pytest.mark.parametrize("name", ["_mine", "test_mine", "conftest"])
def test_a_name_that_the_catalog_would_leave_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="choose another name"):
        write_template(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_strategy_that_was_written_is_found_again(tmp_path: Path) -> None:
    strategy, _ = write_template("mine", tmp_path)
    assert Catalog([tmp_path]).find("mine") == strategy


@pytest.mark.parametrize("name", ["", "1st", "my-strategy", "my strategy", "../up", "class", "métrique", "a.b"])
def test_a_name_that_no_module_can_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="expected a strategy name of letters, digits and underscores"):
        write_template(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("existing", ["mine.py", "test_mine.py"])
def test_nothing_is_overwritten(tmp_path: Path, existing: str) -> None:
    (tmp_path / existing).write_text("precious")
    with pytest.raises(DataError, match=f"{existing} exists already"):
        write_template("mine", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [existing]
    assert (tmp_path / existing).read_text() == "precious"


def test_a_folder_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(DataError, match=r"file: cannot be written: File exists"):
        write_template("mine", file)
