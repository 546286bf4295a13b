"""A recorded live session run again: the same events into a new engine, and its decisions held against the record.

The strategies' text and configuration are the session's own. What comes out differently the second time came from
outside the journal: a clock, random numbers, a file; or another version of the engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

import msgspec

from replay.digest import RunDigest
from sengine import __version__
from sengine.adapters.containment.call_timer import time_limit
from sengine.adapters.containment.interrupts import only_ctrl_c_ends
from sengine.adapters.journal.format import (
    Closed,
    Gap,
    Header,
    Sample,
    StrategyLoaded,
    StrategyRecord,
    StrategySwapped,
)
from sengine.adapters.journal.journal import happened_of
from sengine.adapters.journal.old_records import Unreadable
from sengine.adapters.journal.reader import Entry, JournalReader
from sengine.adapters.journal.recovery import Following, rule_of
from sengine.adapters.journal.sources import StrategySources
from sengine.adapters.journal.words import in_words, lines_of, position_line
from sengine.adapters.store.lead import lead_of
from sengine.adapters.store.schema import FILE_NAME
from sengine.assembly import build_engine, build_venue, strategy_spec
from sengine.config.convert import convert
from sengine.config.schema import Config, StrategyConfig
from sengine.domain.events import Interrupted
from sengine.engine.checkpoint.checkpoint import Checkpoint, checkpoint, restore
from sengine.engine.checkpoint.follower import Happened
from sengine.engine.core import Engine
from sengine.engine.outcome import NOTHING, Outcome
from sengine.engine.strategies.guard import TIMEOUT
from sengine.engine.strategies.spec import LoadStrategy, StrategySpec
from sengine.engine.strategies.swap import SwapStrategy
from sengine.errors import DamageError, JournalError, SengineError
from sengine.plugins.loader import load_plugin
from sengine.strategy import BaseStrategy

_TICK_TIMEOUT_MS: Final = 10_000.0
_SETUP_TIMEOUT_MS: Final = 60_000.0
_TWICE: Final = "the journal holds what this event led to twice in a row; no engine writes that"
_REPEATED: Final = "the record at {} stands twice in a row in the journal, and is one too many"
_encode: Final = msgspec.msgpack.Encoder().encode


class Divergence(msgspec.Struct, frozen=True):
    """The first event that led to something else: where it lies, what it is, and both sides."""

    segment: int
    offset: int
    event: str
    recorded: Sequence[str]
    again: Sequence[str]
    why: str


class SessionCheck(msgspec.Struct):
    """One session run again. ``skipped`` says why it could not be; ``notes`` what to bear in mind."""

    session: str
    segments: Sequence[int]
    program: str
    events: int = 0
    signals: int = 0
    orders: int = 0
    fills: int = 0
    digest: str = ""
    divergence: Divergence | None = None
    skipped: str = ""
    notes: list[str] = []
    missing: list[str] = []
    """Files that there were and are not there, and records that other files know of."""
    is_closed: bool = False
    """Whether its end is on record; not so where it was killed, where its end is lost, or while it runs."""

    lead: str = ""
    """What the store of records has and the journal has not; then its end is lost."""

    @property
    def is_equal(self) -> bool:
        return self.divergence is None and not self.skipped


def verify(directory: Path) -> Iterator[SessionCheck]:
    """Run each session of a journal again, oldest first. Raises ``JournalError`` for a damaged journal."""
    reader = JournalReader(directory)
    headers = reader.headers()
    numbers = sorted(headers)
    starts = [number for number in numbers if headers[number].starts_session or number == numbers[0]]
    for place, start in enumerate(starts):
        end = starts[place + 1] if place + 1 < len(starts) else numbers[-1] + 1
        check = SessionCheck(headers[start].session, list(range(start, end)), headers[start].program)
        try:
            _Rerun(reader, headers[start], start, end, check).run()
        except DamageError:
            raise
        except SengineError as error:
            check.skipped = str(error)
        check.notes.extend(reader.left_out.told())
        if reader.torn is not None:
            check.notes.append(str(reader.torn))
            reader.torn = None
        if not place and start > 1:
            gone = "segment 1 is" if start == 2 else f"segments 1 to {start - 1} are"
            check.missing.append(f"{gone} not there, thrown away or lost; the oldest file is {reader.paths[start]}")
        if end > numbers[-1]:
            check.lead = lead_of(directory.parent / FILE_NAME, directory)
            check.missing.extend([check.lead] if check.lead else [])
        yield check


class _Rerun:
    """One session, from its first segment up to ``end``."""

    def __init__(self, reader: JournalReader, header: Header, start: int, end: int, check: SessionCheck) -> None:
        self._reader = reader
        self._start = start
        self._end = end
        self._check = check
        self._header = header
        self._sources = StrategySources(reader.directory)
        self._digest = RunDigest()
        self._engine = self._new_engine(header)
        self._event: Entry | None = None
        self._before: Any = None
        """The record before."""
        self._repeated = ""
        """Where the first event stands that is the very same as the one before it."""
        self._is_restored = False
        self._again = Happened()
        self._is_closed = False

    def run(self) -> None:
        with only_ctrl_c_ends(self._engine.guard), self._time_limit():
            for strategy in self._header.strategies:
                self._engine.registry.load(self._spec(strategy))
            self._run()

    def _time_limit(self) -> AbstractContextManager[None]:
        """For a call that came back then and does not now. Those that were cut short then are not made at all."""
        return time_limit(self._engine.guard, _TICK_TIMEOUT_MS, _SETUP_TIMEOUT_MS)

    def _run(self) -> None:
        if self._header.follows_from:
            past = takewhile(lambda entry: entry.segment < self._start, self._reader.since(self._header.follows_from))
            following = Following(self._engine, past)
            while following.step():
                pass
            following.end()
        elif not self._header.starts_session:
            self._check.notes.append("its beginning is gone; strategies that declare no state may do other than then")
        entries = takewhile(lambda entry: entry.segment < self._end, self._reader.since(self._start))
        for entry, following in _with_next(entries):
            if isinstance(following, Happened):
                self._interrupt(following)
            if not self._take(entry):
                break
        else:
            self._check.is_closed = self._is_closed
            if self._is_closed:
                self._settle(None)
            elif _essence(self._again) != _essence(Happened()):
                self._check.notes.append("it was killed before what its last event led to was on record")
        self._check.digest = self._digest.text()

    def _interrupt(self, happened: Happened) -> None:
        """Calls that were cut off by their time limit are cut off again, where they began."""
        for fault in happened.faults:
            if fault.kind == TIMEOUT:
                self._engine.process(Interrupted(fault.strategy_id, fault.call, fault.number, fault.message))

    def _take(self, entry: Entry) -> bool:
        """Whether the two still agree."""
        record = entry.record
        is_repeated, self._before = record == self._before, record
        if is_repeated:
            self._repeated = self._repeated or f"{entry.segment}:{entry.offset}"
        if isinstance(record, Happened):
            if is_repeated:
                return self._differs(record, Happened(), _TWICE)
            self._check.signals += len(record.signals)
            self._check.orders += len(record.orders)
            return self._settle(record)
        if isinstance(record, Unreadable | Gap):
            # What the event before it led to may be what is missing.
            self._again = Happened()
        self._is_closed = isinstance(record, Closed)
        if isinstance(record, Header | Closed | Sample):
            return True
        if not self._settle(None):
            return False
        if isinstance(record, Checkpoint):
            return self._compare_books(entry, record)
        if isinstance(record, Gap):
            self._check.notes.append(f"{record.records} records are missing at {entry.segment}:{entry.offset}")
            return True
        if isinstance(record, Unreadable):
            return True
        self._event = entry
        self._check.events += 1
        outcome = self._process(record)
        if outcome is not NOTHING:
            self._digest.add(outcome)
            self._check.fills += len(outcome.fills)
            self._again = happened_of(outcome, {}, outcome.crosses)
        return True

    def _process(self, record: Any) -> Outcome:
        try:
            if isinstance(record, StrategyLoaded):
                record = LoadStrategy(self._spec(record.strategy))
            elif isinstance(record, StrategySwapped):
                record = SwapStrategy(self._spec(record.strategy), record.warmed, rollback_ticks=record.rollback_ticks)
            return self._engine.process(record)
        except JournalError:
            raise
        except SengineError:
            return NOTHING  # as it could not be carried out then

    def _settle(self, recorded: Happened | None) -> bool:
        """Hold what the last event led to against the record."""
        again, self._again = self._again, Happened()
        recorded = recorded or Happened()
        if _essence(again) == _essence(recorded):
            return True
        why = _REPEATED.format(self._repeated) if self._repeated else self._why(recorded, again)
        return self._differs(recorded, again, why)

    def _differs(self, recorded: Happened, again: Happened, why: str) -> bool:
        entry = self._event
        place, event = (
            ((entry.segment, entry.offset), in_words(entry.record)) if entry else ((self._start, 0), "its beginning")
        )
        self._check.divergence = Divergence(*place, event, lines_of(recorded), lines_of(again), why)
        return False

    def _compare_books(self, entry: Entry, recorded: Checkpoint) -> bool:
        is_first = entry.segment == self._start
        if is_first and not self._header.follows_from and not self._is_restored:
            self._is_restored = True
            self._check.notes.extend(restore(self._engine, recorded))
            return True
        again = checkpoint(self._engine)
        ours, theirs = ([position_line(each) for each in state.books.positions] for state in (recorded, again))
        if ours == theirs:
            return True
        if self._check.notes:
            return True  # what is missing from the journal is missing from the books
        self._check.divergence = Divergence(
            entry.segment, entry.offset, "a checkpoint", ours, theirs, "the positions differ without an order that does"
        )
        return False

    def _why(self, recorded: Happened, again: Happened) -> str:
        blamed = sorted(said[0] for said in _sayings(recorded) ^ _sayings(again))
        if blamed:
            strategy_id = blamed[0]
            record = next((each for each in self._header.strategies if each.strategy_id == strategy_id), None)
            where = f" ({record.path}, {record.version})" if record is not None else ""
            return (
                f"strategy {strategy_id}{where} answered differently to the same data: does it read a clock, random "
                "numbers, or a file? A strategy must decide from what it is shown"
            )
        version = self._header.program
        other = (
            f"sengine {version} then, {__version__} now" if version != __version__ else "the same version of sengine"
        )
        return f"the strategies said the same and the engine decided differently ({other})"

    def _new_engine(self, header: Header) -> Engine:
        config, wrong = convert(_with_rules_of_then(header.config) | {"strategies": []}, Config)
        if wrong:
            raise JournalError(f"the session's configuration cannot be read by this version: {wrong[0]}")
        if not config.journal.market_data:
            raise JournalError("it was recorded without market data (journal.market_data: false): nothing to run again")
        venue = build_venue(config) if config.execution.target == "simulated" else None
        engine = build_engine(config, venue, header.session, reloads=True)
        engine.jumps.change(rule_of(header))
        return engine

    def _spec(self, record: StrategyRecord) -> StrategySpec:
        strategy, wrong = convert(record.config, StrategyConfig)
        if wrong:
            raise JournalError(f"strategy {record.strategy_id}: its recorded configuration cannot be read: {wrong[0]}")
        if record.max_signal_age_ns is not None:
            return _remote_spec(strategy, record)
        return strategy_spec(strategy, load_plugin(self._sources.path(record)))


def _with_rules_of_then(config: dict[str, Any]) -> dict[str, Any]:
    """What a session without a key did not know of did not happen in it, whatever the key's default is now."""
    return config | {"execution": {"reject_pause": 0} | config.get("execution", {})}


