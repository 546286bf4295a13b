from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sengine.plugins.loader import load_plugin
from sengine.resources import resource_path

EXAMPLES = ("market_maker", "momentum", "rsi")
UNTYPED = '''"""Does nothing, at length."""
from sengine.strategy import BaseStrategy

class Idle(BaseStrategy):
    route = "direct"
    market_data = ("book", "trade")
    one_instance_per_symbol = False

    def on_tick(self, data):
        return None

def create_strategy():
    return Idle("idle")
'''

Run = Callable[..., Any]


def test_the_examples_are_listed_with_version_and_description(run: Run) -> None:
    ran = run("strategies", "list")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0] == f"in {resource_path('strategies')}"
    for name, line in zip(EXAMPLES, lines[1:], strict=True):
        loaded = load_plugin(resource_path("strategies", f"{name}.py"))
        assert line.split(maxsplit=2) == [name, loaded.plugin.version, loaded.plugin.description]
        assert len(line) <= 80


def test_ones_own_strategies_come_first_and_broken_ones_are_marked(run: Run) -> None:
    Path("mine").mkdir()
    Path("mine/idle.py").write_text(UNTYPED)
    Path("mine/momentum.py").write_text("def create_strategy(:\n")
    ran = run("strategies", "list", "--directory", "mine")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == f"in {Path('mine').resolve()}"
    assert lines[1].split()[0] == "idle"
    assert lines[2].split()[:2] == ["momentum", "broken:"]
    assert "mine/momentum.py:1: syntax error" in lines[2]
    # Theirs hides the example of that name.
    assert [line.split()[0] for line in lines[4:]] == ["market_maker", "rsi"]


def test_show_tells_what_a_strategy_does_and_takes(run: Run) -> None:
    ran = run("strategies", "show", "momentum")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    loaded = load_plugin(resource_path("strategies", "momentum.py"))
    assert lines[:3] == [f"momentum {loaded.version}", loaded.plugin.description, str(loaded.path)]
    assert "route vote; called for book events; one instance per symbol" in lines
    at = lines.index("short_window  an integer >= 1; default 5")
    assert lines[at + 1] == "    mids in the short mean"


def test_show_takes_a_path_and_a_strategy_without_parameters(run: Run) -> None:
    Path("idle.py").write_text(UNTYPED)
    ran = run("strategies", "show", "./idle.py")
    assert ran.code == 0
    assert "Does nothing, at length." in ran.out
    assert "route direct; called for book, trade events; one instance for all symbols" in ran.out
    assert "It declares no typed parameters" in ran.out


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ('route = "sideways"', "route: expected vote or direct, got 'sideways'"),
        ('market_data = "book"', "market_data: expected some of book, trade, bar, as in (\"book\",), got 'book'"),
        ("market_data = (1, [])", "market_data: expected some of book, trade, bar"),
        ("market_data = None", "market_data: expected some of book, trade, bar"),
        ("route = 1 / 0", "idle.py:6: import failed: ZeroDivisionError: division by zero"),
    ],
)
def test_a_strategy_that_breaks_the_contract_is_bad_input(run: Run, change: str, sentence: str) -> None:
    lines = [line for line in UNTYPED.splitlines() if not line.strip().startswith("market_data")]
    Path("idle.py").write_text("\n".join(lines).replace('route = "direct"', f"pass\n    {change}"))
    ran = run("strategies", "show", "./idle.py")
    assert (ran.code, ran.out) == (2, "")
    assert sentence in ran.err


def test_an_unknown_strategy_suggests_the_nearest(run: Run) -> None:
    ran = run("strategies", "show", "momentun")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith('sengine: no strategy "momentun" in ')
    assert 'did you mean "momentum"?' in ran.err


def test_a_new_strategy_is_found_by_replay_and_runs(run: Run, market: Path) -> None:
    ran = run("strategies", "new", "dip_buyer")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "wrote strategies/dip_buyer.py and strategies/test_dip_buyer.py",
        "try it:  sengine replay FILE.csv --strategy dip_buyer",
        "run it:  under strategies: in your configuration, {id: dip_buyer, plugin: dip_buyer, isolation: process} has "
        "it in a process of its own",
        "test it: python -m pytest strategies/test_dip_buyer.py",
    ]
    assert run("strategies", "show", "dip_buyer").code == 0
    replayed = run("replay", market, "--strategy", "dip_buyer")
    assert replayed.code == 0
    assert "on_tick dip_buyer" in replayed.out
    assert "did not run" not in replayed.out


def test_a_new_strategy_elsewhere_is_run_by_the_path_that_is_printed(run: Run, market: Path) -> None:
    ran = run("strategies", "new", "dip_buyer", "-d", ".")
    assert "wrote dip_buyer.py and test_dip_buyer.py" in ran.out
    (argument,) = [line.split()[-1] for line in ran.out.splitlines() if line.startswith("try it:")]
    assert run("replay", market, "--strategy", argument).code == 0


def test_the_tests_of_a_new_strategy_pass(run: Run) -> None:
    assert run("strategies", "new", "dip_buyer").code == 0
    module = runpy.run_path("strategies/test_dip_buyer.py")
    tests = [test for name, test in module.items() if name.startswith("test_")]
    assert len(tests) == 2
    for test in tests:
        test()


def test_a_file_that_exists_is_never_overwritten(run: Run) -> None:
    Path("strategies").mkdir()
    Path("strategies/test_dip_buyer.py").write_text("mine")
    ran = run("strategies", "new", "dip_buyer")
    assert (ran.code, ran.out) == (2, "")
    assert "test_dip_buyer.py exists already" in ran.err
    assert not Path("strategies/dip_buyer.py").exists()
    assert Path("strategies/test_dip_buyer.py").read_text() == "mine"


