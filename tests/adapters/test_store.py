"""The store of records is what the journal says, however it was written, and its figures are the engine's own."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sengine.adapters.journal.format import Closed, Header, Sample, frames, segments
from sengine.adapters.journal.reader import JournalReader
from sengine.adapters.store.keeper import Store, in_words
from sengine.adapters.store.rebuild import rebuild
from sengine.adapters.store.retention import StoreRetention, by_place, by_time, forget
from sengine.adapters.store.tail import JournalTail, TailEntry
from sengine.domain.events import CancelOrder, ReloadParameters, UnloadStrategy
from sengine.domain.order import Fill, OrderStatus, OrderUpdate
from sengine.engine.checkpoint.checkpoint import Checkpoint
from sengine.engine.strategies.spec import LoadStrategy
from sengine.errors import EngineError, JournalError, LifecycleError
from tests.adapters.store_sessions import (
    assert_same_figures,
    catch_up,
    config_with,
    play,
    query,
    recording,
    rows,
)
from tests.engine.conftest import Actor, close, engine_with, long, quote, short
from tests.engine.test_random_events import Setting, events_of, happenings, settings_of_an_engine

EXAMPLES = int(os.environ.get("SENGINE_FUZZ", "40"))
slow = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@slow
@given(settings_of_an_engine, happenings, st.integers(4096, 20_000))
def test_store_of_a_simulated_session_has_the_figures_of_the_engine(
    tmp_path_factory: pytest.TempPathFactory, setting: Setting, happened: list[tuple], size: int
) -> None:
    folder = tmp_path_factory.mktemp("simulated")
    engine, actors = setting.build()
    config = config_with(simulated=True, segment_bytes=size)
    with recording(folder / "journal", engine, config) as take:
        outcomes = play(take, actors, events_of(happened))
    path = folder / "positions.db"
    catch_up(path, folder / "journal")
    assert_same_figures(path, engine, outcomes)


some_fill = st.tuples(
    st.just("fill"), st.integers(0, 5), st.sampled_from([0.1, 0.25, 0.5, 1.0, 3.0]), st.integers(95, 105),
    st.sampled_from([0.0, 0.01]), st.integers(0, 8),
)  # fmt: skip
some_update = st.tuples(st.just("update"), st.integers(0, 5), st.sampled_from(list(OrderStatus)))
some_cancel = st.tuples(st.just("cancel"), st.integers(0, 5))
some_answer = st.sampled_from([None, long(), short(), long(0.8, 0.3), short(0.9, 2.0), close(), [long(), short()]])
some_tick = st.tuples(st.just("tick"), st.integers(95, 105), some_answer, some_answer, some_answer)
news = st.lists(some_tick | some_tick | some_fill | some_fill | some_update | some_cancel, min_size=5, max_size=40)


@slow
@given(news, st.integers(4096, 20_000), st.lists(st.integers(0, 30), max_size=4), st.booleans())
def test_store_written_in_any_pieces_equals_one_made_anew_and_the_engine(
    tmp_path_factory: pytest.TempPathFactory, news: list[tuple], size: int, stops: list[int], market_data: bool
) -> None:
    """Fills twice, of unknown orders, in parts, after the end; and a writer that is killed and started again."""
    folder = tmp_path_factory.mktemp("live")
    actors = [Actor("one"), Actor("two"), Actor("direct", route="direct")]
    engine = engine_with(*actors)
    path, outcomes = folder / "positions.db", []
    config = config_with(segment_bytes=size, market_data=market_data)
    with recording(folder / "journal", engine, config) as take:
        for step, (kind, *what) in enumerate(news):
            event = _event_of(kind, what, step, [order.order_id for each in outcomes for order in each.orders])
            try:
                outcomes += play(take, actors, [(event, tuple(what[1:]) if kind == "tick" else ())])
            except (EngineError, LifecycleError):
                continue
            if step in stops:
                catch_up(path, folder / "journal", pieces=step % 3, at_once=1 + step % 2, chunk_bytes=256)
    catch_up(path, folder / "journal")
    assert_same_figures(path, engine, outcomes)
    anew = folder / "anew.db"
    rebuild(anew, folder / "journal")
    assert rows(path) == rows(anew)


def _event_of(kind: str, what: list[Any], step: int, ids: list[str]) -> Any:
    if kind == "tick":
        return quote(step, what[0] - 1.0, what[0] + 1.0)
    order_id = ids[-1 - what[0]] if what[0] < len(ids) else "nobody-1"
    if kind == "fill":
        _, size, price, commission, number = what
        return Fill(
            order_id, "", "BTC", "buy" if number % 2 else "sell", float(price), size, commission, step, f"f{number}"
        )
    return CancelOrder(order_id) if kind == "cancel" else OrderUpdate(order_id, what[1], step, "for a reason")


@slow
@given(news, st.integers(0, 3))
def test_rows_from_before_the_journal_begins_are_taken_over(
    tmp_path_factory: pytest.TempPathFactory, news: list[tuple], gone: int
) -> None:
    folder = tmp_path_factory.mktemp("short")
    actors = [Actor("one"), Actor("two"), Actor("direct", route="direct")]
    outcomes: list[Any] = []
    with recording(folder / "journal", engine_with(*actors), config_with(segment_bytes=4096)) as take:
        for step, (kind, *what) in enumerate(news):
            event = _event_of(kind, what, step, [order.order_id for each in outcomes for order in each.orders])
            try:
                outcomes += play(take, actors, [(event, tuple(what[1:]) if kind == "tick" else ())])
            except EngineError:
                continue
    path = folder / "positions.db"
    catch_up(path, folder / "journal")
    whole = rows(path)
    for segment in list(segments(folder / "journal").values())[:-1][:gone]:
        segment.unlink()
    rebuilt = rebuild(path, folder / "journal")
    assert rebuilt.rows == sum(len(each) for each in whole.values())
    assert _without_rounding(rows(path)) == _without_rounding(whole)


def _without_rounding(rows: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[list[Any]]]:
    """What an order had paid when the journal begins is the sum of what its strategies had."""
    return {
        table: [[round(value, 9) if isinstance(value, float) else value for value in row] for row in each]
        for table, each in rows.items()
    }


def test_a_store_goes_on_over_segments_that_are_gone(tmp_path: Path) -> None:
    """As after a long time with the store off: there is a hole, and then the checkpoint's truth."""
    actor = Actor("a", route="direct")
    engine = engine_with(actor)
    config = config_with(segment_bytes=4096)
    path = tmp_path / "positions.db"
    with recording(tmp_path / "journal", engine, config) as take:
        for step in range(60):
            (outcome,) = play(take, [actor], [(quote(step), (long() if step % 2 else short(),))])
            (order,) = outcome.orders
            if step != 30:
                take(Fill(order.order_id, "", "BTC", str(order.side), 100.0, 1.0, 0.0, step * 10**9, f"f{step}"))
            if step == 5:
                catch_up(path, tmp_path / "journal")
    there = segments(tmp_path / "journal")
    assert len(there) > 4
    for number in list(there)[: len(there) // 2 + 1]:
        there[number].unlink()
    catch_up(path, tmp_path / "journal")
    (held,) = query(path, "SELECT quantity, average_price, realized_pnl FROM held")
    (position,) = engine.portfolio.positions()
    assert held == (position.quantity, position.average_price, position.realized_pnl)
    (known,) = engine.orders.open_orders()
    is_open = query(path, "SELECT order_id FROM orders WHERE status NOT IN ('filled', 'lost')")
    assert is_open == [(known.order.order_id,)]


def test_a_new_session_that_knew_nothing_leaves_no_position_behind(tmp_path: Path) -> None:
    path = tmp_path / "positions.db"
    for number in (1, 2):
        actor = Actor("a", long(), route="direct")
        with recording(tmp_path / "journal", engine_with(actor), config_with(), f"s{number}-") as take:
            if number == 1:
                (outcome,) = play(take, [], [(quote(1), ())])
                take(Fill(outcome.orders[0].order_id, "", "BTC", "buy", 100.0, 0.4, 0.0, 2, "f1"))
    catch_up(path, tmp_path / "journal")
    assert query(path, "SELECT quantity FROM held") == [(0.0,)]
    assert query(path, "SELECT status, filled FROM orders") == [("lost", 0.4)]


def test_old_rows_go_and_what_is_held_or_open_stays(tmp_path: Path) -> None:
    actor = Actor("a", long(), long(), route="direct")
    path = tmp_path / "positions.db"
    with recording(tmp_path / "journal", engine_with(actor), config_with()) as take:
        (first,) = play(take, [], [(quote(1), ())])
        take(Fill(first.orders[0].order_id, "", "BTC", "buy", 100.0, 1.0, 0.0, 10**9, "f1"))
        play(take, [], [(quote(2), ())])
    catch_up(path, tmp_path / "journal")
    store = Store(path, tmp_path / "journal")
    assert forget(store.connection, by_time(10**18)) == 4
    assert forget(store.connection, by_time(10**18)) == 0
    assert forget(store.connection, by_place(99, 0)) == 2, "P&L has the time of the machine's clock"
    assert forget(store.connection, by_place(99, 0)) == 0
    store.close()
    assert query(path, "SELECT count(*) FROM signals") == [(0,)]
    assert query(path, "SELECT quantity FROM held") == [(1.0,)]
    assert query(path, "SELECT status FROM orders") == [("sent",)]
    assert query(path, "SELECT count(*) FROM order_parts") == [(1,)]


def _many_rows(folder: Path, events: int = 600) -> Path:
    """A store with rows of every table, some of them of each second."""
    actor = Actor("a", *[long(size=1e-9, metadata=None)] * events, route="direct")
    with recording(folder / "journal", engine_with(actor), config_with()) as take:
        for second in range(1, events + 1):
            (outcome,) = play(take, [], [(quote(second), ())])
            (order,) = outcome.orders
            take(Fill(order.order_id, "", "BTC", "buy", 100.0, 1e-9, 0.0, second * 10**9, f"f{second}"))
    path = folder / "positions.db"
    catch_up(path, folder / "journal")
    return path


def _retain(path: Path, retain_for_ns: int = 0, retain_bytes: int = 0) -> tuple[list[str], int]:
    """What was said, and in how many pieces it was done."""
    store = sqlite3.connect(path, isolation_level=None)
    said: list[str] = []
    retention, pieces = StoreRetention(retain_for_ns, retain_bytes, lambda level, text: said.append(text)), 0
    while retention.step(store):
        pieces += 1
        assert pieces < 1_000
    store.close()
    return said, pieces


def _edges(path: Path) -> dict[str, tuple[int, int, int]]:
    return {
        table: query(path, f"SELECT count(*), min(time_ns), max(time_ns) FROM {table}")[0]
        for table in ("signals", "orders", "fills", "positions")
    }


def test_rows_go_by_the_times_in_the_rows_and_a_clock_that_jumped_thins_nothing(tmp_path: Path) -> None:
    path = _many_rows(tmp_path)
    before = _edges(path)
    with closing(sqlite3.connect(path)) as store, store:
        store.execute("UPDATE pnl SET time_ns = ?", (4 * 10**18,))  # the machine's clock of another century
    assert _retain(path, retain_for_ns=600 * 10**9) == ([], 0)
    assert _edges(path) == before
    said, pieces = _retain(path, retain_for_ns=100 * 10**9)
    assert said == ["records before 1970-01-01T00:08:20.000000000Z go, by position_tracker.retain_for"]
    assert pieces > 1
    for count, oldest_ns, newest_ns in _edges(path).values():
        assert (count, oldest_ns, newest_ns) == (101, 500 * 10**9, 600 * 10**9)
    assert query(path, "SELECT count(*) FROM order_parts") == [(101,)]
    assert query(path, "SELECT count(*) FROM pnl")[0][0] > 0


def test_a_store_has_a_bound_and_the_oldest_rows_go_first_with_their_room(tmp_path: Path) -> None:
    path = _many_rows(tmp_path, 3_000)
    size = path.stat().st_size
    said, pieces = _retain(path, retain_bytes=size // 2)
    assert len(said) == 1
    assert said[0].startswith("the oldest records go: all together have")
    assert f"more than position_tracker.retain_bytes, {size // 2:,}" in said[0]
    assert pieces > 3, "in small pieces"
    for count, oldest_ns, newest_ns in _edges(path).values():
        assert 500 < count < 2_500
        assert (newest_ns, oldest_ns) == (3_000 * 10**9, (3_000 - count + 1) * 10**9), "the newest, without a hole"
    assert path.stat().st_size < 0.6 * size
    assert _retain(path, retain_bytes=size // 2) == ([], 0)
    _retain(path, retain_bytes=1)
    assert query(path, "SELECT quantity FROM held") == query(path, "SELECT quantity FROM positions"), "held stays"


def test_versions_of_strategies_have_their_history(tmp_path: Path) -> None:
    actor = Actor("a")
    engine = engine_with(actor)
    engine.registry.load(Actor("gone").spec)
    with recording(tmp_path / "journal", engine, config_with()) as take:
        take(LoadStrategy(Actor("new", version="1.0+x").spec))
        take(ReloadParameters("a", {"password": "hunter2", "size": 2}))
        take(UnloadStrategy("gone"))
        with pytest.raises(EngineError):
            take(UnloadStrategy("nobody"))
    path = tmp_path / "positions.db"
    catch_up(path, tmp_path / "journal")
    shown = query(path, "SELECT strategy_id, what, version FROM strategies ORDER BY segment, offset, n")
    assert shown == [
        ("a", "started", ""), ("gone", "started", ""), ("new", "loaded", "1.0+x"), ("a", "parameters", ""),
        ("gone", "unloaded", ""),
    ]  # fmt: skip
    assert "hunter2" not in str(query(path, "SELECT config FROM strategies"))


def test_a_damaged_journal_is_told_with_its_place(tmp_path: Path) -> None:
    with recording(tmp_path / "journal", engine_with(Actor("a")), config_with()) as take:
        take(quote(1))
    path = tmp_path / "journal" / "0000000001.journal"
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)
    store = Store(tmp_path / "positions.db", tmp_path / "journal")
    with pytest.raises(JournalError, match=r"0000000001\.journal: byte 0: damaged: its checksum"):
        store.advance()
    store.close()


def killed_session(folder: Path) -> tuple[Path, bytes, list[int]]:
    """A journal's file as a killed writer left it with room in it, its frames, and where each begins."""
    with recording(folder, engine_with(Actor("a")), config_with(), is_killed=True) as take:
        for step in range(9):
            take(quote(step))
    path = folder / "0000000001.journal"
    content = path.read_bytes()
    *_, (last, payload) = frames(memoryview(content))
    assert len(content) > last + 8 + len(payload) + 4096
    whole = content[: last + 8 + len(payload)]
    return path, whole, [offset for offset, _ in frames(memoryview(whole))]


@pytest.mark.parametrize("room", [0, 50, 70_000])
@pytest.mark.parametrize("chunk_bytes", [256, 1 << 20])
def test_damage_is_told_whatever_room_is_behind_it(tmp_path: Path, room: int, chunk_bytes: int) -> None:
    path, whole, places = killed_session(tmp_path)
    start, end = places[5:7]
    damages = {
        "its checksum is not that of its content": whole[: end - 1] + bytes([whole[end - 1] ^ 1]) + whole[end:],
        "a record's length cannot be 0": whole[:start] + bytes(end - start) + whole[end:],
        "a record's length": whole[: start + 2] + b"\x08" + whole[start + 3 :],
    }
    for why, content in damages.items():
        path.write_bytes(content + bytes(room))
        tail = JournalTail(path.parent, chunk_bytes=chunk_bytes)
        with pytest.raises(JournalError, match=rf"0000000001\.journal: byte {start}: damaged: {why}"):
            list(iter(tail.read, None))
        tail.close()
        with pytest.raises(JournalError, match=rf"0000000001\.journal: byte {start}: damaged: "):
            list(JournalReader(path.parent))


@pytest.mark.parametrize("room", [0, 3, 50, 70_000])
@pytest.mark.parametrize("is_compressed", [False, True])
def test_torn_end_is_the_end_for_a_rebuild_too(tmp_path: Path, room: int, is_compressed: bool) -> None:
    path, whole, places = killed_session(tmp_path / "journal")
    last = places[-1]
    for size in (*range(last + 1, len(whole), 9), len(whole) - 1):
        for content in (whole[:size], whole[:size] + bytes([whole[size] ^ 1]), whole[:-1] + bytes([whole[-1] ^ 1])):
            content += bytes(room)
            if content.startswith(whole):
                continue  # a record that ends in zeros is whole where room is behind it
            path.unlink(missing_ok=True)
            if is_compressed:
                path = path.with_name("0000000001.journal.zst")
                path.write_bytes(zstandard.compress(content))
            else:
                path.write_bytes(content)
            reader = JournalReader(path.parent)
            assert len(list(reader)) == len(places) - 1
            assert reader.torn is not None
            tail = JournalTail(path.parent, chunk_bytes=300)
            list(iter(tail.read, None))
            tail.close()
            assert (tail.segment, tail.next) == (1, last)
    assert rebuild(tmp_path / "positions.db", path.parent).rows > 0


@pytest.mark.parametrize("has_zeros", [False, True])
@pytest.mark.parametrize("chunk_bytes", [256, 1 << 20])
def test_records_missing_in_a_finished_segment_are_damage(tmp_path: Path, has_zeros: bool, chunk_bytes: int) -> None:
    with recording(tmp_path / "journal", engine_with(Actor("a")), config_with(segment_bytes=4096)) as take:
        for step in range(100):
            take(quote(step))
    path = tmp_path / "journal" / "0000000001.journal"
    content = path.read_bytes()
    places = [offset for offset, _ in frames(memoryview(content))]
    for size in (0, places[1] - 5, *places[1:], places[3] + 1):
        path.write_bytes(content[:size] + (bytes(len(content) - size) if has_zeros else b""))
        tail = JournalTail(path.parent, chunk_bytes=chunk_bytes)
        with pytest.raises(JournalError, match=r"0000000001\.journal: byte \d+: damaged: "):
            list(iter(tail.read, None))
        tail.close()


def test_room_that_could_not_be_cut_off_at_a_roll_is_read_over(tmp_path: Path) -> None:
    with recording(tmp_path / "journal", engine_with(Actor("a")), config_with(segment_bytes=4096)) as take:
        for step in range(100):
            take(quote(step))
    path = tmp_path / "journal" / "0000000001.journal"
    path.write_bytes(path.read_bytes() + bytes(5_000))
    tail = JournalTail(path.parent)
    found: list[TailEntry] = []
    while (entries := tail.read()) is not None:
        found += entries
    tail.close()
    assert isinstance(found[-1].record, Closed)


@pytest.mark.parametrize("into_last", [2, 6, 9, -1])
def test_a_frame_that_is_being_written_into_its_room_is_waited_for(tmp_path: Path, into_last: int) -> None:
    """The operating system copies a frame bit by bit, and others may read meanwhile."""
    with recording(tmp_path / "journal", engine_with(Actor("a")), config_with()) as take:
        take(quote(1))
    path = tmp_path / "journal" / "0000000001.journal"
    content = path.read_bytes()
    *_, (last, _) = frames(memoryview(content))
    cut = last + into_last if into_last > 0 else len(content) + into_last
    path.write_bytes(content[:cut] + bytes(5_000))
    tail = JournalTail(path.parent)
    found = [entry for entries in iter(tail.read, None) for entry in entries]
    assert [type(entry.record) for entry in found] == [Header, Checkpoint, Sample]
    with path.open("r+b") as file:
        file.write(content)
    found += [entry for entries in iter(tail.read, None) for entry in entries]
    tail.close()
    assert [type(entry.record) for entry in found] == [Header, Checkpoint, Sample, Closed]


def test_a_frame_that_is_seen_half_with_whole_ones_behind_it_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with recording(tmp_path / "journal", engine_with(Actor("a")), config_with()) as take:
        take(quote(1))
    path = tmp_path / "journal" / "0000000001.journal"
    content = path.read_bytes()
    *_, (sample, _), (closed, _) = frames(memoryview(content))
    path.write_bytes(content[: sample + 20] + bytes(closed - sample - 20) + content[closed:])
    monkeypatch.setattr("sengine.adapters.store.tail.sleep", lambda s: path.write_bytes(content))
    tail = JournalTail(path.parent)
    found = [entry for entries in iter(tail.read, None) for entry in entries]
    found += [entry for entries in iter(tail.read, None) for entry in entries]
    tail.close()
    assert [type(entry.record) for entry in found] == [Header, Checkpoint, Sample, Closed]


def test_a_full_disk_is_told_and_what_waited_is_written_once_there_is_room(tmp_path: Path) -> None:
    actor = Actor("a", route="direct")
    with recording(tmp_path / "journal", engine_with(actor), config_with()) as take:
        play(take, [actor], [(quote(step), (long() if step % 2 else short(),)) for step in range(300)])
    store = Store(tmp_path / "positions.db", tmp_path / "journal")
    ((pages,),) = store.connection.execute("PRAGMA page_count").fetchall()
    store.connection.execute(f"PRAGMA max_page_count = {pages + 3}")
    with pytest.raises(sqlite3.OperationalError) as told:
        list(iter(store.advance, False))
    assert in_words(told.value) == "the disk is full; once there is room it catches up by itself"
    store.connection.execute("PRAGMA max_page_count = 100000")
    while store.advance():
        pass
    store.close()
    rebuild(tmp_path / "anew.db", tmp_path / "journal")
    assert rows(tmp_path / "positions.db") == rows(tmp_path / "anew.db")
