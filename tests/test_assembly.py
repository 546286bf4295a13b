from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sengine.assembly import (
    build_engine,
    build_venue,
    catalog,
    check_strategies,
    load_run_config,
    load_strategies,
    select_strategies,
    strategy_spec,
)
from sengine.config import Config, load_config
from sengine.config.schema import StrategyConfig
from sengine.domain.events import BookEvent
from sengine.domain.market import DataKind, OrderBook, PriceLevel
from sengine.domain.order import Contribution, Order, ProposedOrder, Side
from sengine.engine.core import Engine
from sengine.engine.outcome import Outcome
from sengine.errors import ConfigError, PluginError
from sengine.plugins.loader import load_plugin

MS = 1_000_000
S = 1_000 * MS

TALKER = """
from sengine.strategy import BaseStrategy, Signal

class Talker(BaseStrategy):
    def initialize(self, config):
        self.only_at = config.pop("only_at", 0)
        self.ticks = 0
        self.config = config

    def on_tick(self, data):
        self.ticks += 1
        return Signal(**self.config) if self.only_at in (0, self.ticks) else None

def create_strategy():
    return Talker("talker")
"""


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("strategies").mkdir()
    Path("strategies/talker.py").write_text(TALKER)


def configured(text: str = "", **sections: Any) -> Config:
    path = Path("mine.yaml")
    path.write_text(text)
    return load_config(path, environment={})


def talkers(*signals: str, more: str = "") -> Config:
    """Strategies t1, t2, ... that say the same on every tick."""
    items = "".join(
        f"  - {{id: t{number}, plugin: talker, config: {{{signal}}}}}\n" for number, signal in enumerate(signals, 1)
    )
    return configured(f"strategies:\n{items}{more}")


def started(config: Config) -> Engine:
    engine = build_engine(config, build_venue(config))
    assert load_strategies(engine, config.strategies, catalog(config)) == []
    return engine


def quote(at_ns: int = S, *asks: float) -> BookEvent:
    levels = tuple(PriceLevel(price, 1.0) for price in asks or (101.0,))
    return BookEvent("A", at_ns, OrderBook((PriceLevel(99.0, 1.0),), levels))


def refusals(outcome: Outcome) -> list[str]:
    return [result.check for result in outcome.signals]


# The engine.


def test_the_engine_votes_with_the_configured_method() -> None:
    signals = ("direction: LONG, confidence: 0.7", "direction: SHORT, confidence: 0.6")
    # 0.7 against 0.6 is near the middle of a weighted average, which closes; the larger sum of a majority buys.
    weighted = started(talkers(*signals)).process(quote())
    majority = started(talkers(*signals, more="aggregation: {method: majority_vote}\n")).process(quote())
    assert [order.side for order in weighted.orders] == []
    assert [order.side for order in majority.orders] == [Side.BUY]


def test_the_window_of_the_vote_is_the_configured_one() -> None:
    signals = ("only_at: 1, direction: SHORT, confidence: 0.8", "only_at: 2, direction: LONG, confidence: 0.8")
    for window, sides in (("250ms", [Side.BUY]), ("251ms", [])):
        engine = started(talkers(*signals, more=f"aggregation: {{window_size: {window}}}\n"))
        assert [order.side for order in engine.process(quote(S)).orders] == [Side.SELL]
        assert [order.side for order in engine.process(quote(S + 250 * MS)).orders] == sides


def test_risk_checks_run_in_the_configured_order() -> None:
    unsure_and_large = "direction: LONG, confidence: 0.1, size: 50.0"
    confidence, limit = "{type: confidence}", "{type: position_limit, max_position: 5}"
    for filters, first in (([confidence, limit], "confidence"), ([limit, confidence], "position_limit")):
        config = talkers(unsure_and_large, more=f"risk: {{filters: [{', '.join(filters)}]}}\n")
        assert refusals(started(config).process(quote())) == [first]


def test_a_bypassed_check_lets_everything_pass() -> None:
    config = talkers("direction: LONG, confidence: 0.1", more="risk: {bypass: [confidence]}\n")
    assert len(started(config).process(quote()).orders) == 1


def test_the_limits_of_the_checks_are_the_configured_ones() -> None:
    more = "risk: {filters: [{type: confidence, min_confidence: 0.9}]}\n"
    assert refusals(started(talkers("direction: LONG, confidence: 0.85", more=more)).process(quote())) == ["confidence"]
    # A spread of 2 on 2 units is 4 of 100: more than 3 percent of the capital is lost with the first fill.
    more = "risk: {filters: [{type: drawdown, max_drawdown: 0.015}]}\naccount: {initial_capital: 100}\n"
    engine = started(talkers("direction: LONG, confidence: 0.8, size: 2.0", more=more))
    assert refusals(engine.process(quote(S))) == [""]
    assert refusals(engine.process(quote(2 * S))) == ["drawdown"]


