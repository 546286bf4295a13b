"""The journal of a running engine: every event that it takes, and what it led to, in order.

The engine's loop encodes, a thread writes. What must not be lost is handed over before an order leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import time_ns
from typing import Any, Final
from zlib import crc32

import msgspec

from sengine import __version__
from sengine.adapters.journal.format import (
    FORMAT,
    HEAD,
    LONGEST_RECORD,
    MARKET_TAGS,
    TAGS,
    Closed,
    Gap,
    Header,
    Sample,
    StrategyLoaded,
    StrategyRecord,
    StrategySwapped,
    frame,
)
from sengine.adapters.journal.retention import Retention, Tell
from sengine.adapters.journal.sources import StrategySources
from sengine.adapters.journal.writer import JournalWriter
from sengine.config.redact import plain, redacted
from sengine.config.schema import Config
from sengine.domain.events import MarketEvent, ReloadParameters, RemoteReady, RemoteRolledBack
from sengine.domain.order import Fill, OrderUpdate
from sengine.engine.checkpoint.checkpoint import Checkpoint, checkpoint
from sengine.engine.checkpoint.follower import Happened
from sengine.engine.core import Engine, EngineEvent
from sengine.engine.outcome import Outcome
from sengine.engine.strategies.faults import StrategyFault
from sengine.engine.strategies.spec import LoadStrategy
from sengine.engine.strategies.swap import SwapStrategy

FOLDER: Final = "journal"
_HAPPENED: Final = TAGS[Happened]


class Beginning(msgspec.Struct, frozen=True):
    """Where a new session's part of the journal begins: after how many records, in which segment, and from which
    segment its strategies were shown the past (0 where they were not)."""

    segment: int = 1
    first_record: int = 0
    follows_from: int = 0


class Journal:
    """Records one session of ``engine`` into ``directory``. All but the writing is done on the engine's loop.

    ``on_change`` is called, on any thread, with why the journal cannot be written, and with an empty text once it can
    again; ``on_removal``, before old segments go, as of ``Retention``. Raises ``SengineError`` when the first segment
    cannot be written.
    """

    def __init__(
        self,
        directory: Path,
        config: Config,
        engine: Engine,
        session: str,
        beginning: Beginning,
        *,
        on_change: Callable[[str], None] = lambda failure: None,
        on_removal: Tell = lambda keys, sentence: None,
        **writer: Any,
    ) -> None:
        self.directory = directory
        self.records = beginning.first_record
        self.unrecorded = 0
        """Events that could not be put into a record."""
        self._engine = engine
        self._session = session
        self._segment = beginning.segment
        self._follows_from = beginning.follows_from
        self._config = redacted(config)
        self._sources = StrategySources(directory)
        # What holds code or secrets is not recorded as it is.
        self._stand_ins: dict[type, Callable[[Any], Any]] = {
            LoadStrategy: lambda event: StrategyLoaded(self._sources.record(event.spec), time_ns()),
            SwapStrategy: lambda event: StrategySwapped(
                self._sources.record(event.spec), dict(event.warmed), event.rollback_ticks, time_ns()
            ),
            ReloadParameters: lambda event: ReloadParameters(event.strategy_id, plain(event.config)),
            RemoteReady: _without_secrets,
            RemoteRolledBack: lambda event: msgspec.structs.replace(event, ready=_without_secrets(event.ready)),
        }
        self._takes_market_data = config.journal.market_data
        self._segment_bytes = config.journal.segment_bytes
        self._encode = msgspec.msgpack.Encoder().encode
        self._retention = Retention(directory, config.journal, on_removal)
        self._bytes = self._roll_at_bytes = 0
        self._writer = JournalWriter(
            directory,
            self._segment,
            self._first_frames(starts_session=True),
            durability=config.journal.durability,
            on_change=on_change,
            on_rolled=lambda path: self._retention.begin(),
            **writer,
        )
        self._retention.begin()

    @property
    def failure(self) -> str:
        """Why the journal cannot be written; empty while it can."""
        return self._writer.failure

    # What LiveEngine calls.

    def event(self, event: EngineEvent) -> None:
        """Record an event that is about to be processed."""
        if self._bytes >= self._roll_at_bytes or (self._writer.lost and self._writer.has_caught_up):
            self._roll()
        try:
            stand_in = self._stand_ins.get(type(event))
            if stand_in is not None:
                event = stand_in(event)
            tag = TAGS[type(event)]
            if not self._takes_market_data and tag in MARKET_TAGS:
                return
            payload = self._encode((tag, event))
            if len(payload) > LONGEST_RECORD:
                raise ValueError(_too_long(payload))
        except (TypeError, ValueError, OverflowError, RecursionError, KeyError) as error:
            self.unrecorded += 1
            gap = Gap(1, f"a {type(event).__name__} cannot be recorded: {error}")
            payload = self._encode((TAGS[Gap], gap))
        self.records += 1
        self._bytes += len(payload)
        self._writer.append(HEAD.pack(len(payload), crc32(payload)) + payload)

    def recorded(self, events: Iterator[MarketEvent]) -> Iterator[MarketEvent]:
        """The same events, each recorded before it comes out."""
        record = self.event
        for event in events:
            record(event)
            yield event

    def outcome(self, event: EngineEvent, outcome: Outcome) -> bool:
        """Record what the event led to; whether its orders may leave."""
        # What came from outside is on record as the event; what was crossed because of it is not.
        fills = (outcome.crosses if type(event) is Fill else outcome.fills) if outcome.fills else []
        if (
            outcome.signals
            or outcome.orders
            or outcome.cancels
            or outcome.faults
            or fills
            or outcome.updates
            or outcome.rollbacks
        ):
            payload, is_whole = self._encoded(outcome, fills)
            self.records += 1
            self._bytes += len(payload)
            self._writer.append(HEAD.pack(len(payload), crc32(payload)) + payload)
            if not is_whole:
                return False
            if outcome.orders or outcome.cancels:
                return self._writer.commit()
        if isinstance(event, Fill | OrderUpdate):
            return self._writer.commit()
        return True

    def idle(self) -> None:
        """Nothing waits: make room for what comes next."""
        self._writer.make_room()

    def sample(self) -> None:
        """Record what has been earned so far."""
        engine = self._engine
        strategies = {strategy_id: account.state() for strategy_id, account in engine.portfolio.accounts()}
        self._append(Sample(time_ns(), engine.now_ns, engine.portfolio.total.state(), strategies))

    def close(self) -> None:
        """The session ended on purpose."""
        self._append(Closed(time_ns()))
        self._writer.close()
        self._retention.wait()

    # Records.

    def _encoded(self, outcome: Outcome, fills: Sequence[Fill]) -> tuple[bytes, bool]:
        """The record of an outcome, and whether that is in it."""
        # Errors pause a strategy, and so does a check that refuses it.
        paused: dict[str, str] = {}
        for result in outcome.signals:
            if result.check:
                self._add_if_paused(paused, result.signal.strategy_id)
        for fault in outcome.faults:
            self._add_if_paused(paused, fault.strategy_id)
        happened = happened_of(outcome, paused, fills)
        reason = ""
        # What is hung on signals decides nothing. All of it is plain and bounded, so none of this should be needed.
        for is_bare in (False, True):
            try:
                payload = self._encode((_HAPPENED, _without_metadata(happened) if is_bare else happened))
            except (TypeError, ValueError, OverflowError, RecursionError) as error:
                reason = str(error)
                continue
            if len(payload) <= LONGEST_RECORD:
                return payload, True
            reason = _too_long(payload)
        self.unrecorded += 1
        return self._encode((TAGS[Gap], Gap(1, f"what an event led to cannot be recorded: {reason}"))), False

    def _add_if_paused(self, paused: dict[str, str], strategy_id: str) -> None:
        runtime = self._engine.registry.find(strategy_id)
        if runtime is not None and runtime.pause_reason:
            paused[strategy_id] = runtime.pause_reason

    def _append(self, record: msgspec.Struct) -> None:
        self.records += 1
        self._writer.append(frame(self._encode((TAGS[type(record)], record))))

    def _roll(self) -> None:
        """Begin the next segment; the engine is between two events."""
        lost = self._writer.lost
        self._segment += 1
        self._follows_from = 0
        more = [Gap(lost, "too much waited to be written")] if lost else []
        self._writer.roll(self._segment, self._first_frames(starts_session=False, lost=lost, more=more))

    def _first_frames(self, *, starts_session: bool, lost: int = 0, more: Sequence[msgspec.Struct] = ()) -> bytes:
        strategies: list[StrategyRecord] = [self._sources.record(runtime.spec) for runtime in self._engine.registry]
        header = Header(
            FORMAT,
            self._session,
            self._segment,
            self.records,
            time_ns(),
            __version__,
            self._config,
            strategies,
            starts_session,
            self._follows_from,
            lost,
            self._engine.now_ns,
        )
        payloads = [self._encode((TAGS[type(each)], each)) for each in (header, self._checkpoint(), *more)]
        content = b"".join(map(frame, payloads))
        self.records += len(payloads)
        self._bytes = len(content)
        # As many bytes of events as of checkpoint at least: else one that is longer than a segment is to be would have
        # every event begin the next.
        self._roll_at_bytes = max(self._segment_bytes, 2 * len(content))
        return content

    def _checkpoint(self) -> Checkpoint:
        """The engine now; without what its strategies declare, where that would be more than a record may hold."""
        state = checkpoint(self._engine)
        if len(self._encode(state)) <= LONGEST_RECORD // 2:
            return state
        return msgspec.structs.replace(state, strategies=[each.without_states() for each in state.strategies])


def happened_of(outcome: Outcome, paused: dict[str, str], fills: Sequence[Fill]) -> Happened:
    """The part of an outcome that is recorded."""
    faults = [_without_traceback(fault) for fault in outcome.faults] if outcome.faults else []
    return Happened(
        outcome.signals, outcome.orders, outcome.cancels, faults, paused, fills, outcome.updates, outcome.rollbacks,
        outcome.withdrawn,
    )  # fmt: skip


def _without_secrets(ready: RemoteReady) -> RemoteReady:
    return msgspec.structs.replace(ready, config=plain(ready.config))


def _without_traceback(fault: StrategyFault) -> StrategyFault:
    return msgspec.structs.replace(fault, traceback="")


def _without_metadata(happened: Happened) -> Happened:
    replace = msgspec.structs.replace
    signals = [replace(each, signal=replace(each.signal, metadata=None)) for each in happened.signals]
    return replace(happened, signals=signals)


def _too_long(payload: bytes) -> str:
    return f"expected a record of at most {LONGEST_RECORD:,} bytes, got {len(payload):,}"
