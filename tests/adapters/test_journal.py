"""The journal's files: what was recorded can be read, whatever stops the writing, and damage is never guessed over."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sengine.adapters.journal import journal as writing
from sengine.adapters.journal.format import (
    PREFIX,
    Closed,
    Gap,
    Header,
    StrategyLoaded,
    decode,
    frame,
    frames,
    segments,
)
from sengine.adapters.journal.journal import Beginning, Journal
from sengine.adapters.journal.reader import Entry, JournalReader, cut_torn_end
from sengine.adapters.journal.recovery import new_session_after
from sengine.adapters.journal.retention import Retention
from sengine.adapters.journal.writer import ROOM_BYTES
from sengine.config.schema import Config, JournalConfig, NatsConfig
from sengine.domain.events import (
    BarEvent,
    BookEvent,
    KillSwitch,
    PauseStrategy,
    Rearm,
    ReloadParameters,
    RemoteReady,
    RemoteRolledBack,
    ReportedError,
    ResumeStrategy,
    Shutdown,
    SoundBookEvent,
    TradeEvent,
    UnloadStrategy,
)
from sengine.domain.market import OHLCV, OrderBook, PriceLevel
from sengine.domain.order import Contribution, Fill, Order, OrderStatus, OrderUpdate, ProposedOrder, Side
from sengine.domain.signal import Direction, Disposition, Signal, SignalResult, StampedSignal
from sengine.engine.checkpoint.checkpoint import Checkpoint
from sengine.engine.checkpoint.follower import Happened
from sengine.engine.core import Engine
from sengine.engine.outcome import Outcome
from sengine.engine.strategies.faults import StrategyFault
from sengine.engine.strategies.spec import LoadStrategy
from sengine.errors import JournalError, SengineError
from sengine.runtime.live_engine import LiveEngine
from tests.engine.conftest import Actor, engine_with, quote
from tests.outcomes import outcome_of
from tests.patience import PATIENCE_S

BOOK = OrderBook((PriceLevel(100.0, 1.0),), (PriceLevel(101.0, 2.0),))
SIGNAL = StampedSignal(1, "a", "BTC", Direction.LONG, 0.7, 1.0, 5)
ORDER = Order.approved(ProposedOrder("BTC", Side.BUY, 1.0, 5, (Contribution("a", 1.0, 1),)), "s-1")
EVENTS: list[Any] = [
    BookEvent("BTC", 1, BOOK, 7, 8),
    SoundBookEvent("BTC", 2, BOOK),
    TradeEvent("BTC", 3, 100.5, 1.0, "buy"),
    BarEvent("BTC", 4, OHLCV(1.0, 2.0, 0.5, 1.5, 9.0)),
    Fill("s-1", "", "BTC", "buy", 101.0, 1.0, 0.1, 6, "s-1-1"),
    OrderUpdate("s-1", OrderStatus.CANCELLED, 7, "cancelled on request"),
    PauseStrategy("a"),
    ResumeStrategy("a"),
    UnloadStrategy("a"),
    ReloadParameters("a", {"size": 2, "nested": [1.5, None, "x"]}),
    KillSwitch("enough"),
    Rearm(),
    Shutdown(cancel_orders=True),
]
OUTCOME = outcome_of(
    signals=[SignalResult(SIGNAL, Disposition.PASSED)],
    orders=[ORDER],
    cancels=["s-0"],
    faults=[StrategyFault("a", "exception", "ValueError: no", "a.py:3", 5, "Traceback ...")],
)


def journal_config(**keys: Any) -> Config:
    return Config(journal=JournalConfig(**{"compress": "none"} | keys))


def new_journal(
    folder: Path, engine: Engine | None = None, beginning: Beginning | None = None, *, config: Config | None = None,
    **rest: Any,
) -> Journal:  # fmt: skip
    return Journal(folder, config or journal_config(), engine or engine_with(), "s-", beginning or Beginning(), **rest)


def records(folder: Path) -> list[Any]:
    return [entry.record for entry in JournalReader(folder)]


def test_every_event_and_what_it_led_to_is_read_back_as_it_was(tmp_path: Path) -> None:
    journal = new_journal(tmp_path)
    for event in EVENTS:
        journal.event(event)
    assert journal.outcome(EVENTS[-1], OUTCOME)
    journal.close()
    header, first, *rest = records(tmp_path)
    assert (header.session, header.segment, header.first_record, header.starts_session) == ("s-", 1, 0, True)
    assert isinstance(first, Checkpoint)
    assert rest[: len(EVENTS)] == EVENTS
    assert [type(each) for each in rest[: len(EVENTS)]] == [type(each) for each in EVENTS]
    happened = rest[len(EVENTS)]
    assert (happened.signals, happened.orders, happened.cancels) == (OUTCOME.signals, OUTCOME.orders, OUTCOME.cancels)
    assert [(fault.kind, fault.traceback) for fault in happened.faults] == [("exception", "")]
    assert isinstance(rest[-1], Closed)
    assert journal.records == len(rest) + 2


def test_orders_and_fills_are_in_the_file_when_the_call_returns(tmp_path: Path) -> None:
    journal = new_journal(tmp_path)
    journal.event(EVENTS[1])
    assert journal.outcome(EVENTS[1], OUTCOME)
    assert isinstance(records(tmp_path)[-1], Happened)
    journal.event(EVENTS[4])
    assert journal.outcome(EVENTS[4], Outcome())
    assert records(tmp_path)[-1] == EVENTS[4]
    journal.close()


def test_room_is_made_while_nothing_waits_and_is_gone_at_the_end(tmp_path: Path) -> None:
    journal = new_journal(tmp_path, config=journal_config(segment_bytes=20_000))
    files = segments(tmp_path)
    for step in range(400):
        event = SoundBookEvent("BTC", step, BOOK)
        journal.event(event)
        assert journal.outcome(event, OUTCOME if step % 3 == 0 else Outcome())
        for _ in range(step % 40):
            journal.idle()
        if step % 50 == 0:
            assert journal._writer.commit()
            newest = segments(tmp_path)[max(segments(tmp_path))]
            assert newest.stat().st_size <= journal._writer._size + ROOM_BYTES + 4096
            reader = JournalReader(tmp_path)
            assert sum(isinstance(entry.record, SoundBookEvent) for entry in reader) == step + 1
            assert reader.torn is None
    for _ in range(40):
        journal.idle()
    files = segments(tmp_path)
    assert len(files) > 3
    assert files[max(files)].stat().st_size >= journal._writer._size + ROOM_BYTES
    journal.close()
    for path in files.values():
        content = path.read_bytes()
        *_, (offset, payload) = frames(memoryview(content))
        assert offset + 8 + len(payload) == len(content)
    assert isinstance(records(tmp_path)[-1], Closed)


def test_market_data_can_be_left_out(tmp_path: Path) -> None:
    journal = new_journal(tmp_path, config=journal_config(market_data=False))
    for event in EVENTS[:5]:
        journal.event(event)
    journal.close()
    assert records(tmp_path)[2:-1] == [EVENTS[4]]


def test_what_cannot_be_recorded_leaves_a_gap_and_stops_nothing(tmp_path: Path) -> None:
    journal = new_journal(tmp_path)
    journal.event(BookEvent("BTC", 2**70, BOOK))
    bad = StampedSignal(1, "a", "BTC", Direction.LONG, 0.7, 1.0, 5, None, {"huge": 2**80})
    assert journal.outcome(EVENTS[0], outcome_of(signals=[SignalResult(bad, Disposition.OVERRULED)]))
    journal.close()
    gap, happened = records(tmp_path)[2:-1]
    assert gap.records == journal.unrecorded == 1
    assert "BookEvent" in gap.reason
    assert happened.signals[0].signal.metadata is None


def test_secrets_are_not_in_the_journal(tmp_path: Path) -> None:
    nats = NatsConfig(url="nats://me:hunter2@broker:4222", password="hunter2", token="hunter2")
    journal = new_journal(tmp_path, config=Config(nats=nats))
    ready = RemoteReady("far", "1", "vote", ("book",), {"api_key": "hunter2"})
    journal.event(ready)
    journal.event(RemoteRolledBack(ready, "2", 4, ReportedError("exception", "no")))
    journal.close()
    assert b"hunter2" not in segments(tmp_path)[1].read_bytes()


def test_strategies_are_recorded_with_the_text_that_ran(tmp_path: Path) -> None:
    from sengine.assembly import catalog, strategy_spec
    from sengine.config.schema import StrategyConfig
    from sengine.plugins.loader import load_plugin

    item = StrategyConfig(id="mine", plugin="momentum")
    spec = strategy_spec(item, load_plugin(catalog(Config()).find("momentum")))
    engine = engine_with()
    engine.registry.load(spec)
    journal = new_journal(tmp_path, engine)
    journal.event(LoadStrategy(spec))
    journal.close()
    header, _, loaded, _ = records(tmp_path)
    (strategy,) = header.strategies
    assert isinstance(loaded, StrategyLoaded)
    assert loaded.strategy == strategy
    assert strategy.version.endswith(strategy.source_hash)
    kept = tmp_path / "strategies" / f"{strategy.source_hash}.py"
    assert kept.read_bytes() == Path(spec.source).read_bytes()


def test_segments_follow_one_another_and_each_can_be_read_alone(tmp_path: Path) -> None:
    journal = new_journal(tmp_path, config=journal_config(segment_bytes=4096, compress="zstd"))
    events = [SoundBookEvent("BTC", step, BOOK) for step in range(500)]
    for event in events:
        journal.event(event)
        journal.outcome(event, Outcome())
    journal.close()
    Retention(tmp_path, JournalConfig()).tidy()
    reader = JournalReader(tmp_path)
    assert len(reader.paths) > 5
    assert [path.suffix for path in reader.paths.values()] == [".zst"] * (len(reader.paths) - 1) + [".journal"]
    assert [entry.record for entry in reader if entry.tag == "B"] == events
    headers = reader.headers()
    place = 0
    for number in reader.paths:
        entries = list(reader.of_segment(number))
        assert headers[number].first_record == place
        assert headers[number].starts_session is (number == 1)
        assert isinstance(entries[1].record, Checkpoint)
        place += len(entries)


def test_segment_holds_at_least_as_many_bytes_of_events_as_its_beginning_has(tmp_path: Path) -> None:
    engine = engine_with(*(Actor(f"a{number}") for number in range(40)))
    journal = new_journal(tmp_path, engine, config=journal_config(segment_bytes=4096))
    for step in range(1_000):
        journal.event(SoundBookEvent("BTC", step, BOOK))
    journal.close()
    reader = JournalReader(tmp_path)
    assert len(reader.paths) > 3
    for number in list(reader.paths)[:-1]:
        _, _, first_event, *_ = reader.of_segment(number)
        assert first_event.offset > 4096
        assert 1.9 < reader.paths[number].stat().st_size / first_event.offset < 2.2


DAY_NS = 86_400 * 10**9
T0 = 20_000 * DAY_NS


def begun(folder: Path, days: dict[int, tuple[float, float | None]]) -> None:
    """Segments, each of which begins on a day by the wall clock's time and one by event time."""
    for number, (wall, event) in days.items():
        now_ns = 0 if event is None else T0 + int(event * DAY_NS)
        header = Header(1, "s-", number, 0, T0 + int(wall * DAY_NS), "1", {}, [], False, now_ns=now_ns)
        path = folder / f"{number:010d}.journal"
        path.write_bytes(frame(msgspec.msgpack.encode(("H", header))).ljust(1000, b"\0"))
        os.utime(path, (0, 0))  # the file's own time says nothing


