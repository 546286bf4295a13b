from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sengine.config import Config, load_config
from sengine.config.risk_schema import FilterName
from sengine.config.schema import StrategyConfig
from sengine.errors import ConfigError

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@pytest.fixture
def write(tmp_path):
    path = tmp_path / "file.yaml"

    def write_(content):
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_


def mistakes(path, *overrides, **environment):
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides=overrides, environment=environment)
    return [sentence.replace(str(path), "FILE") for sentence in caught.value.mistakes]


def test_no_file_and_empty_file_are_the_defaults(write):
    assert load_config(None, environment={}) == Config()
    assert load_config(write(""), environment={}) == Config()
    assert load_config(write("nats:\nstrategies:\n"), environment={}) == Config()


def test_environment_is_the_process_own_by_default(monkeypatch):
    monkeypatch.setenv("SENGINE_SERVICE_NAME", "mine")
    assert load_config(None).service.name == "mine"


def test_file_loses_to_environment_which_loses_to_set(write):
    path = write("execution: {latency_ms: 1, commission_bps: 1, slippage_bps: 1}\n")
    environment = {"SENGINE_EXECUTION_COMMISSION_BPS": "2", "SENGINE_EXECUTION_SLIPPAGE_BPS": "2"}
    execution = load_config(path, overrides=["execution.slippage_bps=3"], environment=environment).execution
    assert (execution.latency_ms, execution.commission_bps, execution.slippage_bps) == (1.0, 2.0, 3.0)


def test_value_that_is_overridden_is_no_mistake(write):
    path = write("nats: {url: '${NOWHERE}'}\naggregation: {method: foo}\n")
    config = load_config(path, overrides=["aggregation.method=unanimous"], environment={"SENGINE_NATS_URL": "x"})
    assert (config.nats.url, config.aggregation.method) == ("x", "unanimous")


def test_mistakes_of_all_sources_are_listed_at_once(write):
    path = write(
        """
nats: {url: "${NOWHERE}"}
strategies:
  - {id: a, plugin: momentum, port: x}
  - {id: a, plugin: momentum}
  - {id: b}
  - {id: c, plugin: rsi, module: momentum}
aggregation: {method: foo}
risk: {filers: [], bypass: [everything]}
risk: {}
zzz: 1
"""
    )
    assert mistakes(path, "execution.depth=deep", "foo.bar=1", SENGINE_SERVICE_PORT="-1", SENGINE_X="1") == [
        "FILE: risk: given twice, in line 9 and in line 10",
        "environment SENGINE_SERVICE_PORT: expected an integer >= 0 and <= 65535, got -1",
        "FILE: nats.url: the environment variable NOWHERE is not set; set it or write ${NOWHERE:-default}",
        'FILE: strategies[0].port: expected an integer >= 0 and <= 65535, got "x"',
        'FILE: strategies[2]: expected "plugin", the name of the strategy\'s file, found neither "plugin" nor "module"',
        'FILE: strategies[3]: "plugin" and "module" are synonyms, but "rsi" and "momentum" differ; give one of them',
        'FILE: aggregation.method: expected one of first_signal, majority_vote, unanimous, weighted_average, got "foo"',
        f'FILE: risk.bypass[0]: expected one of {", ".join(sorted(get_args(FilterName)))}, got "everything"',
        'FILE: risk.filers: unknown key; did you mean "filters"?',
        '--set execution.depth: expected one of touch, walk, got "deep"',
        "FILE: zzz: unknown key; known keys: service, nats, market_data, plugins, strategies, aggregation, risk, "
        "position_tracker, journal, recovery, logging, metrics, account, execution, api, http",
        'FILE: strategies[1].id: "a" is the id of strategies[0] already; ids are unique',
        "environment SENGINE_X: unknown variable; a key is written like SENGINE_NATS_URL",
        "--set foo.bar: foo: unknown key; known keys: service, nats, market_data, plugins, strategies, aggregation, "
        "risk, position_tracker, journal, recovery, logging, metrics, account, execution, api, http",
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("- a\n", "FILE: expected a mapping of sections such as nats and risk, got a list"),
        ("hello", 'FILE: expected a mapping of sections such as nats and risk, got "hello"'),
        ("!x 1", "FILE: unknown tag !x in line 1"),
        ("a: [1\nb: 2\n", "FILE:2:2: not valid YAML: expected ',' or ']', but got ':'"),
        (b"nats: {}\nurl: \xff\n", "FILE:2: expected UTF-8 text, got the byte 0xff; save the file as UTF-8"),
        ("#" * (1 << 20) + "\n", "FILE: expected a configuration file of at most 1048576 bytes, got more"),
        ("- " * 600, "FILE: nested deeper than 50 levels"),
    ],
)
def test_unusable_file_is_one_sentence(write, content, sentence):
    assert mistakes(write(content)) == [sentence]


