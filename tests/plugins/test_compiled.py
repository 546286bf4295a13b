"""Strategies compiled with mypyc: the same signals, and a changed one is really loaded anew."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from replay.synthetic import generate_quotes
from sengine.assembly import build_engine, strategy_spec
from sengine.config.schema import Config, StrategyConfig
from sengine.engine.strategies.spec import StrategySpec
from sengine.errors import PluginError
from sengine.plugins.catalog import Catalog
from sengine.plugins.checked_run import run
from sengine.plugins.conformance import check
from sengine.plugins.loader import LoadedPlugin, load_plugin
from sengine.resources import resource_path

COMPILERS = [name for name in ("cc", "gcc", "clang") if shutil.which(name)]
pytestmark = pytest.mark.skipif(not COMPILERS or find_spec("mypyc") is None, reason="needs a C compiler and mypyc")

EVENTS = list(generate_quotes(600, ["BTCUSDT", "ETHUSDT"], 1))


def compiled(source: str, folder: Path) -> Path:
    """Compile ``momentum.py`` with this source in ``folder``; the extension."""
    folder.mkdir(exist_ok=True)
    (folder / "momentum.py").write_text(source)
    mypyc = [sys.executable, "-m", "mypyc", "momentum.py"]
    environment = os.environ | {"MYPYC_OPT_LEVEL": "0"}
    subprocess.run(mypyc, cwd=folder, env=environment, check=True, capture_output=True, timeout=110)
    (found,) = folder.glob("momentum.*.so")
    return found


def spec(plugin: LoadedPlugin) -> StrategySpec:
    return strategy_spec(StrategyConfig(id="m", plugin="momentum", config={"long_window": 30}), plugin)


@pytest.fixture(scope="module")
def source() -> str:
    return resource_path("strategies", "momentum.py").read_text()


@pytest.fixture(scope="module")
def extension(source: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(source, tmp_path_factory.mktemp("first"))


def test_a_compiled_strategy_gives_the_signals_of_its_source(extension: Path) -> None:
    source = extension.with_name("momentum.py")
    ways = {"as Python": lambda: spec(load_plugin(source)), "compiled": lambda: spec(load_plugin(extension))}
    findings = check(ways, list(generate_quotes(3000, ["BTCUSDT", "ETHUSDT"], 1)), 120)
    assert [finding.sentence for finding in findings if not finding.passed] == []
    assert "same compiled" in [finding.check for finding in findings]
    assert type(load_plugin(extension).strategy_type.on_tick).__name__ != "function"


def test_a_changed_extension_at_the_same_path_is_loaded_anew_beside_the_old_one(
    source: str, extension: Path, tmp_path: Path
) -> None:
    place = tmp_path / extension.name
    shutil.copy(extension, place)
    old = load_plugin(place)
    before = run(spec(old), EVENTS).said
    changed = source.replace('"1.0.0"', '"2.0.0"').replace("confidence=0.7", "confidence=0.6")
    os.replace(compiled(changed, tmp_path / "second"), place)
    new = load_plugin(place)
    assert (old.plugin.version, new.plugin.version) == ("1.0.0", "2.0.0")
    assert old.content_hash != new.content_hash
    after = run(spec(new), EVENTS).said
    assert {said.words[-3:] for said in before} == {"0.7"}
    assert {said.words[-3:] for said in after} == {"0.6"}
    assert run(spec(old), EVENTS).said == before
    assert "momentum" not in sys.modules


def test_the_catalog_finds_the_compiled_file_before_its_source(extension: Path) -> None:
    assert Catalog([extension.parent]).find("momentum") == extension


def test_a_file_that_is_no_extension_is_one_sentence(tmp_path: Path, extension: Path) -> None:
    path = tmp_path / extension.name
    path.write_bytes(b"\x7fELF and nothing more")
    with pytest.raises(PluginError, match="import failed"):
        load_plugin(path)


def test_a_compiled_strategy_is_told_what_became_of_its_signals(source: str, tmp_path: Path) -> None:
    told = "    def on_order(self, update: OrderNews) -> None:\n        self.position = -7.0\n\n    def get_state("
    edited = source.replace("    def get_state(", told, 1)
    edited = edited.replace("from sengine.strategy import ", "from sengine.strategy import OrderNews, ", 1)
    engine = build_engine(Config())
    runtime = engine.registry.load(spec(load_plugin(compiled(edited, tmp_path / "told"))))
    for event in EVENTS:
        engine.process(event)
    assert runtime.signals > 0
    assert runtime.hears_of_orders
    assert -7.0 in {instance.position for instance in runtime.instances.values()}
