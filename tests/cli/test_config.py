from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sengine.config import Config, describe
from sengine.resources import resource_path

Run = Callable[..., Any]


@pytest.mark.parametrize("name", ["replay.yaml", "sengine.yaml"])
def test_the_packaged_configurations_are_good(run: Run, name: str) -> None:
    ran = run("config", "check", resource_path("configs", name))
    assert (ran.code, ran.err) == (0, "")
    assert f"{name}: good; " in ran.out


def test_strategies_that_are_switched_off_are_counted_and_not_checked(run: Run) -> None:
    Path("mine.yaml").write_text(
        "strategies:\n  - {id: a, plugin: momentum}\n  - {id: b, plugin: nothing_of_that_name, enabled: false}\n"
    )
    assert run("config", "check", "mine.yaml") == (0, "mine.yaml: good; 1 of 2 strategies enabled\n", "")


def test_all_mistakes_of_a_file_are_listed_at_once(run: Run) -> None:
    Path("mine.yaml").write_text("agregation: {}\nrisk: {filters: [{type: confidence, min_confidence: 2}]}\n")
    ran = run("config", "check", "mine.yaml")
    assert (ran.code, ran.out) == (2, "")
    value, key = sorted(ran.err.splitlines(), key=lambda line: "agregation" in line)
    assert value.startswith("sengine: mine.yaml: risk.filters[0].min_confidence: expected a number >= 0 and <= 1")
    assert key.startswith("sengine: mine.yaml: agregation: unknown key")
    assert 'did you mean "aggregation"?' in key


def test_strategies_and_their_parameters_are_checked(run: Run) -> None:
    Path("broken.py").write_text("def create_strategy(:\n")
    Path("mine.yaml").write_text(
        "strategies:\n"
        "  - {id: a, plugin: momentum, config: {short_window: 0}}\n"
        "  - {id: b, plugin: ./broken.py}\n"
        "  - {id: c, plugin: momentun}\n"
    )
    ran = run("config", "check", "mine.yaml")
    assert (ran.code, ran.out) == (2, "")
    parameter, broken, missing = ran.err.splitlines()
    assert parameter.startswith("sengine: mine.yaml: strategies.a.config.short_window: expected an integer >= 1")
    assert "strategies.b: " in broken
    assert "broken.py:1: syntax error" in broken
    assert 'strategies.c: no strategy "momentun"' in missing
    assert 'did you mean "momentum"?' in missing


def test_overrides_are_checked_with_the_file(run: Run) -> None:
    Path("mine.yaml").write_text("strategies: [{id: a, plugin: momentum}]\n")
    assert run("config", "check", "mine.yaml", "--set", "strategies.a.config.long_window=30").code == 0
    ran = run("config", "check", "mine.yaml", "--set", "strategies.a.enabled=perhaps")
    assert ran.code == 2
    assert "--set strategies.a.enabled: expected true or false" in ran.err


@pytest.mark.parametrize(("name", "sentence"), [("missing.yaml", "no such file"), (".", "got a directory")])
def test_a_file_that_cannot_be_read_is_bad_input(run: Run, name: str, sentence: str) -> None:
    ran = run("config", "check", name)
    assert (ran.code, ran.out) == (2, "")
    assert sentence in ran.err


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "nothing would trade: it configures no strategies. `sengine init DIR` writes a project to begin from, "),
        ("strategies: [{id: a, plugin: rsi, enabled: false}]", "nothing would trade: 0 of 1 strategies enabled. "),
    ],
)
def test_a_configuration_that_would_trade_nothing_says_so(run: Run, text: str, sentence: str) -> None:
    Path("mine.yaml").write_text(text)
    ran = run("config", "check", "mine.yaml")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"mine.yaml: good; {sentence}")


def test_every_key_is_listed_whole_with_its_meaning(run: Run) -> None:
    ran = run("config", "keys")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    keys = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert keys == [field.name for field in describe(Config)]
    assert "execution.latency_ms  a number >= 0; default 0.0" in lines
    at = lines.index("account.initial_capital  a number > 0; default 100000.0")
    assert lines[at + 1] == "    The account's capital. The drawdown check takes it for each strategy's."
    assert lines == [line.rstrip() for line in lines]


MIXED = "strategies: [{{id: fx, plugin: rsi, symbols: [EURUSD, {other}]}}]\nrisk: {{filters: [{{type: {check}}}]}}\n"


@pytest.mark.parametrize(
    ("check", "name"),
    [
        ("drawdown", "drawdown of fx"),
        ("gross_exposure, max_notional: 1000", "gross_exposure"),
        ("net_exposure, max_notional: 1000", "net_exposure"),
        ("daily_loss, max_loss: 1000", "daily_loss"),
    ],
)
def test_a_limit_that_adds_currencies_up_is_warned_about_with_the_symbols(run: Run, check: str, name: str) -> None:
    Path("mine.yaml").write_text(MIXED.format(other="USDJPY", check=check))
    ran = run("config", "check", "mine.yaml")
    assert ran.code == 0
    assert ran.err.startswith(
        f"sengine: risk: {name} adds up amounts in JPY (USDJPY) and USD (EURUSD) as if they were of one currency"
    )
    Path("mine.yaml").write_text(MIXED.format(other="GBPUSD", check=check))
    assert run("config", "check", "mine.yaml").err == ""


def test_a_limit_of_one_symbol_adds_nothing_up(run: Run) -> None:
    check = "gross_exposure, max_notional: 1000, symbol: EURUSD"
    Path("mine.yaml").write_text(MIXED.format(other="USDJPY", check=check))
    assert run("config", "check", "mine.yaml").err == ""


def test_the_schema_for_editors_is_printed_as_json(run: Run) -> None:
    ran = run("config", "schema")
    assert (ran.code, ran.err) == (0, "")
    assert set(json.loads(ran.out)["properties"]) == {
        each.name.partition(".")[0].partition("[")[0] for each in describe(Config)
    }