def kept(folder: Path, **config: Any) -> list[int]:
    """What is left, as nothing goes that was not told before."""
    told: list[tuple[str, str]] = []
    before = set(segments(folder))

    def tell(keys: str, sentence: str) -> None:
        assert set(segments(folder)) == before, "before it is done"
        told.append((keys, sentence))

    nothing = {"compress": "none", "retain_bytes": 0, "retain_for_ns": 0}
    Retention(folder, JournalConfig(**nothing | config), tell).tidy()
    left = list(segments(folder))
    assert bool(told) == (len(left) < len(before))
    for keys, sentence in told:
        assert all(f"{key} (" in sentence for key in keys.split(" and "))
    return left


def test_old_and_excess_segments_go_oldest_first_and_are_told_before(tmp_path: Path) -> None:
    begun(tmp_path, {number: (number, number) for number in range(1, 6)})
    assert kept(tmp_path, retain_bytes=4_500) == [2, 3, 4, 5]
    assert kept(tmp_path, retain_for_ns=int(1.5 * DAY_NS)) == [3, 4, 5]
    assert kept(tmp_path, retain_bytes=1, retain_for_ns=1) == [5]


@pytest.mark.parametrize(
    ("days", "left"),
    [
        # The clock of the machine is in the next century when the engine starts again, or began in 1970.
        ({1: (0, 0), 2: (1, 1), 3: (36_500, 1.1)}, [1, 2, 3]),
        ({1: (0, 0), 2: (1, 1), 3: (-20_000, 1.1)}, [1, 2, 3]),
        # It was wrong for a while and is right again.
        ({1: (0, 0), 2: (36_500, 1), 3: (2, 2), 4: (9.5, 9.5)}, [3, 4]),
        ({1: (0, 0), 2: (-20_000, 1), 3: (2, 2), 4: (9.5, 9.5)}, [3, 4]),
        # Events of a week have come within a minute, as of a recording that is played fast.
        ({1: (0, 0), 2: (0.1, 10), 3: (0.2, 20)}, [1, 2, 3]),
        # No event came for a long time: then nothing has become of what there is.
        ({1: (0, 0), 2: (1, 1), 3: (30, 1)}, [1, 2, 3]),
        # An earlier version wrote no event times; a session that knew nothing begins without one.
        ({1: (0, None), 2: (2, None), 3: (9.5, None)}, [2, 3]),
        ({1: (0, None), 2: (9, None), 3: (9.5, 9.5), 4: (20, 20)}, [3, 4]),
        ({1: (0, 0), 2: (1, 1), 3: (8.5, 8.5), 4: (9, None)}, [2, 3, 4]),
    ],
)
def test_a_clock_that_jumped_thins_no_journal(
    tmp_path: Path, days: dict[int, tuple[float, float | None]], left: list[int]
) -> None:
    begun(tmp_path, days)
    assert kept(tmp_path, retain_for_ns=7 * DAY_NS) == left


