"""Strategies that do what they must not, each found out by the check that is there for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from replay.sample import write_sample
from replay.synthetic import generate_quotes
from sengine.adapters.containment.call_timer import CallTimer
from sengine.adapters.remote.lockstep import LockstepHosts
from sengine.assembly import strategy_spec
from sengine.config.schema import StrategyConfig
from sengine.domain.events import MarketEvent
from sengine.engine.strategies.guard import Guard
from sengine.engine.strategies.spec import StrategySpec
from sengine.plugins.conformance import Finding, check
from sengine.plugins.loader import load_plugin
from sengine.plugins.market import Market
from sengine.resources import resource_path

EVENTS = list(generate_quotes(600, ["BTCUSDT", "ETHUSDT"], 1))
MANY = list(generate_quotes(3000, ["BTCUSDT", "ETHUSDT"], 1))

STRATEGY = """
import random, time
from pathlib import Path
from sengine.strategy import BaseStrategy, Signal

SEEN = []

class Tested(BaseStrategy):
    def __init__(self):
        super().__init__("tested")
        self.ticks = 0
        self.first = 0.0

    def on_tick(self, data):
        self.ticks += 1
        self.first = self.first or data.mid
        if {condition}:
            return Signal(direction="LONG", confidence=0.5)
        return Signal(direction="SHORT", confidence=0.5) if self.ticks % 7 == 0 else None

def create_strategy():
    return Tested()
"""
BAD = {
    "reads random": ("random.random() < 0.5", "repeatable"),
    "reads the clock": ("int(time.time() / 1000) % 3 == self.ticks % 3", "repeatable"),
    "hidden state of the module": ("not SEEN.append(1) and len(SEEN) % 11 == 0", "no shared state"),
    "peeks at a file": ("'x' in Path(__file__).read_text() and self.ticks % 5 == 0", "no other input"),
    "remembers the first price for good": ("data.mid > self.first", "warm-up"),
    "says nothing": ("False and 1 or self.ticks > 10**9 or setattr(self, 'ticks', 1)", "signals"),
}


def loading(path: Path) -> Callable[[], StrategySpec]:
    return lambda: strategy_spec(StrategyConfig(id="checked", plugin=str(path)), load_plugin(path))


def failed(findings: list[Finding]) -> list[str]:
    return [finding.check for finding in findings if not finding.passed]


@pytest.mark.parametrize("name", ["momentum", "rsi", "market_maker"])
def test_the_examples_pass_every_check(name: str) -> None:
    findings = check({"as Python": loading(resource_path("strategies", f"{name}.py"))}, MANY, 60)
    assert [finding.sentence for finding in findings if not finding.passed or finding.skipped] == []


@pytest.mark.parametrize("fault", BAD)
def test_a_strategy_that_breaks_a_rule_is_found_out(fault: str, tmp_path: Path) -> None:
    condition, expected = BAD[fault]
    path = tmp_path / "tested.py"
    path.write_text(STRATEGY.format(condition=condition))
    findings = check({"as Python": loading(path)}, EVENTS, 60)
    assert expected in failed(findings), [finding.sentence for finding in findings]


def test_a_past_that_changes_when_later_ticks_are_taken_away_is_found_out(tmp_path: Path) -> None:
    """No strategy can look ahead in an engine, so the ones that are loaded for the shorter runs behave differently."""
    usual, other = tmp_path / "usual.py", tmp_path / "other.py"
    usual.write_text(STRATEGY.format(condition="self.ticks % 5 == 0"))
    other.write_text(STRATEGY.format(condition="self.ticks % 5 == 1"))
    loads = [loading(usual)] * 3 + [loading(other)] * 3
    findings = check({"as Python": lambda: loads.pop(0)()}, EVENTS, 60)
    # A strategy that counts ticks never says the same after another warm-up.
    assert failed(findings) == ["no look-ahead", "warm-up"]
    (look_ahead,) = [finding for finding in findings if finding.check == "no look-ahead"]
    assert "depends on later ticks: at tick 1 " in look_ahead.sentence


def test_two_ways_that_differ_are_compared_signal_by_signal(tmp_path: Path) -> None:
    one, other = tmp_path / "one.py", tmp_path / "other.py"
    one.write_text(STRATEGY.format(condition="self.ticks % 5 == 0"))
    other.write_text(STRATEGY.format(condition="self.ticks % 5 == 0 and self.ticks != 10"))
    findings = check({"here": loading(one), "there": loading(other)}, EVENTS, 60)
    (difference,) = [finding for finding in findings if finding.check == "same there"]
    assert not difference.passed
    assert "at tick" in difference.sentence
    assert "says LONG 1.0 confidence 0.5 here, and nothing there" in difference.sentence


def test_too_little_data_for_the_warm_up_is_said_and_no_failure() -> None:
    findings = check({"as Python": loading(resource_path("strategies", "momentum.py"))}, EVENTS[:100], 60)
    (warm_up,) = [finding for finding in findings if finding.check == "warm-up"]
    assert warm_up.skipped
    assert "it needs 121 ticks of this data, there are 100" in warm_up.sentence


BARS = """
from sengine.strategy import BaseStrategy, Signal

