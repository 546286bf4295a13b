from __future__ import annotations

import subprocess
import sys
from typing import get_args

import pytest

from sengine.config import load_config
from sengine.config.convert import convert
from sengine.config.risk_schema import ConfidenceFilter, DrawdownFilter, Filter, FilterName, PositionLimitFilter
from sengine.config.schema import (
    AggregationConfig,
    Config,
    PluginsConfig,
    StrategyConfig,
)
from sengine.errors import ConfigError


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


@pytest.mark.parametrize(
    ("filter_", "sentence"),
    [
        (
            "{type: position_limit, strategy: momentun}",
            'risk.filters[0].strategy: there is no strategy "momentun"; configured: a, b',
        ),
        (
            "{type: daily_loss, max_loss: 5, symbol: BTC}",
            'risk.filters[0]: a day\'s loss is of a strategy or of all; leave "symbol" out',
        ),
        (
            '{type: trading_hours, open: "08:00", close: "08:00"}',
            'risk.filters[0]: "open" and "close" are both 08:00; leave the filter out to trade at all hours',
        ),
        (
            '{type: trading_hours, open: "8:00", close: "24:00"}',
            'risk.filters[0].open: expected a time of day like "08:30", in quotes, got "8:00"',
        ),
        (
            "{type: order_rate, max_orders: 5000}",
            "risk.filters[0].max_orders: expected an integer >= 1 and <= 1000, got 5000",
        ),
    ],
)
def test_a_filter_that_cannot_be_meant_is_a_sentence(tmp_path, filter_, sentence):
    path = tmp_path / "c.yaml"
    path.write_text(f"strategies: [{{id: a, plugin: rsi}}, {{id: b, plugin: rsi}}]\nrisk: {{filters: [{filter_}]}}\n")
    with pytest.raises(ConfigError) as raised:
        load_config(path, environment={})
    assert raised.value.mistakes[0] == f"{path}: {sentence}"


def test_the_same_filter_may_be_for_all_and_tighter_for_one(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(
        "strategies: [{id: a, plugin: rsi}]\n"
        "risk:\n  filters:\n    - {type: position_limit}\n    - {type: position_limit, strategy: a, max_position: 2}\n"
        "  kill_on: {execution_lost_for: 30s, daily_loss: 500, faults: 20}\n"
    )
    risk = load_config(path, environment={}).risk
    assert risk.filters == [PositionLimitFilter(), PositionLimitFilter(strategy="a", max_position=2.0)]
    assert (risk.kill_on.execution_lost_for_ns, risk.kill_on.daily_loss, risk.kill_on.faults) == (30 * 10**9, 500.0, 20)


def test_simulated_fills_cannot_be_taken_up_without_the_market_data_that_they_were_made_from():
    simulated = {"execution": {"target": "simulated"}, "journal": {"market_data": False}}
    wanted, mistakes = convert(simulated, Config)
    assert wanted is None
    assert str(mistakes[0]).startswith("journal.market_data: expected true with execution.target: simulated")
    for fits in ({"execution": {"target": "paper"}}, {"position_tracker": {"persistence": False}}):
        assert convert(simulated | fits, Config)[1] == []