def test_capital_and_error_limits_reach_the_engine() -> None:
    config = talkers("direction: SIDEWAYS", more="account: {initial_capital: 5000}\nplugins: {max_errors: 2}\n")
    engine = started(config)
    assert engine.portfolio.initial_capital == 5_000.0
    assert engine.process(quote(S)).notices == []
    assert "strategy t1 paused" in engine.process(quote(2 * S)).notices[0]


def test_errors_are_forgotten_after_the_configured_time() -> None:
    engine = started(talkers("direction: SIDEWAYS", more="plugins: {max_errors: 2, reset_after: 1s}\n"))
    assert [engine.process(quote(at * S)).notices for at in (1, 3, 5)] == [[], [], []]


def test_order_ids_carry_the_prefix() -> None:
    config = talkers("direction: LONG, confidence: 0.8")
    engine = build_engine(config, build_venue(config), order_prefix="run7-")
    load_strategies(engine, config.strategies, catalog(config))
    assert [order.order_id for order in engine.process(quote()).orders] == ["run7-1"]


# The simulated venue.


def fills_of(execution: str, *books: BookEvent) -> list[tuple[int, float, float, float]]:
    """Time, price, quantity and commission of the fills of an order for 2 sent at 1 s."""
    venue = build_venue(configured(f"execution: {{{execution}}}\n" if execution else ""))
    order = Order.approved(ProposedOrder("A", Side.BUY, 2.0, S, (Contribution("a", 2.0, 1),)), "1")
    reports = list(venue.submit(order, books[0].book, S))
    for event in books[1:]:
        reports += venue.on_book("A", event.book, event.timestamp_ns)
    return [(fill.timestamp_ns, fill.price, fill.quantity, fill.commission) for fill in reports]  # type: ignore[union-attr]


def test_the_venue_fills_at_the_touch_and_for_free_unless_configured() -> None:
    assert fills_of("", quote()) == [(S, 101.0, 2.0, 0.0)]


def test_the_venue_has_the_configured_latency() -> None:
    books = (quote(S), quote(S + 4 * MS, 102.0), quote(S + 5 * MS, 103.0))
    assert fills_of("latency_ms: 4.5", *books) == [(S + 5 * MS, 103.0, 2.0, 0.0)]


def test_the_venue_has_the_configured_costs() -> None:
    ((_, price, _, commission),) = fills_of("commission_bps: 10, slippage_bps: 100", quote())
    assert price == pytest.approx(101.0 * 1.01)
    assert commission == pytest.approx(2 * price * 0.001)


def test_the_venue_walks_the_book_when_configured() -> None:
    assert fills_of("depth: walk", quote(S, 101.0, 102.0)) == [(S, 101.0, 1.0, 0.0), (S, 102.0, 1.0, 0.0)]


# Strategies.


def test_the_users_folder_comes_before_the_examples() -> None:
    Path("strategies/momentum.py").write_text(TALKER)
    plugins = catalog(configured())
    assert plugins.find("momentum") == Path("strategies/momentum.py").resolve()
    assert plugins.find("rsi").parent != Path("strategies").resolve()


def test_the_folder_is_the_configured_one() -> None:
    Path("mine").mkdir()
    Path("mine/own.py").write_text(TALKER)
    assert catalog(configured("plugins: {directory: ./mine}\n")).find("own") == Path("mine/own.py").resolve()


def test_enabled_strategies_are_loaded_in_order() -> None:
    config = configured(
        "strategies:\n"
        "  - {id: b, plugin: talker}\n"
        "  - {id: off, plugin: nothing_of_that_name, enabled: false}\n"
        "  - {id: a, plugin: momentum.py}\n"
    )
    assert [runtime.strategy_id for runtime in started(config).registry] == ["b", "a"]


def test_files_that_are_no_good_are_returned_and_the_others_loaded() -> None:
    Path("strategies/broken.py").write_text("1 +\n")
    config = configured("strategies: [{id: x, plugin: broken}, {id: y, plugin: absent}, {id: t, plugin: talker}]\n")
    engine = build_engine(config)
    broken, absent = load_strategies(engine, config.strategies, catalog(config))
    assert (broken.strategy_id, absent.strategy_id) == ("x", "y")
    assert "broken.py:1: syntax error" in broken.reason
    assert 'no strategy "absent"' in absent.reason
    assert [runtime.strategy_id for runtime in engine.registry] == ["t"]


WRONG = (
    "strategies:\n"
    "  - {id: a, plugin: momentum, config: {short_window: five}}\n"
    "  - {id: t, plugin: talker}\n"
    "  - {id: b, plugin: rsi, config: {period: 0, peroid: 7}}\n"
)


def test_wrong_parameters_are_all_raised_at_once_with_their_source() -> None:
    config = configured(WRONG)
    with pytest.raises(ConfigError) as failure:
        load_strategies(build_engine(config), config.strategies, catalog(config), "mine.yaml")
    first, *rest = failure.value.mistakes
    assert first == 'mine.yaml: strategies.a.config.short_window: expected an integer >= 1, got "five"'
    assert len(rest) == 2
    assert all(mistake.startswith("mine.yaml: strategies.b.config.") for mistake in rest)