@pytest.mark.parametrize("name", ["2fast", "dip-buyer", "class", "../up", "dïp", ""])
def test_a_name_that_no_module_can_have_is_bad_usage(run: Run, name: str) -> None:
    ran = run("strategies", "new", name)
    assert (ran.code, ran.out) == (2, "")
    assert "expected a strategy name of letters, digits and underscores" in ran.err
    assert list(Path().iterdir()) == []


def test_a_folder_that_cannot_be_written_is_bad_usage(run: Run) -> None:
    Path("strategies").write_text("a file")
    ran = run("strategies", "new", "dip_buyer")
    assert (ran.code, ran.out) == (2, "")
    assert "strategies: cannot be written" in ran.err


def test_without_a_name_all_strategies_are_checked(run: Run) -> None:
    ran = run("strategies", "check", "--ticks", "2000", "--warmup", "120", "--json")
    assert (ran.code, ran.err) == (0, "")
    checked = [json.loads(line) for line in ran.out.splitlines()]
    assert [Path(each["path"]).stem for each in checked] == ["market_maker", "momentum", "rsi"]
    assert all(finding["passed"] for each in checked for finding in each["findings"])


def write_folder() -> None:
    """A strategy, two helpers, a strategy that was not finished, and a broken one."""
    Path("mine").mkdir()
    Path("mine/idle.py").write_text("import numbers_of_mine\n" + UNTYPED)
    Path("mine/numbers_of_mine.py").write_text(
        "from sengine.strategy import BaseStrategy\nclass Base(BaseStrategy): ...\n"
    )
    Path("mine/constants.py").write_text("ONE = 1\n")
    Path("mine/unfinished.py").write_text(UNTYPED.partition("def create_strategy")[0])
    Path("mine/broken.py").write_text("def create_strategy(:\n")


def test_helpers_are_skipped_with_a_word_and_the_rest_is_checked(run: Run) -> None:
    write_folder()
    ran = run("strategies", "check", "-d", "mine", "--ticks", "150", "--warmup", "20", "--json")
    assert (ran.code, ran.err) == (1, "")
    checked = {Path(each["path"]).stem: each["findings"] for each in map(json.loads, ran.out.splitlines())}
    assert list(checked) == [
        "broken", "constants", "idle", "numbers_of_mine", "unfinished", "market_maker", "momentum", "rsi",
    ]  # fmt: skip
    told = {name: checked[name][0]["sentence"] for name in ("constants", "numbers_of_mine")}
    assert told == {
        "constants": "not checked: a helper, without create_strategy()",
        "numbers_of_mine": "not checked: a helper that idle.py imports",
    }
    assert all(checked[name][0]["skipped"] for name in told)
    assert "broken.py:1: syntax error" in checked["broken"][0]["sentence"]
    assert "expected a function create_strategy()" in checked["unfinished"][0]["sentence"]
    assert not checked["unfinished"][0]["passed"]
    assert len(checked["idle"]) > 5


def test_helpers_are_no_strategies_to_list(run: Run) -> None:
    write_folder()
    ran = run("strategies", "list", "-d", "mine")
    listed = [line.split()[0] for line in ran.out.splitlines() if line.startswith("  ")]
    assert listed == ["broken", "idle", "unfinished", *EXAMPLES]


def test_the_time_limit_of_a_call_is_the_configured_one(run: Run) -> None:
    Path("slow.py").write_text(
        UNTYPED.replace(
            "return None",
            "import time; end = time.perf_counter() + 0.02\n        while time.perf_counter() < end: pass",
        )
    )
    Path("sengine.yaml").write_text("plugins: {tick_timeout_ms: 5}\n")
    ran = run("strategies", "check", "./slow.py", "--ticks", "10")
    assert ran.code == 1
    assert "interrupted after 5 ms" in ran.out
    Path("sengine.yaml").write_text("plugins: {tick_timeout_ms: 5000}\n")
    assert "passed   no errors" in run("strategies", "check", "./slow.py", "--ticks", "10").out


def test_parameters_are_of_one_strategy(run: Run) -> None:
    ran = run("strategies", "check", "--set", "short_window=5")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("sengine: --set sets parameters of one strategy; name it")


def test_a_folder_that_was_named_and_is_not_there_is_bad_usage(run: Run) -> None:
    ran = run("strategies", "list", "-d", "strategy")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "sengine: --directory strategy: no such folder; name the one that your strategies are in\n"


def test_a_strategy_at_an_address_is_checked_there(run: Run, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sengine", "strategy-host", "momentum", "--listen", "127.0.0.1:0"]
    environment = os.environ | {"STRATEGY_HOST_TOKEN": "secret"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=environment) as host:
        try:
            assert host.stdout is not None
            address = host.stdout.readline().strip().rpartition(" at ")[2]
            stranger = run("strategies", "check", address, "--ticks", "50")
            assert stranger.code == 2
            assert "unauthenticated" in stranger.err
            known = ("--token", "secret", "--set", "long_window=30")
            ran = run("strategies", "check", address, "--ticks", "600", "--warmup", "120", *known)
            assert (ran.code, ran.err) == (0, "")
            assert ran.out.startswith(f"{address}, 600 events\n")
            assert "passed   signals: it gave " in ran.out
            assert "FAILED" not in ran.out
        finally:
            host.terminate()
    unreachable = run("strategies", "check", address, "--ticks", "50")
    assert unreachable.code == 2
    assert unreachable.err.startswith(f"sengine: strategies.checked: no strategy answers at {address} (")