def test_utf8_mark_at_the_start_is_fine(write):
    assert load_config(write(b"\xef\xbb\xbfservice: {name: x}\n"), environment={}).service.name == "x"


def test_missing_file_and_directory_are_said_plainly(tmp_path):
    assert mistakes(tmp_path / "no.yaml") == ["FILE: no such file; name a configuration file that exists"]
    assert mistakes(tmp_path) == ["FILE: expected a configuration file, got a directory"]
    assert mistakes(tmp_path / ("x" * 300)) == ["FILE: cannot be read: File name too long"]
    with pytest.raises(ConfigError, match=r"^a\\x00b: cannot be read: embedded null byte$"):
        load_config(Path("a\0b"), environment={})


def test_overrides_are_checked_even_where_the_file_is_unusable(write):
    found = mistakes(write("a: [1"), "execution.depth=deep", "strategies.a.port=1", "strategies.a.port", SENGINE_X="")
    assert found == [
        "FILE:1:6: not valid YAML: expected ',' or ']', but got '<stream end>'",
        '--set execution.depth: expected one of touch, walk, got "deep"',
        "environment SENGINE_X: unknown variable; a key is written like SENGINE_NATS_URL",
        "--set strategies.a.port: expected KEY=VALUE, such as execution.latency_ms=5",
    ]


def test_references_are_filled_from_the_environment(write):
    path = write(
        """
service: {name: "${NAME}", port: "${PORT}", metrics_port: "${METRICS:-8000}"}
nats: {url: "nats://${HOST:-localhost}:${PORT}", topics: {fills: "$${literal} $5"}}
strategies:
  - {id: "${ID:-a}", plugin: "${EMPTY:-momentum}", config: {window: "${WINDOW}"}}
"""
    )
    environment = {"NAME": "123", "PORT": "4222", "EMPTY": "", "WINDOW": "7"}
    config = load_config(path, environment=environment)
    assert (config.service.name, config.service.port, config.service.metrics_port) == ("123", 4222, 8000)
    assert config.nats.url == "nats://localhost:4222"
    assert config.nats.topics.fills == "${literal} $5"
    assert config.strategies == [StrategyConfig(id="a", plugin="momentum", config={"window": 7})]


def test_references_that_cannot_be_filled_are_mistakes(write):
    path = write('service: {name: "${A} ${B} ${A}"}\nnats: {url: "${not a name}", topics: {fills: "${open"}}\n')
    assert mistakes(path) == [
        "FILE: service.name: the environment variable A is not set; set it or write ${A:-default}; "
        "the environment variable B is not set; set it or write ${B:-default}",
        'FILE: nats.url: expected ${NAME} or ${NAME:-default}, got "${not a name}"; write $${ for a literal ${',
        'FILE: nats.topics.fills: expected ${NAME} or ${NAME:-default}, got "${open"; write $${ for a literal ${',
    ]


def test_reference_to_what_is_not_utf8_is_a_mistake(write):
    path = write('nats: {url: "nats://${HOST}"}\n')
    assert mistakes(path, HOST="\udcff") == ['FILE: nats.url: expected UTF-8 text, got "nats://\\udcff"']


def test_strategy_is_found_by_an_id_from_a_reference(write):
    path = write('strategies: [{id: "${ID}", plugin: p}]\n')
    config = load_config(path, overrides=["strategies.a.port=1"], environment={"ID": "a"})
    assert config.strategies[0].port == 1


def test_values_from_the_environment_are_not_filled_again(write):
    path = write('service: {name: "${A}"}\n')
    assert load_config(path, environment={"A": "${B}"}).service.name == "${B}"