def test_a_check_finds_the_same_mistakes_and_those_of_files() -> None:
    Path("strategies/broken.py").write_text("1 +\n")
    config = configured(WRONG + "  - {id: c, plugin: broken}\n  - {id: d, plugin: absent, enabled: false}\n")
    mistakes = check_strategies(config, catalog(config))
    assert len(mistakes) == 4
    assert mistakes[0] == 'strategies.a.config.short_window: expected an integer >= 1, got "five"'
    assert mistakes[3].startswith("strategies.c: ")
    assert "broken.py:1: syntax error" in mistakes[3]


def test_a_check_starts_each_strategy_once() -> None:
    Path("strategies/picky.py").write_text(TALKER.replace("self.ticks = 0", "raise ValueError('not these')"))
    config = configured("strategies: [{id: p, plugin: picky}]\n")
    (mistake,) = check_strategies(config, catalog(config))
    assert mistake.startswith("strategies.p: ")
    assert "picky.py:7: p could not start: ValueError: not these" in mistake


def test_naming_nothing_selects_what_is_configured() -> None:
    config = talkers("direction: LONG", "direction: SHORT")
    assert select_strategies(config, [], catalog(config)) == config.strategies


def test_ids_come_before_plugins_and_are_enabled_when_named() -> None:
    config = configured("strategies: [{id: momentum, plugin: talker, symbols: [A], enabled: false}]\n")
    configured_one, plugin = select_strategies(config, ["momentum", "rsi"], catalog(config))
    assert (configured_one.plugin_name, configured_one.symbols, configured_one.enabled) == ("talker", ["A"], True)
    assert (plugin.id, plugin.symbols, plugin.config) == ("rsi", ["*"], {})


def test_a_path_is_a_plugin_whose_id_is_made_of_its_name() -> None:
    Path("my best-one!.py").write_text(TALKER)
    config = configured()
    (strategy,) = select_strategies(config, ["./my best-one!.py"], catalog(config))
    assert strategy.id == "my_best-one_"
    assert strategy.plugin_name == str(Path("my best-one!.py").resolve())


def test_a_name_given_twice_runs_once() -> None:
    config = configured()
    assert [one.id for one in select_strategies(config, ["rsi", "rsi"], catalog(config))] == ["rsi"]


def test_overrides_reach_a_strategy_that_is_only_named() -> None:
    path = Path("mine.yaml")
    path.write_text("strategies: [{id: t1, plugin: talker}]\n")
    for name in ("rsi", "./strategies/other.py"):
        Path("strategies/other.py").write_text(TALKER)
        stem = Path(name).stem
        config = load_run_config(path, [f"strategies.{stem}.config.period=5"], [name])
        (strategy,) = select_strategies(config, [name], catalog(config))
        assert (strategy.id, strategy.config, strategy.symbols) == (stem, {"period": 5}, ["*"])


def test_overrides_of_strategies_that_are_nowhere_are_mistakes() -> None:
    with pytest.raises(ConfigError, match="no item"):
        load_run_config(None, ["strategies.rsi.config.period=5"], ["momentun"])
    with pytest.raises(ConfigError, match=r"strategies\.rsi\.config\.period"):
        load_run_config(None, ["strategies.rsi.config.period=5"], [])


def test_names_that_are_nothing_or_clash_are_mistakes_together() -> None:
    Path("rsi.py").write_text(TALKER)
    config = talkers("direction: LONG")
    with pytest.raises(ConfigError) as failure:
        select_strategies(config, ["momentun", "rsi", "./rsi.py"], catalog(config))
    unknown, clash = failure.value.mistakes
    assert unknown.startswith("--strategy momentun: expected an id of the configuration (t1) or a plugin; ")
    assert clash == '--strategy ./rsi.py: its id would be "rsi", which another --strategy has; run one of them'


def spec_of(source: str, **changes: Any) -> Any:
    path = Path("strategies/one.py")
    path.write_text(TALKER.replace("    def initialize", f"    {source}\n\n    def initialize", 1))
    return strategy_spec(StrategyConfig(id="one", plugin="one", **changes), load_plugin(path.resolve()))


def test_the_strategys_own_defaults_hold_unless_configured() -> None:
    source = 'route = "direct"; market_data = ("trade", "bar"); one_instance_per_symbol = False'
    own = spec_of(source)
    assert (own.route, own.kinds, own.one_instance_per_symbol) == ("direct", (DataKind.TRADE, DataKind.BAR), False)
    changed = spec_of(source, route="vote", data=["book"], symbols=["A"], default_size=3.0)
    assert (changed.route, changed.kinds) == ("vote", (DataKind.BOOK,))
    assert (changed.symbols, changed.default_size) == (("A",), 3.0)


@pytest.mark.parametrize(
    "source", ['route = "sideways"', 'market_data = "book"', "market_data = ()", "market_data = 5"]
)
def test_a_strategy_that_asks_for_what_there_is_not_is_refused(source: str) -> None:
    with pytest.raises(PluginError, match=r"one\.py: (route|market_data): expected"):
        spec_of(source)
