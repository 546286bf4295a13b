from __future__ import annotations

import gzip
import io
import json
import os
import pty
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE, Popen, check_output
from typing import Any

import pytest

STRATEGIES = ("--strategy", "momentum", "--strategy", "rsi", "--strategy", "market_maker")
NOT_ALL_RAN = "sengine: not every strategy ran to the end; the result says which, and why\n"
GOOD = [f"{at},A,{99 + at % 3},1,{101 + at % 3},1" for at in range(10, 20)]

RAISES = """
from sengine.strategy import BaseStrategy

class Broken(BaseStrategy):
    def on_tick(self, data):
        return self.nothing_here

def create_strategy():
    return Broken("broken")
"""
NONSENSE = """
from sengine.strategy import BaseStrategy

class Broken(BaseStrategy):
    def on_tick(self, data):
        print("on_tick was here")
        return "BUY"

def create_strategy():
    return Broken("broken")
"""

Run = Callable[..., Any]
Start = Callable[..., Popen[bytes]]


def report(run: Run, *arguments: object, all_ran: bool = True) -> dict[str, Any]:
    ran = run("replay", *arguments, "--json", "-")
    assert (ran.code, ran.err) == ((0, "") if all_ran else (1, NOT_ALL_RAN))
    parsed: dict[str, Any] = json.loads(ran.out)
    return parsed


# What it prints and writes.


def test_the_summary_is_printed(run: Run, market: Path) -> None:
    ran = run("replay", market)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("ticks")
    assert "digest sha256:" in ran.out.splitlines()[-1]
    assert all(len(line) <= 80 and line == line.rstrip() for line in ran.out.splitlines())


def test_json_on_standard_output_is_all_that_is_there(run: Run, market: Path) -> None:
    ran = run("replay", market, "--json", "-")
    assert json.loads(ran.out)["ticks"] == 2_000


def test_what_a_strategy_prints_does_not_get_into_the_json(run: Run, market: Path) -> None:
    Path("broken.py").write_text(NONSENSE)
    ran = run("replay", market, "--strategy", "./broken.py", "--json", "-")
    assert json.loads(ran.out)["strategy_errors"]["broken"] >= 10
    assert "on_tick was here" in ran.err


def test_json_in_a_file_comes_beside_the_summary(run: Run, market: Path) -> None:
    ran = run("replay", market, "--json", "result.json")
    assert ran.out.startswith("ticks")
    assert ran.out.endswith("\nwrote result.json\n")
    assert json.loads(Path("result.json").read_text())["digest"] in ran.out


def test_a_configuration_and_overrides_are_used(run: Run, market: Path) -> None:
    Path("mine.yaml").write_text("strategies: [{id: mine, plugin: momentum, symbols: [BTCUSDT]}]\n")
    plain = report(run, market, "-c", "mine.yaml")
    assert {position["strategy_id"] for position in plain["positions"]} == {"mine"}
    assert plain["rejected"] == {"no_strategy_wants_symbol": 2_000 - plain["ticks"]}
    dear = report(run, market, "-c", "mine.yaml", "--set", "execution.commission_bps=10")
    notional = plain["metrics"]["turnover"] * 100_000
    assert dear["metrics"]["commission"] == pytest.approx(notional * 0.001)
    assert dear["metrics"]["total_pnl"] == pytest.approx(plain["metrics"]["total_pnl"] - notional * 0.001)


# The digest.


def test_the_digest_does_not_depend_on_what_is_written(run: Run, market: Path) -> None:
    plain = report(run, market, *STRATEGIES)
    outputs = ("--signals", "s.csv", "--fills", "f.csv", "--equity", "e.csv")
    assert report(run, market, *STRATEGIES, *outputs)["digest"] == plain["digest"]
    assert plain["digest"] in run("replay", market, *STRATEGIES, "--json", "r.json").out
    assert report(run, market, *STRATEGIES, "--strict")["digest"] == plain["digest"]


def test_the_digest_is_the_same_in_processes_with_different_hash_seeds(start: Start, market: Path) -> None:
    command = ("replay", market, *STRATEGIES, "--json", "-")
    processes = [
        start(*command, environment={"PYTHONHASHSEED": seed}, stdout=PIPE, stderr=PIPE) for seed in ("1", "31337")
    ]
    results = []
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, b"")
        results.append(json.loads(out))
    first, second = results
    assert first["digest"] == second["digest"]
    assert first["orders"] > 100


# Bad rows: counted by reason and skipped; with --strict the file and the line are named.