def test_a_segment_whose_beginning_cannot_be_read_is_not_called_old(tmp_path: Path) -> None:
    begun(tmp_path, {number: (10 * number, 10 * number) for number in range(1, 4)})
    (tmp_path / "0000000003.journal").write_bytes(b"x" * 1000)
    assert kept(tmp_path, retain_for_ns=15 * DAY_NS) == [1, 2, 3]
    assert kept(tmp_path, retain_for_ns=7 * DAY_NS, retain_bytes=2_000) == [2, 3]


def test_a_journal_says_what_goes_and_the_times_of_its_records_decide(tmp_path: Path) -> None:
    told: list[str] = []
    journal = new_journal(
        tmp_path,
        config=journal_config(segment_bytes=4096, retain_bytes=10_000),
        on_removal=lambda keys, sentence: told.append(f"{keys}: {sentence}"),
    )
    for step in range(1_000):
        journal.event(SoundBookEvent("BTC", step, BOOK))
    journal.close()
    Retention(tmp_path, JournalConfig(retain_bytes=10_000, compress="none")).tidy()
    assert told
    assert told[0].startswith("journal.retain_bytes: the journal's oldest files go: 0000000001.journal")
    assert min(segments(tmp_path)) > 1


# Torn, damaged, missing.


@pytest.fixture(scope="module")
def small_session(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[Entry]]:
    """One segment's bytes and its entries."""
    folder = tmp_path_factory.mktemp("small")
    journal = new_journal(folder)
    for place, event in enumerate(EVENTS):
        journal.event(event)
        journal.outcome(event, OUTCOME if place in (3, 8) else Outcome())
    journal.close()
    return segments(folder)[1].read_bytes(), list(JournalReader(folder))


