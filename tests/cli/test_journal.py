from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from replay.synthetic import quote_rows
from sengine.adapters.journal.format import frame, frames
from tests.test_verification import MOMENTUM, StrategyConfig, configuration, record

Run = Callable[..., Any]


def recorded(folder: Path, *strategies: StrategyConfig) -> Path:
    """A data directory with a session's journal in it."""
    journal = folder / "data" / "journal"
    journal.mkdir(parents=True)
    quotes = folder / "quotes.csv"
    rows = [",".join(map(str, row)) for row in quote_rows(1_500, ["BTCUSDT"], 11)]
    quotes.write_text("timestamp,symbol,bid_price,bid_qty,ask_price,ask_qty\n" + "\n".join(rows) + "\n")
    record(configuration(folder, *strategies), journal, quotes)
    return folder / "data"


def test_session_is_verified_inspected_exported_and_replayed(run: Run, tmp_path: Path) -> None:
    data = recorded(tmp_path, MOMENTUM)
    ran = run("verify", data)
    assert (ran.code, ran.err) == (0, "")
    assert "session simulated: 1504 events" in ran.out
    assert "  equal: sha256:" in ran.out
    assert json.loads(run("verify", data, "--json").out)["divergence"] is None
    counted = run("journal", "stat", data).out
    assert "1,500  Quote" in counted
    shown = run("journal", "inspect", data, "--limit", "5").out.splitlines()
    assert len(shown) == 5
    assert shown[0].startswith("1:0  Header")
    lines = [json.loads(line) for line in run("journal", "export", data).out.splitlines()]
    assert [line["kind"] for line in lines[:3]] == ["Header", "Checkpoint", "Quote"]
    until = f"1:{lines[2]['offset']}"
    assert len(run("journal", "export", data, "--until", until).out.splitlines()) == 2
    assert json.loads(run("replay", "--journal", data, "--json", "-").out)["ticks"] == 1500


def test_a_session_without_market_data_is_no_backtest(run: Run, tmp_path: Path) -> None:
    data = recorded(tmp_path, MOMENTUM)
    path = data / "journal" / "0000000001.journal"
    kept = [b for _, b in frames(memoryview(path.read_bytes())) if bytes(b[1:3]) != b"\xa1Q"]
    path.write_bytes(b"".join(frame(bytes(each)) for each in kept))
    ran = run("replay", "--journal", data)
    assert ran.code != 0
    assert "no market data is in it, so there is nothing to replay" in ran.err


def test_place_at_which_no_record_begins_is_told_with_the_nearest_ones(run: Run, tmp_path: Path) -> None:
    data = recorded(tmp_path, MOMENTUM)
    path = data / "journal" / "0000000001.journal"
    content = path.read_bytes()
    places = [offset for offset, _ in frames(memoryview(content))]

    def told(place: int) -> tuple[int, str]:
        ran = run("journal", "inspect", data, "--from", f"1:{place}", "--market-data")
        return ran.code, ran.err.removeprefix(f"sengine: {path}: ")

    no_record = "no record begins at byte"
    assert told(27) == (2, f"{no_record} 27; the nearest ones begin at 0 and {places[1]}\n")
    last, size = places[-1], len(content)
    assert told(last + 1) == (2, f"{no_record} {last + 1}; the nearest one before it begins at {last}\n")
    assert told(size + 9) == (2, f"{no_record} {size + 9}; the nearest one before it begins at {last}\n")
    assert told(places[3]) == told(last) == told(size) == (0, "")
    ran = run("journal", "inspect", data, "--from", "7")
    assert (ran.code, ran.err) == (2, f"sengine: {path.parent}: there is no segment 7; the newest is 1\n")
    # What is damaged is still called so, and what is behind it can be asked for.
    path.write_bytes(content[: places[5] + 20] + b"\xff" + content[places[5] + 21 :])
    assert told(places[5])[1].startswith(f"byte {places[5]}: damaged: ")
    assert told(places[6]) == (0, "")
    assert told(places[6] + 1) == (2, f"{no_record} {places[6] + 1}; the nearest one before it begins at {places[4]}\n")


def test_what_is_before_damage_is_exported_as_its_sentence_says(run: Run, tmp_path: Path) -> None:
    data = recorded(tmp_path, MOMENTUM)
    path = data / "journal" / "0000000001.journal"
    content = path.read_bytes()
    place = [offset for offset, _ in frames(memoryview(content))][5]
    path.write_bytes(content[: place + 20] + b"\xff" + content[place + 21 :])
    ran = run("journal", "export", data)
    assert ran.code == 2
    assert ran.err.endswith(f"what is before it can be read with `sengine journal export --until 1:{place}`\n")
    ran = run("journal", "export", data, "--until", f"1:{place}")
    assert (ran.code, ran.err, len(ran.out.splitlines())) == (0, "", 5)
    assert run("journal", "export", data, "--until", f"1:{place + 1}").code == 2


def test_difference_is_shown_with_both_sides_and_exit_code_1(run: Run, tmp_path: Path) -> None:
    ran = run("verify", recorded(tmp_path, StrategyConfig(id="liar", plugin="clock")))
    assert ran.code == 1
    assert "DIFFERENT at 1:" in ran.out
    assert "recorded: signal liar" in ran.out
    assert "again:    signal liar" in ran.out
    assert "strategy liar (" in ran.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("verify", "nowhere"),
            "nowhere: no such folder; expected a journal (files such as 0000000001.journal), or the data directory "
            "that it is in",
        ),
        (("replay",), "replay needs market data: name FILEs, or a journal with --journal DIR"),
    ],
)
def test_mistakes_are_sentences(run: Run, arguments: tuple[str, ...], sentence: str) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert ran.err == f"sengine: {sentence}\n"
