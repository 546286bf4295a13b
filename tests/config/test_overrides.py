from __future__ import annotations

from typing import get_args

import pytest
from msgspec import Struct, inspect

from sengine.config import Config, load_config
from sengine.config.keys import UnknownKeyError, locate
from sengine.config.overrides import environment_keys
from sengine.config.risk_schema import ConfidenceFilter, DrawdownFilter, FilterName, PositionLimitFilter
from sengine.errors import ConfigError

FILE = """
strategies:
  - {id: momentum, plugin: momentum, symbols: [A, B], config: {short_window: 5, levels: [1, 2]}}
  - {id: momentum.v2, plugin: momentum, config: {}}
  - {id: "0", plugin: rsi}
risk: {filters: [{type: confidence}, {type: drawdown}]}
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file.yaml"
    path.write_text(FILE)
    return path


def load(file, *overrides, **environment):
    return load_config(file, overrides=overrides, environment=environment)


def mistakes(file, *overrides, **environment):
    with pytest.raises(ConfigError) as caught:
        load(file, *overrides, **environment)
    return list(caught.value.mistakes)


def test_environment_sets_single_values():
    config = load(
        None,
        SENGINE_NATS_URL="nats://h:1",
        SENGINE_AGGREGATION_WINDOW_SIZE="250ms",
        SENGINE_EXECUTION_LATENCY_MS="5",
        SENGINE_NATS_TOPICS_MARKET_DATA="md.*",
        SENGINE_PLUGINS_HOT_RELOAD="false",
        SENGINE_SERVICE_NAME="007",
        HOME="/",
    )
    assert config.nats.url == "nats://h:1"
    assert config.aggregation.window_size_ns == 250_000_000
    assert config.execution.latency_ms == 5.0
    assert config.nats.topics.market_data == "md.*"
    assert config.plugins.hot_reload is False
    assert config.service.name == "007"


def test_every_environment_variable_means_one_key():
    keys = environment_keys(inspect.type_info(Config))
    assert keys["SENGINE_POSITION_TRACKER_DB_PATH"] == "position_tracker.db_path"
    assert "SENGINE_STRATEGIES" not in keys
    assert "SENGINE_RISK_FILTERS" not in keys
    assert len(keys) == len({name.replace("_", "") for name in keys})


def test_wrong_environment_value_names_the_variable(file):
    assert mistakes(file, SENGINE_AGGREGATION_METHOD="foo") == [
        "environment SENGINE_AGGREGATION_METHOD: "
        'expected one of first_signal, majority_vote, unanimous, weighted_average, got "foo"'
    ]
    assert mistakes(file, SENGINE_METRICS_ENABLED="1", SENGINE_NATS_URL="a\udcff") == [
        'environment SENGINE_NATS_URL: expected UTF-8 text, got "a\\udcff"',
        "environment SENGINE_METRICS_ENABLED: expected true or false, got 1",
    ]


def test_unknown_environment_variable_suggests_the_nearest(file):
    assert mistakes(file, SENGINE_NATS_ULR="x", SENGINE_QQQ="x") == [
        "environment SENGINE_NATS_ULR: unknown variable; did you mean SENGINE_NATS_URL?",
        "environment SENGINE_QQQ: unknown variable; a key is written like SENGINE_NATS_URL",
    ]


def test_set_reaches_sections_items_and_parameters(file):
    config = load(
        file,
        "execution.latency_ms=5",
        "strategies.momentum.config.short_window=3",
        "strategies.momentum.config.levels[1]=9",
        "strategies.momentum.config.levels.0=8",
        "strategies.momentum.config.new.deep=[x, 1e-3]",
        "strategies.momentum.symbols[0]=Z",
        "strategies.momentum.v2.default_size=2",
        "strategies.0.route=direct",
        "strategies[1].enabled=false",
        "risk.filters.drawdown.max_drawdown=0.5",
        "risk.filters[0].min_confidence=0",
        "service.name=12",
        "nats={url: 'nats://x:1'}",
    )
    first, second, third = config.strategies
    assert config.execution.latency_ms == 5.0
    assert first.config == {"short_window": 3, "levels": [8, 9], "new": {"deep": ["x", 0.001]}}
    assert first.symbols == ["Z", "B"]
    assert second.default_size == 2.0
    assert second.enabled is False
    assert third.route == "direct"
    assert config.risk.filters == [ConfidenceFilter(min_confidence=0.0), DrawdownFilter(max_drawdown=0.5)]
    assert config.service.name == "12"
    assert config.nats.url == "nats://x:1"


def test_set_reaches_the_default_filters():
    config = load(None, "risk.filters.position_limit.max_position=5")
    assert config.risk.filters == [ConfidenceFilter(), PositionLimitFilter(max_position=5.0), DrawdownFilter()]


def test_last_set_of_a_key_wins():
    assert load(None, "execution.latency_ms=1", "execution.latency_ms=2").execution.latency_ms == 2.0
    assert mistakes(None, "execution.latency_ms=1", "execution={latency_ms: x}") == [
        '--set execution: execution.latency_ms: expected a number >= 0, got "x"'
    ]


def test_quoted_value_stays_text(file):
    assert mistakes(file, "execution.latency_ms='5'") == ['--set execution.latency_ms: expected a number >= 0, got "5"']


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("x", "expected KEY=VALUE, such as execution.latency_ms=5"),
        ("=5", "expected KEY=VALUE, such as execution.latency_ms=5"),
        ("execution.latency=5", 'unknown key; did you mean "latency_ms"?'),
        ("nats.topic.fills=x", 'nats.topic: unknown key; did you mean "topics"?'),
        ("service.name.x=1", "service.name is a single value, nothing is below it"),
        ("strategies.mom.port=1", 'no item "mom.port" in strategies, which has 3 items: momentum, momentum.v2, 0'),
        ("strategies[3].port=1", 'no item "[3].port" in strategies, which has 3 items: momentum, momentum.v2, 0'),
        ("risk.filters.x.y=5", 'no item "x.y" in risk.filters, which has 2 items: confidence, drawdown'),
        ("risk.filters.drawdown.typ=5", 'unknown key; did you mean "type"?'),
        ("risk.filters.drawdown.type=x", f'expected one of {", ".join(get_args(FilterName))}, got "x"'),
        ("strategies[0].config.short_window.x=1", "strategies[0].config.short_window is 5, nothing is below it"),
        ("strategies[0].config.levels[2]=1", 'no item "[2]" in strategies[0].config.levels, which has 2 items'),
        ("strategies.momentum.data[0]=book", 'no item "[0]" in strategies[0].data, which has 0 items: none'),
        ("nats..url=1", 'expected a key such as execution.latency_ms, cannot read "..url"'),
        (".nats=1", 'expected a key such as execution.latency_ms, cannot read ".nats"'),
        ("nats.=1", 'expected a key such as execution.latency_ms, cannot read "."'),
        ("execution.latency_ms=abc", 'expected a number >= 0, got "abc"'),
        ("execution.latency_ms=", "expected a number >= 0, got nothing"),
        ("nats={topics: {fils: x}}", 'nats.topics.fils: unknown key; did you mean "fills"?'),
        ("service.name=*x", "not valid YAML: found undefined alias 'x'; quote the value if it is text"),
        ("nats={url: a, url: b}", "url: given twice, in line 1 and in line 1"),
        ("strategies[2].id=momentum", '"momentum" is the id of strategies[0] already; ids are unique'),
    ],
)
def test_wrong_override_is_one_sentence_with_its_key(file, override, expected):
    assert mistakes(file, override) == [f"--set {override.partition('=')[0]}: {expected}"]


def test_very_long_key_is_shown_cut(file):
    assert mistakes(file, "a" * 1000) == [f"--set {'a' * 100}...: expected KEY=VALUE, such as execution.latency_ms=5"]


def test_override_through_a_value_of_the_wrong_kind_leaves_the_files_mistake(tmp_path):
    path = tmp_path / "file.yaml"
    path.write_text(
        "nats: [1]\nexecution: 5\nstrategies: [x, {id: a, plugin: p, config: '${NOWHERE}'}]\nrisk: {filters: 3}\n"
    )
    found = mistakes(
        path,
        "nats.url=x",
        "nats.topics.fills=x",
        "execution.latency_ms=1",
        "strategies[0].config.a.b=1",
        "strategies.a.config.b=1",
        "risk.filters.drawdown.max_drawdown=1",
        SENGINE_EXECUTION_DEPTH="walk",
    )
    assert [sentence.removeprefix(f"{path}: ") for sentence in found] == [
        "nats: expected a mapping, got a list",
        'strategies[0]: expected a mapping, got "x"',
        "strategies[1].config: the environment variable NOWHERE is not set; set it or write ${NOWHERE:-default}",
        "risk.filters: expected a list, each a mapping, got 3",
        "execution: expected a mapping, got 5",
    ]


class Tls(Struct):
    cert: str = ""


class Link(Struct):
    tls: Tls | None = None
    limits: dict[str, int] | None = None
    either: int | str = 1


def test_override_makes_an_optional_section():
    info = inspect.type_info(Link)
    tree = {}
    assert locate("tls.cert", info, tree) == ("tls", "cert")
    assert locate("limits.a", info, tree) == ("limits", "a")
    assert tree == {"tls": {}, "limits": {}}


def test_optional_section_has_environment_variables():
    assert environment_keys(inspect.type_info(Link)) == {"SENGINE_TLS_CERT": "tls.cert", "SENGINE_EITHER": "either"}


def test_nothing_is_below_a_value_of_several_types():
    with pytest.raises(UnknownKeyError, match="either is 1, nothing is below it"):
        locate("either.x", inspect.type_info(Link), {"either": 1})