def test_a_file_cut_at_any_byte_gives_a_prefix_of_the_truth(
    small_session: tuple[bytes, list[Entry]], tmp_path: Path
) -> None:
    whole, truth = small_session
    path = tmp_path / "0000000001.journal"
    for size in (*range(0, truth[1].offset, 50), *range(truth[1].offset, len(whole))):
        path.write_bytes(whole[:size])
        reader = JournalReader(tmp_path)
        read = list(reader)
        assert read == [entry for entry in truth if entry.offset < size][: len(read)]
        ends = [entry.offset for entry in truth] + [len(whole)]
        assert len(read) == sum(end <= size for end in ends[1:])
        assert (reader.torn is None) == (size in ends[1:])
        if reader.torn is not None:
            assert reader.torn.offset == ends[len(read)]
            cut_torn_end(reader.torn)
            assert path.stat().st_size == reader.torn.offset if read else not path.exists()


def test_a_session_after_a_torn_one_counts_what_is_whole(
    small_session: tuple[bytes, list[Entry]], tmp_path: Path
) -> None:
    whole, truth = small_session
    for size in (0, 100, *range(truth[1].offset, len(whole), 31), len(whole)):
        folder = tmp_path / str(size)
        folder.mkdir()
        (folder / "0000000001.journal").write_bytes(whole[:size] + bytes(size % 2 * 5_000))
        beginning = new_session_after(folder)
        new_journal(folder, beginning=beginning).close()
        read = [entry.record for entry in JournalReader(folder)]
        assert len(read) == beginning.first_record + 3
        assert read[:-3] == [entry.record for entry in truth[: len(read) - 3]]
        assert beginning.segment == (2 if len(read) > 3 else 1)