def test_ids_are_unique_also_where_they_come_from_references(write):
    path = write('strategies: [{id: a, plugin: p}, {id: "${ID}", plugin: p}]\n')
    assert mistakes(path, ID="a") == ['FILE: strategies[1].id: "a" is the id of strategies[0] already; ids are unique']


@pytest.mark.parametrize("name", sorted(path.name for path in CONFIGS.glob("*.yaml")))
def test_shipped_configuration_loads(name):
    assert load_config(CONFIGS / name, environment={}).strategies


def test_live_configuration_is_the_plans():
    config = load_config(CONFIGS / "sengine.yaml", environment={})
    assert [(s.id, s.plugin_name, s.symbols, s.config) for s in config.strategies] == [
        ("momentum_btc", "momentum", ["BTCUSDT"], {"short_window": 5, "long_window": 20}),
        ("market_maker_eth", "market_maker", ["ETHUSDT"], {"spread": 0.001, "target_size": 0.1, "max_position": 1.0}),
        ("rsi_python", "rsi", ["BTCUSDT"], {"period": 14, "overbought": 70, "oversold": 30}),
    ]


def test_live_configuration_shows_the_defaults_but_for_its_strategies_and_limits():
    config = load_config(CONFIGS / "sengine.yaml", environment={})
    assert config == Config(strategies=config.strategies, risk=config.risk)


def test_replay_configuration_runs_momentum_on_every_symbol():
    config = load_config(CONFIGS / "replay.yaml", environment={})
    (strategy,) = [each for each in config.strategies if each.enabled]
    assert (strategy.id, strategy.plugin_name, strategy.symbols) == ("momentum", "momentum", ["*"])
    # The other examples are there for --strategy, and so that --set reaches their parameters.
    assert [each.id for each in config.strategies] == ["momentum", "rsi", "market_maker"]
    assert config == Config(strategies=config.strategies, risk=config.risk)


def config_or_mistakes(path, overrides=(), environment=None):
    """Anything but a ``Config`` or a ``ConfigError`` fails the test."""
    sentences: tuple[str, ...] = ("",)
    try:
        load_config(path, overrides=overrides, environment=environment or {})
    except ConfigError as error:
        sentences = error.mistakes
    assert sentences
    assert all(sentence.isprintable() for sentence in sentences)


KEYS = """service name port nats url topics fills strategies id plugin module symbols config aggregation method
    window_size risk filters bypass type confidence drawdown max_drawdown execution latency_ms account a 0 [0] [1] ."""
words = st.sampled_from(KEYS.split())
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | words
    | st.sampled_from(["${A}", "${B:-1}", "x${", "5s", "*"])
)
structures = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4), max_leaves=15
)
keys = st.lists(words | st.text(max_size=4), max_size=6).map(".".join)
variables = keys.map(lambda key: f"SENGINE_{key.upper().replace('.', '_')}")
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode(errors="surrogatepass")))
def test_any_file_gives_a_config_or_mistakes(write, content):
    config_or_mistakes(write(content))


@quick
@given(structures, st.lists(st.tuples(keys, st.text(max_size=8)).map("=".join), max_size=3))
def test_any_structure_and_overrides_give_a_config_or_mistakes(write, structure, overrides):
    config_or_mistakes(write(yaml.safe_dump(structure)), overrides, {"A": "\udcff"})


@quick
@given(st.lists(st.text(max_size=30) | keys | st.tuples(keys, leaves.map(str)).map("=".join), max_size=4))
def test_any_override_gives_a_config_or_mistakes(overrides):
    config_or_mistakes(CONFIGS / "sengine.yaml", overrides)


@quick
@given(st.dictionaries(st.text(max_size=20) | variables, st.text(max_size=9)))
def test_any_environment_gives_a_config_or_mistakes(environment):
    config_or_mistakes(None, (), environment)


def test_very_deep_override_is_a_mistake_and_no_crash():
    config_or_mistakes(CONFIGS / "replay.yaml", ["strategies.momentum.config." + ".".join("a" * 3000) + "=1"])
    config_or_mistakes(CONFIGS / "replay.yaml", ["strategies=" + "- " * 600, f"strategies[{'9' * 5000}].id=1"])