@pytest.mark.parametrize(
    ("row", "reason", "sentence"),
    [
        ("15,A,many,1,101,1", "not_a_number", "bid_price: expected a number, got 'many'"),
        ("15,A,99,1", "missing_column", "expected 6 columns, got 4"),
        ("15,A,nan,1,101,1", "not_finite", "not finite"),
        ("15,A,-99,1,101,1", "price_not_positive", "price not positive"),
        ("15,A,102,1,101,1", "crossed_book", "crossed book"),
        ("9,A,99,1,101,1", "time_backwards", "time backwards"),
        ("noon,A,99,1,101,1", "bad_timestamp", "timestamp: expected a timestamp"),
        ("15,,99,1,101,1", "empty_symbol", "symbol: expected a name, got nothing"),
    ],
)
def test_a_bad_row_is_counted_and_skipped(run: Run, quotes: Run, row: str, reason: str, sentence: str) -> None:
    path = quotes(*GOOD[:5], row, *GOOD[5:])
    ran = run("replay", path, "--json", "-")
    result = json.loads(ran.out)
    assert (result["ticks"], result["rejected"]) == (len(GOOD), {reason: 1})
    assert ran.code == 0
    warning, example = ran.err.splitlines()
    assert warning.startswith("sengine: warning: 1 of 11 rows (9.1%) were dropped")
    assert example.startswith(f"sengine: 1 {reason.replace('_', ' ')}, first quotes.csv:7: {sentence}")
    assert result["dropped"][reason]["place"] == "quotes.csv:7"
    assert result["dropped"][reason]["detail"].startswith(sentence)
    strict = run("replay", path, "--strict")
    assert (strict.code, strict.out) == (2, "")
    assert strict.err.startswith(f"sengine: quotes.csv:7: {sentence}")
    assert strict.err.count("\n") == 1


def test_a_symbol_that_no_strategy_wants_is_counted_and_no_fault(run: Run, quotes: Run) -> None:
    path = quotes(*GOOD, "20,B,99,1,101,1")
    wanted = ("--set", "strategies.momentum.symbols=[A]")
    assert report(run, path, *wanted, "--strict")["rejected"] == {"no_strategy_wants_symbol": 1}


def test_few_bad_rows_are_told_with_an_example_and_no_warning(run: Run, quotes: Run) -> None:
    path = quotes("10,A,x,1,101,1", *(f"{at},A,99,1,101,1" for at in range(10, 200)))
    ran = run("replay", path)
    assert (ran.code, ran.err) == (0, "")
    assert "dropped 1 row: not a number, first quotes.csv:2: bid_price: expected a number, got 'x'\n" in ran.out


def test_a_run_that_dropped_every_row_is_bad_input_that_names_the_first_bad_cell(run: Run, quotes: Run) -> None:
    path = quotes("15,A,many,1,101,1", "y,z", ",,,,,", "16,A,few,1,101,1")
    ran = run("replay", path)
    assert_bad_input(ran, "all 4 rows were dropped, so there was nothing to run on")
    assert ran.err.splitlines()[1] == (
        "sengine: 2 not a number, first quotes.csv:2: bid_price: expected a number, got 'many'"
    )
    ran = run("replay", path, "--json", "-")
    assert ran.code == 2
    result = json.loads(ran.out)
    assert (result["ticks"], sum(result["rejected"].values())) == (0, 4)
    assert result["dropped"]["not_a_number"] == {
        "place": "quotes.csv:2",
        "detail": "bid_price: expected a number, got 'many'",
    }


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (("15,A,102,1,101,1",), "1 crossed book, first quotes.csv:2: crossed book: bid 102 x 1, ask 101 x 1"),
        (
            ("20240102,A,99,1,101,1",) * 3,
            "3 not an epoch number, first quotes.csv:2: timestamp: expected a timestamp, got 20",
        ),
        (
            ("-5,A,99,1,101,1",) * 3,
            "3 not an epoch number, first quotes.csv:2: timestamp: expected a timestamp, got",
        ),
        ((), "the market data holds no rows, so there was nothing to run on"),
    ],
)
def test_no_way_of_having_no_market_data_ends_with_0(
    run: Run, quotes: Run, rows: tuple[str, ...], sentence: str
) -> None:
    ran = run("replay", quotes(*rows))
    assert (ran.code, ran.out) == (2, "")
    assert f"sengine: {sentence}" in ran.err


def test_seconds_of_a_day_from_midnight_are_no_run(run: Run, quotes: Run) -> None:
    path = quotes(*(f"{at},A,99,1,101,1" for at in range(0, 86_400, 600)))
    ran = run("replay", path)
    assert ran.code == 2
    assert "sengine: 127 times are no epoch numbers, first quotes.csv:19: timestamp: expected a timestamp" in ran.err
    assert "got 10200, seconds of a day (2:50:00)" in ran.err