def test_a_file_cut_at_any_byte_with_room_behind_it_gives_a_prefix_of_the_truth(
    small_session: tuple[bytes, list[Entry]], tmp_path: Path
) -> None:
    """As a killed writer leaves it that had made room for more."""
    whole, truth = small_session
    path = tmp_path / "0000000001.journal"
    ends = [entry.offset for entry in truth[1:]] + [len(whole)]
    for size in (*range(1, truth[1].offset, 50), *range(truth[1].offset, len(whole))):
        path.write_bytes(whole[:size] + bytes(5_000))
        reader = JournalReader(tmp_path)
        read = list(reader)
        # A record that ends in zeros is whole without them.
        whole_to = max((end for end in ends if not any(whole[size:end])), default=0)
        assert read == [entry for entry in truth if entry.offset < whole_to]
        assert (reader.torn is None) == (whole_to >= size)
        if reader.torn is not None:
            assert reader.torn.offset == whole_to
            assert reader.torn.size <= size
            cut_torn_end(reader.torn)
            assert path.stat().st_size == whole_to if read else not path.exists()


def test_zeros_with_a_record_behind_them_are_damage(small_session: tuple[bytes, list[Entry]], tmp_path: Path) -> None:
    whole, truth = small_session
    start, end = truth[4].offset, truth[5].offset
    (tmp_path / "0000000001.journal").write_bytes(whole[:start] + bytes(end - start) + whole[end:])
    with pytest.raises(JournalError, match=f"byte {start}: damaged: a record's length cannot be 0"):
        list(JournalReader(tmp_path))


@settings(max_examples=int(os.environ.get("FUZZ_INPUTS", "300")), deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(st.data())
def test_a_damaged_file_is_told_with_its_place_and_nothing_false_is_read(
    small_session: tuple[bytes, list[Entry]], tmp_path: Path, data: st.DataObject
) -> None:
    whole, truth = small_session
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] ^= data.draw(st.integers(1, 255))
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(content)))
        junk = data.draw(st.binary(max_size=40))
        content[at : at + data.draw(st.integers(0, 40))] = junk
    path = tmp_path / "0000000001.journal"
    path.write_bytes(content)
    read: list[Entry] = []
    reader = JournalReader(tmp_path)
    damaged = False
    try:
        for entry in reader:
            read.append(entry)  # noqa: PERF402 - what was read before it raised counts
    except JournalError as error:
        damaged, said = True, str(error)
    if damaged:
        assert f"{path}: byte " in said or f"{path}: expected" in said
    assert read == truth[: len(read)]
    if bytes(content) != whole:
        assert damaged or reader.torn is not None or len(read) < len(truth) or len(content) > len(whole)


