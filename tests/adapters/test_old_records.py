"""Journals of earlier versions, which hold what strategies hung on their signals as it was: read, and told about."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from sengine.adapters.journal import journal as writing
from sengine.adapters.journal import old_records
from sengine.adapters.journal.format import TAGS, decode, frame, frames
from sengine.adapters.journal.journal import Beginning, Journal, happened_of
from sengine.adapters.journal.recovery import recover
from sengine.cli import app
from sengine.config.schema import Config, ExecutionConfig, JournalConfig
from sengine.domain.signal import Direction, Disposition, SignalResult, StampedSignal
from sengine.engine.checkpoint.checkpoint import Checkpoint, checkpoint
from sengine.engine.checkpoint.follower import Happened
from sengine.engine.core import Engine
from sengine.errors import JournalError
from sengine.runtime.live_engine import LiveEngine
from tests.engine.conftest import Actor, engine_with, long, quote

# Five of the kinds of value that made a journal unreadable.
UNDECODABLE: list[dict[Any, Any]] = [{1: 2.0}, {(1, 2): 0.5}, {None: 1}, {0.5: 1}, {True: {2: 3}}]
OLD_ENCODE = msgspec.msgpack.Encoder(enc_hook=repr).encode


def signal(metadata: dict[Any, Any]) -> StampedSignal:
    return StampedSignal(1, "a", "BTC", Direction.LONG, 0.7, 1.0, 5, 99.5, metadata)


def written_then(record: Any) -> bytes:
    return OLD_ENCODE((TAGS[type(record)], record))


@pytest.mark.parametrize("metadata", UNDECODABLE, ids=str)
def test_what_an_event_led_to_is_whole_but_for_what_cannot_be_read(metadata: dict[Any, Any]) -> None:
    happened = Happened(
        [SignalResult(signal(metadata), Disposition.FILTERED, "size", "too_large", "why")], cancels=["7"]
    )
    tag, read = decode(written_then(happened))
    assert tag == "o"
    assert isinstance(read, Happened)
    without = msgspec.structs.replace(signal({}), metadata=None)
    assert read.signals == [SignalResult(without, Disposition.FILTERED, "size", "too_large", "why")]
    assert read.signals[0].disposition is Disposition.FILTERED
    assert read.cancels == ["7"]
    assert type(read.signals[0]) is SignalResult
    assert type(read.signals[0].signal) is StampedSignal


@pytest.mark.parametrize("metadata", UNDECODABLE, ids=str)
def test_a_checkpoint_is_whole_but_for_what_cannot_be_read(metadata: dict[Any, Any]) -> None:
    state = msgspec.structs.replace(checkpoint(engine_with(Actor("a"))), votes=[signal(metadata)], orders_sent=7)
    _, read = decode(written_then(state))
    assert isinstance(read, Checkpoint)
    assert read.orders_sent == 7
    assert [(vote.symbol, vote.metadata) for vote in read.votes] == [("BTC", None)]


def old_session(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A session as an earlier version would have recorded it: with every signal's metadata as the strategy gave it."""
    config = Config(execution=ExecutionConfig(target="simulated"), journal=JournalConfig(compress="none"))
    engine = engine_with(Actor("a", long(), None, long(), None, None, long()))
    live = LiveEngine(engine)
    live.journal = journal = Journal(folder, config, engine, "s-", Beginning())
    journal._encode = OLD_ENCODE

    def spoilt(happened: Happened) -> Happened:
        signals = [
            msgspec.structs.replace(each, signal=msgspec.structs.replace(each.signal, metadata={1: 2.0}))
            for each in happened.signals
        ]
        return msgspec.structs.replace(happened, signals=signals)

    with monkeypatch.context() as then:
        then.setattr(writing, "happened_of", lambda *given: spoilt(happened_of(*given)))
        for at_s in range(1, 9):
            live.process(quote(at_s))
    journal.close()
    return engine


def test_a_start_takes_up_all_orders_of_an_old_journal_and_tells_what_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = old_session(tmp_path, monkeypatch)
    again = engine_with(Actor("a"))
    recovered = asyncio.run(recover(tmp_path, again, 1_000_000))
    assert checkpoint(again).orders == checkpoint(engine).orders
    assert again.orders_sent == engine.orders_sent == 3
    assert again.kill_reason == ""
    (note,) = recovered.notes
    assert note.startswith("0000000001.journal: byte ")
    assert "what strategies hung on their signals (metadata)" in note
    assert note.endswith("so it is of 2 more in that file")


def test_export_tells_what_is_left_out_beside_the_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old_session(tmp_path, monkeypatch)
    result = CliRunner().invoke(app, ["journal", "export", str(tmp_path)])
    assert result.exit_code == 0
    assert result.stdout.count('"kind":"Happened"') == 3
    assert "what strategies hung on their signals" in result.stderr


def test_an_outcome_that_cannot_be_read_at_all_is_passed_over_and_lets_nothing_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_session(tmp_path, monkeypatch)
    path = tmp_path / "0000000001.journal"
    content = path.read_bytes()
    parts = [bytes(payload) for _, payload in frames(memoryview(content))]
    at = next(place for place, payload in enumerate(parts) if payload[:3] == b"\x92\xa1o")
    parts[at] = b"\x92\xa1o" + msgspec.msgpack.encode({"orders": 7})
    path.write_bytes(b"".join(map(frame, parts)))
    again = engine_with(Actor("a"))
    recovered = asyncio.run(recover(tmp_path, again, 1_000_000))
    assert again.orders_sent == 2
    assert again.kill_reason.startswith("the journal: 1:")
    assert "sengine rearm" in again.kill_reason
    assert any("a record of the kind Happened cannot be read" in note for note in recovered.notes)


def test_a_header_that_cannot_be_read_is_never_passed_over() -> None:
    with pytest.raises(JournalError, match="a record of the kind Header cannot be read"):
        decode(b"\x92\xa1H" + msgspec.msgpack.encode({"format": "x"}))


def test_market_data_that_cannot_be_read_stops_no_trading() -> None:
    tag, record = decode(b"\x92\xa1B" + msgspec.msgpack.encode({"symbol": 1}))
    assert tag == "?"
    assert isinstance(record, old_records.Unreadable)
    assert not record.decides