class Channel(BaseStrategy):
    # Bars of 60 ticks; long above the highest of the last five, short below the lowest.
    def __init__(self):
        super().__init__("channel")
        self.ticks, self.bars = 0, []

    def on_tick(self, data):
        self.ticks += 1
        if self.ticks % 60 == 0:
            self.bars = [*self.bars, data.mid][-5:]
        if not self.bars:
            return None
        if data.mid > max(self.bars) and self.position <= 0:
            return Signal(direction="LONG", confidence=0.5)
        if data.mid < min(self.bars) and self.position >= 0:
            return Signal(direction="SHORT", confidence=0.5)
{state}
def create_strategy():
    return Channel()
"""
STATE = """
    def export_state(self):
        return {"ticks": self.ticks, "bars": self.bars}

    def import_state(self, state, version):
        self.ticks, self.bars = state["ticks"], list(state["bars"])
"""


def warm_up_of(path: Path, ticks: int = 120) -> Finding:
    findings = {finding.check: finding for finding in check({"as Python": loading(path)}, MANY, ticks)}
    return findings["warm-up"]


def test_a_warm_up_is_held_against_the_run_that_was_never_interrupted(tmp_path: Path) -> None:
    """After k ticks and after 2k ticks such a strategy says the same, and neither is what it would have said."""
    path = tmp_path / "channel.py"
    path.write_text(BARS.replace("{state}", ""))
    finding = warm_up_of(path)
    assert finding.has_failed
    assert "120 ticks of warm-up (plugins.warmup_ticks) are too few for it: at tick " in finding.sentence
    assert "when it is never interrupted" in finding.sentence
    assert "bars had 5, has 2" in finding.sentence


def test_declared_state_makes_the_warm_up_enough(tmp_path: Path) -> None:
    path = tmp_path / "channel.py"
    path.write_text(BARS.replace("{state}", STATE))
    assert warm_up_of(path).word == "passed"


@pytest.mark.parametrize("condition", ["setattr(self, 'ticks', 1)", "self.ticks < 0"])
def test_without_any_signal_nothing_that_compares_signals_is_proved(condition: str, tmp_path: Path) -> None:
    path = tmp_path / "silent.py"
    path.write_text(STRATEGY.format(condition=condition).replace("self.ticks % 7 == 0", "False"))
    words = {each.check: each.word for each in check({"as Python": loading(path), "again": loading(path)}, EVENTS, 60)}
    assert words == {
        "signals": "not proved",
        "no errors": "passed",
        "same again": "not proved",
        "repeatable": "not proved",
        "no shared state": "not proved",
        "no other input": "passed",
        "no look-ahead": "not proved",
        "warm-up": "not proved",
    }


def test_signals_only_before_the_reload_prove_nothing_about_the_warm_up(tmp_path: Path) -> None:
    path = tmp_path / "early.py"
    path.write_text(STRATEGY.format(condition="self.ticks == 3").replace("self.ticks % 7 == 0", "False"))
    findings = {finding.check: finding for finding in check({"as Python": loading(path)}, EVENTS, 60)}
    assert findings["repeatable"].word == "passed"
    assert findings["warm-up"].word == "not proved"
    assert "it gave no signal after tick 300" in findings["warm-up"].sentence


FAILING = """
import os
from sengine.strategy import BaseStrategy, Signal

class Failing(BaseStrategy):
    one_instance_per_symbol = False
    ticks = 0

    def on_tick({parameters}):
        self.ticks += 1
        if self.ticks == 3:
            {statement}