@settings(max_examples=int(os.environ.get("FUZZ_INPUTS", "300")), deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(st.binary(max_size=300))
def test_no_bytes_at_all_make_the_reader_crash(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "0000000001.journal").write_bytes(content)
    reader = JournalReader(tmp_path)
    try:
        assert list(reader) == []
    except JournalError:
        return
    assert reader.torn is not None or not content


def test_damage_in_the_middle_is_reported_with_file_and_offset(
    small_session: tuple[bytes, list[Entry]], tmp_path: Path
) -> None:
    whole, truth = small_session
    content = bytearray(whole)
    place = truth[4].offset
    content[place + 12] ^= 1
    path = tmp_path / "0000000001.journal"
    path.write_bytes(content)
    entries = iter(JournalReader(tmp_path))
    assert [next(entries) for _ in range(4)] == truth[:4]
    with pytest.raises(JournalError, match=rf"0000000001\.journal: byte {place}: damaged: its checksum"):
        next(entries)
    # A length that points past the end is damage too while whole records follow it.
    content = bytearray(whole)
    content[place + 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(JournalError, match=f"byte {place}: damaged: .* of a record's"):
        list(JournalReader(tmp_path))


def test_a_missing_segment_in_between_is_reported(small_session: tuple[bytes, list[Entry]], tmp_path: Path) -> None:
    for number in (1, 3):
        (tmp_path / f"{number:010d}.journal").write_bytes(small_session[0])
    with pytest.raises(JournalError, match="segment 2 is missing"):
        list(JournalReader(tmp_path))


@pytest.fixture(scope="module")
def two_segments(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes, list[Entry]]:
    """A session's two segments and all entries."""
    folder = tmp_path_factory.mktemp("two")
    journal = new_journal(folder)
    for place, event in enumerate([*EVENTS, None, *EVENTS]):
        if event is None:
            journal._roll()
        else:
            journal.event(event)
            journal.outcome(event, OUTCOME if place in (3, 8) else Outcome())
    journal.close()
    first, second = (path.read_bytes() for path in segments(folder).values())
    return first, second, list(JournalReader(folder))


@pytest.mark.parametrize("has_zeros", [False, True])
def test_a_finished_segment_cut_at_any_byte_is_damage_and_nothing_false_is_read(
    two_segments: tuple[bytes, bytes, list[Entry]], tmp_path: Path, has_zeros: bool
) -> None:
    first, second, truth = two_segments
    path = tmp_path / "0000000001.journal"
    (tmp_path / "0000000002.journal").write_bytes(second)
    ends = [entry.offset for entry in truth if entry.segment == 1]
    for size in sorted({*range(0, len(first), 7), *ends}):
        content = first[:size] + (bytes(len(first) - size) if has_zeros else b"")
        path.write_bytes(content)
        read: list[Entry] = []
        with pytest.raises(JournalError, match=r"0000000001\.journal: byte \d+: damaged: ") as told:
            read.extend(JournalReader(tmp_path))  # what was read before it raised counts
        assert read == [entry for entry in truth if entry.segment == 1 and entry.offset < size][: len(read)]
        # A record that ends with zeros is whole where zeros stand for its end.
        assert len(read) == sum(content[:end] == first[:end] for end in ends[1:])
        assert f"byte {ends[len(read)]}: " in str(told.value)
        if size in ends[1:]:
            missing = len(ends) - len(read)
            what = f"{missing} records are" if missing > 1 else "1 record is"
            assert f"{what} missing where it ends; segment 2 counts {len(ends)}" in str(told.value)


def test_room_that_could_not_be_cut_off_at_a_roll_is_no_damage(
    two_segments: tuple[bytes, bytes, list[Entry]], tmp_path: Path
) -> None:
    first, second, truth = two_segments
    (tmp_path / "0000000001.journal").write_bytes(first + bytes(5_000))
    (tmp_path / "0000000002.journal").write_bytes(second)
    assert list(JournalReader(tmp_path)) == truth
    # Read from its middle, a segment's records are not counted.
    assert list(JournalReader(tmp_path).since(1, truth[3].offset)) == truth[3:]


def test_records_twice_are_damage(two_segments: tuple[bytes, bytes, list[Entry]], tmp_path: Path) -> None:
    first, second, truth = two_segments
    (tmp_path / "0000000001.journal").write_bytes(first + first[truth[2].offset : truth[4].offset])
    (tmp_path / "0000000002.journal").write_bytes(second)
    with pytest.raises(JournalError, match="damaged: 2 records are too many where it ends"):
        list(JournalReader(tmp_path))


def test_segments_that_are_compressed_or_thrown_away_while_they_are_read_are_found_or_told(tmp_path: Path) -> None:
    journal = new_journal(tmp_path, config=journal_config(segment_bytes=4096))
    for step in range(300):
        journal.event(SoundBookEvent("BTC", step, BOOK))
    journal.close()
    truth = list(JournalReader(tmp_path))
    reader, slow = JournalReader(tmp_path), JournalReader(tmp_path)
    entries = iter(slow)
    read = [next(entries)]
    Retention(tmp_path, JournalConfig()).tidy()
    assert list(reader.headers()) == list(reader.paths)
    assert [reader.size(number) for number in reader.paths] == [
        path.stat().st_size for path in segments(tmp_path).values()
    ]
    read.extend(entries)
    assert read == list(reader) == truth
    # The oldest go; who has not begun to read begins later, and who has is told.
    begun = iter(JournalReader(tmp_path))
    next(begun)
    for number in (1, 2):
        segments(tmp_path)[number].unlink()
    assert min(reader.headers()) == 3
    assert list(reader) == [entry for entry in truth if entry.segment > 2]
    with pytest.raises(JournalError, match=r"0000000002\.journal\.zst: is gone since the journal was listed; where a"):
        list(begun)


def test_no_journal_and_a_journal_of_tomorrow_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="there is no journal here"):
        JournalReader(tmp_path)
    header = Header(99, "s-", 1, 0, 0, "9.9", {}, [], True)
    (tmp_path / "0000000001.journal").write_bytes(frame(PREFIX[Header] + msgspec.msgpack.encode(header)))
    with pytest.raises(JournalError, match=r"a journal of format 99, written by sengine 9\.9; this one reads format 1"):
        list(JournalReader(tmp_path))


# A disk that fails.


class Disk:
    """``os.pwrite`` that fails after so many bytes, until it is mended."""

    def __init__(self, room: int) -> None:
        self.room = room

    def write(self, file: int, content: bytes | memoryview, offset: int) -> int:
        size = min(len(content), self.room)
        if not size:
            raise OSError(28, "No space left on device")
        self.room -= size
        return os.pwrite(file, content[:size], offset)


def wait_for(condition: Callable[[], object]) -> None:
    from time import monotonic, sleep

    deadline_s = monotonic() + PATIENCE_S
    while not condition():
        assert monotonic() < deadline_s
        sleep(0.005)


def session(journal: Journal, makes_room: bool = False) -> Iterator[bool]:
    for event in EVENTS:
        if makes_room:
            journal.idle()
        journal.event(event)
        yield journal.outcome(event, OUTCOME if event in (EVENTS[3], EVENTS[8]) else Outcome())


@pytest.mark.parametrize("makes_room", [False, True])
def test_a_disk_that_fails_at_any_byte_leaves_a_prefix_and_holds_orders_back(
    small_session: tuple[bytes, list[Entry]], tmp_path: Path, makes_room: bool
) -> None:
    whole, truth = small_session
    begin = truth[2].offset
    for room in range(begin, len(whole), 5):
        folder = tmp_path / str(room)
        folder.mkdir()
        disk = Disk(room)
        journal = new_journal(folder, write=disk.write)
        may_leave = list(session(journal, makes_room))
        reader = JournalReader(folder)
        read = [entry.record for entry in reader]
        assert read[2:] == [entry.record for entry in truth][2 : len(read)]
        assert sum(isinstance(record, Happened) for record in read) >= may_leave[3] + may_leave[8]
        disk.room = 1 << 30
        assert journal._writer.commit()
        journal.close()
        after = [entry.record for entry in JournalReader(folder)]
        assert after[2:-1] == [entry.record for entry in truth][2:-1]


def test_a_journal_says_when_it_fails_and_when_it_works_again(tmp_path: Path) -> None:
    said: list[str] = []
    disk = Disk(1 << 30)
    journal = new_journal(tmp_path, on_change=said.append, write=disk.write)
    disk.room = 0
    journal.event(EVENTS[0])
    wait_for(lambda: said == ["No space left on device"])
    assert journal.failure == said[0]
    disk.room = 1 << 30
    wait_for(lambda: said[1:] == [""])
    journal.close()
    assert records(tmp_path)[2] == EVENTS[0]


def test_what_is_lost_while_it_fails_is_told_in_the_next_segment(tmp_path: Path) -> None:
    engine = engine_with(Actor("a"))
    disk = Disk(1 << 30)
    journal = new_journal(tmp_path, engine, write=disk.write, most_pending_bytes=2_000)
    disk.room = 0
    for step in range(100):
        journal.event(SoundBookEvent("BTC", step, BOOK))
    assert not journal.outcome(EVENTS[0], OUTCOME)
    disk.room = 1 << 30
    wait_for(lambda: not journal.failure)
    assert not journal.outcome(EVENTS[0], OUTCOME)
    journal.event(SoundBookEvent("BTC", 100, BOOK))
    assert journal.outcome(EVENTS[0], OUTCOME)
    journal.close()
    reader = JournalReader(tmp_path)
    assert list(reader.paths) == [1, 2]
    header, state, gap, event, *_ = [entry.record for entry in reader.of_segment(2)]
    assert not header.starts_session
    assert isinstance(state, Checkpoint)
    assert isinstance(gap, Gap)
    before = [entry for entry in reader.of_segment(1) if entry.tag == "B"]
    assert len(before) + gap.records == 102
    assert event.timestamp_ns == 100
    assert header.lost == gap.records
    assert len(list(reader)) == journal.records - gap.records
    # An earlier version told it in the gap only.
    path = reader.paths[2]
    content = path.read_bytes()
    (_, first), (rest, _) = islice(frames(memoryview(content)), 2)
    told = decode(first)[1]
    for first_record, is_damage in ((told.first_record, False), (told.first_record + 1, True)):
        old = msgspec.structs.replace(told, lost=None, first_record=first_record)
        path.write_bytes(frame(PREFIX[Header] + msgspec.msgpack.encode(old)) + content[rest:])
        if is_damage:
            with pytest.raises(JournalError, match="damaged: 1 record is missing where it ends; segment 2 counts"):
                list(reader)
        else:
            assert len(list(reader)) == journal.records - gap.records


def test_a_directory_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SengineError, match=r"0000000001\.journal: the journal cannot be written: No space left"):
        new_journal(tmp_path, write=Disk(10).write)


