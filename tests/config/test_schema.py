from __future__ import annotations

import subprocess
import sys
from typing import get_args

import pytest

from sengine.config.risk_schema import ConfidenceFilter, DrawdownFilter, Filter, FilterName, PositionLimitFilter
from sengine.config.schema import (
    AggregationConfig,
    Config,
    PluginsConfig,
    StrategyConfig,
)


def test_defaults_are_the_plans():
    config = Config()
    assert config.nats.url == "embedded"
    assert config.aggregation == AggregationConfig(method="weighted_average", window_size_ns=5_000_000_000)
    assert config.plugins == PluginsConfig(max_errors=10, reset_after_ns=60_000_000_000)
    assert config.risk.filters == [
        ConfidenceFilter(min_confidence=0.6),
        PositionLimitFilter(max_position=10.0),
        DrawdownFilter(max_drawdown=0.2),
    ]
    assert config.account.initial_capital == 100_000.0
    assert config.execution.depth == "touch"
    assert config.strategies == []


def test_bypass_can_name_every_filter():
    assert set(get_args(FilterName)) == {kind.__struct_config__.tag for kind in get_args(Filter)}


def test_configuration_cannot_be_changed():
    with pytest.raises(AttributeError):
        Config().aggregation.method = "unanimous"


@pytest.mark.parametrize("given", [{"plugin": "rsi.py"}, {"module": "rsi.py"}, {"plugin": "rsi.py", "module": "rsi"}])
def test_plugin_and_module_are_synonyms(given):
    assert StrategyConfig(id="a", **given).plugin_name == "rsi.py"


def test_strategy_without_a_file_is_refused():
    with pytest.raises(ValueError, match='expected "plugin"'):
        StrategyConfig(id="a")


def test_plugin_and_module_that_differ_are_refused():
    with pytest.raises(ValueError, match='"rsi" and "momentum" differ'):
        StrategyConfig(id="a", plugin="rsi", module="momentum")


def test_importing_the_configuration_imports_no_screen_and_no_columns():
    code = "import sys, sengine.config; print([m for m in ('polars', 'typer', 'textual', 'numpy') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