def test_symbols_that_no_strategy_wants_alone_are_no_run_either(run: Run, quotes: Run) -> None:
    ran = run("replay", quotes(*GOOD), "--set", "strategies.momentum.symbols=[B]")
    assert_bad_input(ran, "all 10 rows were dropped")
    assert "10 no strategy wants symbol, first quotes.csv:2: no strategy wants A\n" in ran.err


@pytest.mark.parametrize("largest", [1e306, 1.7e308])
def test_prices_near_the_largest_float_end_in_no_traceback(run: Run, quotes: Run, largest: float) -> None:
    prices = [largest / (2 + at * 7 % 13) for at in range(120)]
    path = quotes(*(f"{at},A,{price!r},1,{price * 1.2!r},1" for at, price in enumerate(prices)))
    ran = run("replay", path, *STRATEGIES)
    assert "ticks" in ran.out
    # Some of them cannot compute with such prices, and say so.
    assert ran.err in ("", NOT_ALL_RAN)


# Bad files: one clear sentence and exit code 2.


def test_a_truncated_gzip_is_a_bad_file(run: Run, market: Path) -> None:
    path = Path("cut.csv.gz")
    path.write_bytes(gzip.compress(market.read_bytes())[:-2_000])
    assert_bad_input(run("replay", path), "cut.csv.gz: the gzip data ends early")


def test_an_empty_file_is_a_bad_file(run: Run) -> None:
    Path("empty.csv").touch()
    assert_bad_input(run("replay", "empty.csv"), "empty.csv is empty; expected a header line")


def test_a_directory_is_no_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert_bad_input(run("replay", "empty"), "empty: a folder with neither a journal nor market data; ")
    (tmp_path / "empty/b.csv.gz").touch()
    (tmp_path / "empty/a.csv").touch()
    assert_bad_input(run("replay", "--journal", "empty"), "empty: a folder without a journal; ")
    assert run("replay", "empty").err.endswith("It holds 2 files of market data: name them, as empty/a.csv\n")


def test_a_missing_file_is_named(run: Run) -> None:
    assert_bad_input(run("replay", "missing.csv"), "missing.csv: no such file")


def test_a_file_without_a_known_header_lists_the_known_ones(run: Run) -> None:
    Path("prices.csv").write_text("date,close\n2024-01-01,5\n")
    ran = run("replay", "prices.csv")
    assert_bad_input(ran, "prices.csv: the header is of no known kind")
    assert "timestamp,symbol,bid_price,bid_qty,ask_price,ask_qty" in ran.err


def test_one_bad_file_among_good_ones_is_an_error(run: Run, market: Path) -> None:
    assert_bad_input(run("replay", market, "missing.csv"), "missing.csv: no such file")


def assert_bad_input(ran: Any, sentence: str) -> None:
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"sengine: {sentence}")
    assert all(line.startswith("sengine: ") for line in ran.err.splitlines())


# Bad strategies: reported with file and line, and the others run on.


@pytest.mark.parametrize(
    ("source", "place", "message"),
    [
        (RAISES, "broken.py:6", "AttributeError: 'Broken' object has no attribute 'nothing_here'"),
        (NONSENSE, "broken.py:5", "on_tick must return Signal, several or None, got str"),
    ],
)
def test_a_strategy_that_misbehaves_is_located(run: Run, market: Path, source: str, place: str, message: str) -> None:
    Path("broken.py").write_text(source)
    alone = report(run, market)
    ran = run("replay", market, "--strategy", "./broken.py", "--strategy", "momentum")
    assert ran.code == 1
    # What a strategy prints comes before, with its id and the event's time.
    *printed, last = ran.err.splitlines(keepends=True)
    assert last == NOT_ALL_RAN
    assert all(line.endswith(" broken info: on_tick was here\n") for line in printed)
    (line, *_) = [line for line in ran.out.splitlines() if message in line]
    assert place in line
    assert alone["digest"] in ran.out


def test_a_syntax_error_is_located(run: Run, market: Path) -> None:
    Path("broken.py").write_text("import os\n\ndef create_strategy(:\n    pass\n")
    both = ("--strategy", "./broken.py", "--strategy", "momentum")
    result = report(run, market, *both, all_ran=False)
    (failed,) = result["failed_strategies"]
    assert failed["strategy_id"] == "broken"
    assert "broken.py:3: syntax error" in failed["reason"]
    assert result["digest"] == report(run, market)["digest"]
    assert "strategy broken did not run: " in run("replay", market, *both).out