class Sent:
    """A gateway that keeps what leaves."""

    def __init__(self) -> None:
        self.orders: list[str] = []

    def send(self, order: Order, received_ns: int = 0) -> None:
        self.orders.append(order.order_id)

    def cancel(self, order_id: str) -> None:
        raise AssertionError("nothing was to be cancelled")


async def test_order_that_cannot_be_recorded_does_not_leave(tmp_path: Path) -> None:
    actor = Actor("a", *(Signal(direction="LONG", confidence=1.0) for _ in range(3)))
    live = LiveEngine(engine_with(actor))
    disk = Disk(1 << 30)
    live.journal = journal = new_journal(tmp_path, live.engine, write=disk.write)
    live.gateway = gateway = Sent()
    live.process(SoundBookEvent("BTC", 1, BOOK))
    disk.room = 0
    live.process(SoundBookEvent("BTC", 2, BOOK))
    await asyncio.sleep(0)
    assert gateway.orders == ["1"]
    assert [working.order.order_id for working in live.engine.orders.open_orders()] == ["1"]
    disk.room = 1 << 30
    wait_for(lambda: not journal.failure)
    live.process(SoundBookEvent("BTC", 3, BOOK))
    assert gateway.orders == ["1", "3"]
    journal.close()
    told = [each for each in records(tmp_path) if isinstance(each, OrderUpdate)]
    assert [(each.order_id, each.status) for each in told] == [("2", "rejected")]
    assert told[0].reason == "not sent: the journal cannot be written: No space left on device"


