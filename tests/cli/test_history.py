"""``sengine history`` answers from a store, in four formats, and says in a sentence why it cannot."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path

import polars
import pytest

from sengine.adapters.store.schema import open_to_write
from sengine.domain.order import Fill
from tests.adapters.store_sessions import catch_up, config_with, play, recording
from tests.cli.conftest import Ran
from tests.engine.conftest import Actor, engine_with, long, quote, short


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A session: strategy ``a`` buys at second 1, ``b`` sells at second 2, both fill; ``a`` is bought again at 3."""
    actors = [Actor("a", route="direct"), Actor("b", route="direct")]
    with recording(tmp_path / "journal", engine_with(*actors), config_with()) as take:
        for second, said in ((1, (long(), None)), (2, (None, short())), (3, (long(0.5, 2.0), None))):
            (outcome,) = play(take, actors, [(quote(second), said)])
            order = outcome.orders[0]
            if second < 3:
                side, moment_ns = str(order.side), order.timestamp_ns + 1
                take(Fill(order.order_id, "", "BTC", side, 100.0, order.quantity, 0.25, moment_ns, f"f{second}"))
    catch_up(tmp_path / "positions.db", tmp_path / "journal")
    return tmp_path / "positions.db"


def asked(run: Callable[..., Ran], store: Path, *arguments: str) -> list[dict]:
    code, out, _ = run("history", *arguments, "--db", str(store), "--format", "json")
    assert code == 0
    return json.loads(out)


def test_rows_are_chosen_by_time_strategy_symbol_and_number(run: Callable[..., Ran], store: Path) -> None:
    assert [row["strategy_id"] for row in asked(run, store, "signals")] == ["a", "b", "a"]
    assert [row["sequence"] for row in asked(run, store, "signals", "--strategy", "a")] == [1, 3]
    assert [row["sequence"] for row in asked(run, store, "signals", "--limit", "2")] == [2, 3]
    assert [row["sequence"] for row in asked(run, store, "signals", "--since", "1970-01-01T00:00:02")] == [2, 3]
    assert [row["sequence"] for row in asked(run, store, "signals", "--until", "1970-01-01T00:00:02")] == [1]
    assert asked(run, store, "signals", "--since", "1h") == []
    assert asked(run, store, "fills", "--symbol", "ETH") == []
    assert [row["status"] for row in asked(run, store, "orders")] == ["filled", "filled", "sent"]
    assert [row["average_price"] for row in asked(run, store, "orders", "--strategy", "a")] == [100.0, None]
    assert [row["time"] for row in asked(run, store, "fills")] == [
        "1970-01-01T00:00:01.000000001Z", "1970-01-01T00:00:02.000000001Z",
    ]  # fmt: skip
    assert [row["what"] for row in asked(run, store, "strategies")] == ["started", "started"]
    assert {row["strategy_id"] for row in asked(run, store, "pnl", "--since", "1h")} == {"", "a", "b"}


def test_positions_are_those_of_the_moment_that_is_asked_for(run: Callable[..., Ran], store: Path) -> None:
    now = {row["strategy_id"]: row["quantity"] for row in asked(run, store, "positions")}
    then = {
        row["strategy_id"]: row["quantity"] for row in asked(run, store, "positions", "--until", "1970-01-01T00:00:02")
    }
    assert (now, then) == ({"a": 1.0, "b": -1.0}, {"a": 1.0})
    changed = asked(run, store, "positions", "--since", "1970-01-01T00:00:02")
    assert [(row["strategy_id"], row["realized_pnl"], row["commission"]) for row in changed] == [("b", -0.25, 0.25)]
    assert len(asked(run, store, "position-changes")) == 2


def test_each_format_holds_the_same_rows(run: Callable[..., Ran], store: Path, tmp_path: Path) -> None:
    rows = asked(run, store, "fills")
    for name in ("fills.csv", "fills.json", "fills.parquet"):
        assert run("history", "fills", "--db", str(store), "-o", str(tmp_path / name)) == (0, "", "")
    assert json.loads((tmp_path / "fills.json").read_text()) == rows
    with (tmp_path / "fills.csv").open() as file:
        assert list(csv.DictReader(file)) == [
            {key: "" if value is None else str(value) for key, value in row.items()} for row in rows
        ]
    frame = polars.read_parquet(tmp_path / "fills.parquet")
    assert frame.schema["time"] == polars.Datetime("ns", "UTC")
    assert frame["time"].dt.timestamp("ns").to_list() == [1_000_000_001, 2_000_000_001]
    assert frame.drop("time").to_dicts() == [
        {key: value for key, value in row.items() if key != "time"} for row in rows
    ]
    code, table, _ = run("history", "fills", "--db", str(store))
    assert code == 0
    assert table.splitlines()[0].split()[:3] == ["time", "strategy", "id"]
    assert len(table.splitlines()) == 3


def test_what_cannot_be_answered_is_a_sentence(run: Callable[..., Ran], store: Path, tmp_path: Path) -> None:
    code, _, said = run("history", "fills", "--db", str(tmp_path / "none.db"))
    assert code == 2
    assert "there are no records here; an engine with position_tracker.persistence" in said
    code, _, said = run("history", "fills", "--db", str(store), "--since", "yesterday")
    assert code == 2
    assert '--since: expected a time like 2024-08-08T14:00 or how long ago, like 1h, got "yesterday"' in said
    code, _, said = run("history", "fills", "--db", str(store), "--format", "parquet")
    assert code == 2
    assert "name one with -o FILE" in said
    kept = tmp_path / "kept.csv"
    kept.write_text("mine")
    other = tmp_path / "other.db"
    other.write_text("no store")
    code, _, said = run("history", "fills", "--db", str(other), "-o", str(kept))
    assert (code, kept.read_text()) == (2, "mine")
    assert "expected sengine's records, found another file" in said
    code, _, said = run("history", "fills", "--db", str(store), "--until", "1970-01-01")
    assert said == f"sengine: no fills in {store} fit that\n"


def test_another_version_and_damage_name_the_way_out(run: Callable[..., Ran], store: Path) -> None:
    connection = open_to_write(store)
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    code, _, said = run("history", "fills", "--db", str(store))
    assert code == 2
    assert "made by another version of sengine (format 2, this one has 1)" in said
    content = bytearray(store.read_bytes())
    content[100:] = os.urandom(len(content) - 100)
    store.write_bytes(content)
    code, _, said = run("history", "fills", "--db", str(store))
    assert code == 2
    assert "`sengine journal rebuild`" in said


def test_rebuild_takes_over_what_the_journal_no_longer_has(
    run: Callable[..., Ran], store: Path, tmp_path: Path
) -> None:
    before = asked(run, store, "orders")
    code, out, _ = run("journal", "rebuild", str(tmp_path))
    assert code == 0
    assert out.startswith(f"{store}: ")
    assert f"the store that was there is now {store}.aside-1" in out
    assert asked(run, store, "orders") == before