def _with_next(entries: Iterator[Entry]) -> Iterator[tuple[Entry, Any]]:
    """Each entry with the record after it."""
    last: Entry | None = None
    for entry in entries:
        if last is not None:
            yield last, entry.record
        last = entry
    if last is not None:
        yield last, None


class _Elsewhere(BaseStrategy):
    """Stands for a strategy in another process, whose answers are events."""

    def on_tick(self, data: Any) -> None:
        return None

    def on_order(self, update: Any) -> None:
        """Its process may have been told, and a call is a call."""


def _remote_spec(strategy: StrategyConfig, record: StrategyRecord) -> StrategySpec:
    return StrategySpec(
        strategy.id,
        lambda: _Elsewhere(strategy.id),
        tuple(strategy.symbols),
        strategy.route or "vote",
        strategy.default_size,
        config=strategy.config,
        version=record.version,
        one_instance_per_symbol=False,
        max_signal_age_ns=record.max_signal_age_ns,
    )


def _essence(happened: Happened) -> bytes:
    """What must be the same: all but what strategies hang on their signals, and the wording of their errors and of a
    vote, which earlier versions did not tell."""
    signals = [
        msgspec.structs.replace(
            each,
            signal=msgspec.structs.replace(each.signal, metadata=None),
            reason=each.reason if each.check else "",
        )
        for each in happened.signals
    ]
    crosses = [each for each in happened.fills if each.strategy_id]
    faults = [(each.strategy_id, each.kind) for each in happened.faults]
    return _encode((signals, happened.orders, happened.cancels, faults, crosses))


def _sayings(happened: Happened) -> set[tuple[Any, ...]]:
    """What strategies said, apart from what became of it."""
    said = {
        (signal.strategy_id, signal.symbol, signal.direction, signal.confidence, signal.size, signal.limit_price)
        for signal in (result.signal for result in happened.signals)
    }
    return said | {(fault.strategy_id, fault.kind) for fault in happened.faults}