def test_with_fsync_an_order_is_on_the_disk_before_it_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[str] = []
    (file,) = [tmp_path / "0000000001.journal"]

    def sync(descriptor: int) -> None:
        os.fsync(descriptor)
        happened.append("order on disk" if b"order_id" in file.read_bytes() else "no order on disk")

    class Gateway(Sent):
        def send(self, order: Order, received_ns: int = 0) -> None:
            happened.append(f"order {order.order_id} leaves")

    monkeypatch.setattr(os, "fdatasync", sync)
    live = LiveEngine(engine_with(Actor("a", Signal(direction="LONG", confidence=1.0))))
    config = Config(journal=JournalConfig(durability="fsync"))
    live.journal = journal = Journal(tmp_path, config, live.engine, "s", Beginning())
    live.gateway = Gateway()
    live.process(SoundBookEvent("BTC", 1, BOOK))
    journal.close()
    place = happened.index("order 1 leaves")
    assert happened[place - 1] == "order on disk"


@pytest.mark.parametrize("code", [errno.EMFILE, errno.EACCES, errno.EIO])
def test_a_journal_that_cannot_be_listed_is_not_an_empty_one(tmp_path: Path, monkeypatch, code: int) -> None:
    new_journal(tmp_path).close()

    def fail(path: Path) -> list[str]:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        patched.setattr(os, "listdir", fail)
        for read in (segments, JournalReader, new_session_after):
            with pytest.raises(JournalError, match=f"the journal's folder cannot be listed: {os.strerror(code)}"):
                read(tmp_path)
    assert segments(tmp_path / "absent") == {}


def test_an_event_longer_than_a_reader_takes_is_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = new_journal(tmp_path)
    monkeypatch.setattr(writing, "LONGEST_RECORD", 2_000)
    journal.event(ReloadParameters("a", {"text": "x" * 3_000}))
    journal.close()
    (gap,) = records(tmp_path)[2:-1]
    assert isinstance(gap, Gap)
    assert "expected a record of at most 2,000 bytes, got 3," in gap.reason
    assert journal.unrecorded == 1


def test_an_outcome_longer_than_a_reader_takes_loses_its_metadata_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = new_journal(tmp_path)
    monkeypatch.setattr(writing, "LONGEST_RECORD", 2_000)
    long_one = msgspec.structs.replace(SIGNAL, metadata={"text": "x" * 3_000})
    assert journal.outcome(EVENTS[0], outcome_of(signals=[SignalResult(long_one, Disposition.PASSED)], orders=[ORDER]))
    journal.close()
    (happened,) = records(tmp_path)[2:-1]
    assert happened.orders == [ORDER]
    assert happened.signals[0].signal.metadata is None
    assert journal.unrecorded == 0


def test_orders_whose_record_would_be_too_long_do_not_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = new_journal(tmp_path)
    monkeypatch.setattr(writing, "LONGEST_RECORD", 2_000)
    assert not journal.outcome(EVENTS[0], outcome_of(orders=[ORDER] * 100))
    journal.close()
    (gap,) = records(tmp_path)[2:-1]
    assert gap.reason.startswith("what an event led to cannot be recorded: expected a record of at most 2,000 bytes")


def test_a_checkpoint_that_would_be_too_long_leaves_the_states_out_and_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = Actor("a")
    actor.spec = msgspec.structs.replace(actor.spec, create=lambda create=actor.spec.create: _hoarder(create()))
    engine = engine_with(actor)
    engine.process(quote(1))
    monkeypatch.setattr(writing, "LONGEST_RECORD", 40_000)
    new_journal(tmp_path, engine).close()
    state = records(tmp_path)[1]
    assert [each.state for each in state.strategies[0].instances.values()] == [None]
    assert "more than the journal takes" in state.strategies[0].troubles[0]


def _hoarder(strategy: Any) -> Any:
    strategy.export_state = lambda: {"text": "x" * 30_000}
    return strategy