def create_strategy():
    return Failing("failing")
"""
FAILURES = {
    "raises": ("1 / 0", 12, "on_tick", "ZeroDivisionError: division by zero"),
    "raises without a text": ("raise SystemExit", 12, "on_tick", "SystemExit"),
    "returns a wrong type": (
        "return 5",
        9,
        "reading its signal",
        "on_tick must return Signal, several or None, got int",
    ),
    "returns several wrong ones": (
        "return ['LONG']",
        9,
        "reading its signal",
        "on_tick must return Signal, several or None, got str",
    ),
    "gives a confidence beyond 1": (
        "return Signal(direction='LONG', confidence=7.0)",
        9,
        "reading its signal",
        "confidence must be from 0 to 1, got 7.0",
    ),
}


@pytest.fixture
def failing(tmp_path: Path) -> Callable[..., Path]:
    def write(statement: str, parameters: str = "self, data", name: str = "failing.py") -> Path:
        path = tmp_path / name
        path.write_text(FAILING.format(statement=statement, parameters=parameters))
        return path

    return write


@pytest.mark.parametrize("failure", FAILURES)
def test_what_goes_wrong_in_a_call_is_a_finding_with_its_line_and_its_tick(
    failure: str, failing: Callable[..., Path]
) -> None:
    statement, line, call, message = FAILURES[failure]
    path = failing(statement)
    (finding,) = check({"as Python": loading(path)}, EVENTS, 60)
    assert (finding.check, finding.passed) == ("no errors", False)
    assert finding.sentence.startswith(f"{path}:{line}: {call} at tick 3 (")
    assert f"): {message}; " in finding.sentence


def test_a_changed_signature_is_a_finding_at_the_line_of_its_def(failing: Callable[..., Path]) -> None:
    path = failing("pass", "self")
    (finding,) = check({"as Python": loading(path)}, EVENTS, 60)
    assert finding.sentence.startswith(f"{path}:9: on_tick at tick 1 (")
    assert "on_tick() takes 1 positional argument but 2 were given" in finding.sentence


def test_an_error_in_the_warm_up_alone_is_a_finding_of_that(tmp_path: Path) -> None:
    path = tmp_path / "late.py"
    late = f"self.ticks == 1 and data.timestamp_ns > {EVENTS[100].timestamp_ns} and 1 / 0"
    path.write_text(STRATEGY.format(condition=late))
    findings = check({"as Python": loading(path)}, EVENTS, 60)
    (warm_up,) = [finding for finding in findings if finding.check == "warm-up"]
    assert not warm_up.passed
    assert warm_up.sentence.startswith(f"{path}:17: the warm-up of a new instance at tick 300 (")
    assert "ZeroDivisionError" in warm_up.sentence


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("os._exit(9)", "the strategy's process ended with exit code 9"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    ],
)
def test_a_strategy_that_ends_its_process_is_told_of_and_not_run_in_this_one(
    statement: str, message: str, failing: Callable[..., Path]
) -> None:
    path = failing(statement)
    ran = sengine("strategies", "check", str(path), "--ticks", "100", "--json")
    assert ran.returncode == 1, ran.stderr
    (finding,) = json.loads(ran.stdout)["findings"]
    assert finding["check"] == "no errors"
    assert finding["sentence"].startswith(f"{path}:")
    assert " at tick 3 (" in finding["sentence"]
    assert f"): {message}; " in finding["sentence"]


@pytest.mark.parametrize("endless", ["while True: pass", "sum(iter(int, 1))"])
def test_a_call_that_does_not_return_is_given_up_with_the_line_that_it_is_at(
    endless: str, failing: Callable[..., Path]
) -> None:
    path = failing(endless)
    strategy = StrategyConfig(id="checked", type="grpc", module=str(path))
    with LockstepHosts(Path, answer_within_s=0.5) as hosts:
        (finding,) = check({"as Python": loading(path)}, EVENTS, 60, apart=lambda: hosts.spec(strategy))
    assert finding.sentence.startswith(f"{path}:12: on_tick at tick 3 (")
    assert "has not answered within 0.5 s" in finding.sentence


def test_a_call_that_takes_longer_than_a_tick_may_is_cut_short(failing: Callable[..., Path]) -> None:
    path = failing("while os.getpid() == {pid}: pass".replace("{pid}", str(os.getpid())))

    @contextmanager
    def limit(guard: Guard) -> Iterator[None]:
        timer, before = CallTimer(guard, 50.0, 10_000.0), signal.getsignal(signal.SIGALRM)
        timer.start()
        try:
            yield
        finally:
            timer.stop()
            signal.signal(signal.SIGALRM, before)

    (finding,) = check({"as Python": loading(path)}, EVENTS, 60, limit=limit)
    assert finding.sentence.startswith(f"{path}:12: on_tick at tick 3 (")
    assert "interrupted after 50 ms" in finding.sentence


def sengine(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sengine", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_command_reports_and_its_exit_code_tells(tmp_path: Path) -> None:
    path = tmp_path / "tested.py"
    path.write_text(STRATEGY.format(condition="random.random() < 0.5"))
    good = sengine("strategies", "check", "momentum", "--ticks", "1500")
    assert good.returncode == 0, good.stdout + good.stderr
    assert "passed   no look-ahead: " in good.stdout
    assert "passed   same out of process: " in good.stdout
    bad = sengine("strategies", "check", str(path), "--ticks", "1500", "--json")
    assert bad.returncode == 1
    findings = {finding["check"]: finding for finding in json.loads(bad.stdout)["findings"]}
    assert not findings["repeatable"]["passed"]
    wrong = sengine("strategies", "check", "momentum", "--set", "short_window")
    assert wrong.returncode != 0
    assert "expected KEY=VALUE" in wrong.stderr


def test_a_check_without_any_signal_is_not_proved_and_has_an_exit_code_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "silent.py"
    path.write_text(STRATEGY.format(condition="False").replace("self.ticks % 7 == 0", "False"))
    ran = sengine("strategies", "check", str(path), "--ticks", "1500")
    assert ran.returncode == 3, ran.stdout + ran.stderr
    assert "  not proved  signals: it gave no signal at all on this data: nothing is proved by it" in ran.stdout
    assert "  passed   no errors: it made no error on 1500 events" in ran.stdout
    told = json.loads(sengine("strategies", "check", str(path), "--ticks", "1500", "--json").stdout)
    findings = {each["check"]: each for each in told["findings"]}
    assert (findings["repeatable"]["passed"], findings["repeatable"]["proved"]) == (False, False)


def test_all_of_the_data_is_used_and_what_it_prints_is_told_aside(tmp_path: Path) -> None:
    path, market = tmp_path / "tested.py", tmp_path / "m.csv"
    path.write_text(STRATEGY.format(condition="not print('hello') and self.ticks % 5 == 0"))
    write_sample(market, 6000, ["BTCUSDT"], seed=3)
    ran = sengine("strategies", "check", str(path), "--data", str(market), "--warmup", "35")
    assert "passed   no errors: it made no error on 6000 events" in ran.stdout
    assert "hello" not in ran.stdout
    assert ran.stderr == f"sengine: {path} prints while it is checked, first 'hello'\n"
    less = sengine("strategies", "check", str(path), "--data", str(market), "--ticks", "700")
    assert "it made no error on 700 events" in less.stdout


def test_data_of_which_nothing_can_be_used_is_refused_with_its_first_fault(tmp_path: Path) -> None:
    market = tmp_path / "bad.csv"
    market.write_text("timestamp,symbol,bid_price,bid_qty,ask_price,ask_qty\n2024-01-02T00:00:00Z,BTC,x,1,2,1\n")
    ran = sengine("strategies", "check", "momentum", "--data", str(market))
    assert ran.returncode == 2
    assert "nothing to check on: " in ran.stderr
    assert "bad.csv:2: " in ran.stderr


def test_a_market_is_read_again_where_it_is_too_large_to_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    reads = 0

    def read() -> Iterator[MarketEvent]:
        nonlocal reads
        reads += 1
        yield from EVENTS

    kept = Market(read)
    assert [list(kept), list(kept), kept.count, reads] == [EVENTS, EVENTS, 600, 1]
    monkeypatch.setattr("sengine.plugins.market._KEPT", 100)
    large, shares = Market(read), list[tuple[int, float]]()
    large.on_progress = lambda passes, share: shares.append((passes, share))
    assert [list(large), list(large), large.count] == [EVENTS, EVENTS, 600]
    assert reads == 4
    assert shares == [(1, 0.0), (2, 0.0)]