def test_a_strategy_that_exits_does_not_end_the_run(run: Run, market: Path) -> None:
    Path("broken.py").write_text(RAISES.replace("return self.nothing_here", "raise SystemExit(3)"))
    result = report(run, market, "--strategy", "./broken.py", "--strategy", "momentum", all_ran=False)
    assert result["strategy_errors"]["broken"] >= 10
    assert result["fills"] > 0


# Exit codes and mistakes on the command line.


def test_a_run_that_no_strategy_can_take_part_in_has_failed(run: Run, market: Path) -> None:
    Path("broken.py").write_text("raise RuntimeError('not today')\n")
    ran = run("replay", market, "--strategy", "./broken.py")
    assert (ran.code, ran.out) == (1, "")
    assert "broken.py:1: import failed: RuntimeError: not today" in ran.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--set", "strategies.momentum.config.short_window=five"], "short_window: expected an integer >= 1"),
        (["--set", "aggregation.method=loudest"], "aggregation.method: expected"),
        (["--set", "nonsense"], "expected KEY=VALUE"),
        (["--strategy", "momentun"], 'did you mean "momentum"?'),
        (["-c", "missing.yaml"], "missing.yaml: no such file"),
        (["--signals", "missing/s.csv"], "missing/s.csv: cannot be written"),
        (["--json", "missing/r.json"], "missing/r.json: cannot be written"),
        (["--fills", "market.csv"], "this run reads that file"),
        (["--signals", "x.csv", "--equity", "x.csv"], "--signals writes that file"),
    ],
)
def test_bad_usage_is_a_sentence_and_exit_code_2(run: Run, market: Path, arguments: list[str], sentence: str) -> None:
    ran = run("replay", market, *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("sengine: ")
    assert sentence in ran.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "replay needs market data: name FILEs"),
        (["market.csv", "--no-such-option"], "No such option: --no-such-option"),
        (["market.csv", "--set"], "Option '--set' requires an argument"),
    ],
)
def test_a_command_line_that_cannot_be_understood_is_bad_usage(run: Run, arguments: list[str], sentence: str) -> None:
    ran = run("replay", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert sentence in ran.err
    assert "Traceback" not in ran.err


# Pipes, terminals and disks.


def test_a_reader_that_goes_away_is_no_traceback(start: Start, market: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    processes = [start("replay", market, *json_too, stdout=writer, stderr=PIPE) for json_too in ((), ("--json", "-"))]
    os.close(writer)
    for process in processes:
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (1, b"")


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_gets_a_progress_bar_and_colour_unless_told_not_to(
    start: Start, market: Path, environment: dict[str, str], coloured: bool
) -> None:
    ours, theirs = pty.openpty()
    process = start("replay", market, environment={"TERM": "xterm"} | environment, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65_536):
            shown += piece
    except OSError:  # how Linux says that the other side has closed the terminal
        pass
    os.close(ours)
    assert process.wait(timeout=60) == 0
    assert b"2,000 ticks" in shown
    assert b"digest sha256:" in shown
    assert (b"\x1b[1m" in shown or b"\x1b[32m" in shown) == coloured


needs_full_device = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")


@needs_full_device
def test_a_full_disk_under_a_written_file_fails_the_run(run: Run, market: Path) -> None:
    ran = run("replay", market, "--signals", "/dev/full")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "sengine: /dev/full: writing failed: No space left on device; the file is incomplete\n"


@needs_full_device
@pytest.mark.parametrize("json_too", [(), ("--json", "-")])
def test_a_full_disk_under_standard_output_fails_the_run(
    run: Run, market: Path, json_too: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        ran = run("replay", market, *json_too)
    assert ran.code == 1
    assert ran.err == "sengine: No space left on device\n"


def test_an_ascii_pipe_gets_an_ascii_summary(run: Run, quotes: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    path = quotes(*(row.replace("A", "Ä") for row in GOOD), *(f"{at},Ä,{at},1,{at + 1},1" for at in range(20, 60)))
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    assert run("replay", path).code == 0
    sys.stdout.flush()
    assert r"momentum  \xc4" in written.getvalue().decode("ascii")


def test_a_replay_without_remote_strategies_does_not_load_grpc(market: Path) -> None:
    # It takes 17 MB, and longer than a small replay.
    program = (
        "import sys; sys.argv = ['sengine', 'replay', sys.argv[1], '--strategy', 'momentum']\n"
        "from sengine.__main__ import main\n"
        "try: main()\nfinally: print('grpc' in sys.modules)"
    )
    said = check_output([sys.executable, "-c", program, market], encoding="utf-8", timeout=60)
    assert "digest" in said
    assert said.endswith("False\n")
