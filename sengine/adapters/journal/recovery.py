"""What a start takes up of an earlier session: its books, its orders in flight, its risk state, its strategies' minds.

The engine is restored from a checkpoint in the journal and follows what was recorded since. The checkpoint is taken far
enough back that strategies see the market they knew: where the journal since the first start is there, all of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from sengine.adapters.journal.format import (
    MARKET_TAGS,
    Closed,
    Gap,
    Header,
    Sample,
    StrategyLoaded,
    StrategySwapped,
    segments,
)
from sengine.adapters.journal.journal import Beginning
from sengine.adapters.journal.old_records import Unreadable
from sengine.adapters.journal.reader import Entry, JournalReader, TornEnd, cut_torn_end
from sengine.config.convert import convert
from sengine.config.schema import MarketDataConfig
from sengine.domain.events import ChangeAggregation, KillSwitch, MarketEvent, ReloadParameters, UnloadStrategy
from sengine.engine.checkpoint.checkpoint import Checkpoint, restore
from sengine.engine.checkpoint.effective_settings import EffectiveSettings, Running
from sengine.engine.checkpoint.follower import Follower, Happened
from sengine.engine.core import Engine
from sengine.engine.risk.change_limits import ChangeLimits
from sengine.engine.risk.pipeline import RiskPipeline
from sengine.engine.time_jumps import JumpRule

_AT_ONCE: Final = 512
_NOT_FOLLOWED: Final = (Header, Checkpoint, Gap, Closed, Sample, StrategyLoaded, StrategySwapped, Unreadable)
_LOOK: Final = "compare positions and orders with the execution service, then `sengine rearm`"
_DECIDED_ANEW: Final = (
    ChangeLimits, ChangeAggregation, ReloadParameters, UnloadStrategy, StrategyLoaded, StrategySwapped
)  # fmt: skip


class Recovered(msgspec.Struct):
    """What became of the journal at a start: where the new session goes on, and what there is to say about it."""

    beginning: Beginning
    records: int = 0
    was_closed: bool = False
    notes: list[str] = []
    session: str = ""
    """The prefix of the last session's order ids."""


def new_session_after(directory: Path) -> Beginning:
    """Where a session goes that wants to know nothing of those before."""
    if not segments(directory):
        return Beginning()
    reader = JournalReader(directory)
    unbegun = reader.leave_out_unbegun_end()
    in_last = sum(1 for _ in reader.of_segment(max(reader.paths))) if reader.paths else 0
    _cut(unbegun, reader.torn)
    return _beginning(reader, 0, in_last, unbegun)


async def recover(directory: Path, engine: Engine, warmup_events: int, until: Beginning | None = None) -> Recovered:
    """Bring ``engine``, with its strategies loaded and nothing processed, to where the journal ends. Without a journal
    there is nothing to do.

    Raises ``JournalError`` where the journal is damaged. The loop is given its turn every few hundred records.
    """
    if not segments(directory):
        return Recovered(Beginning())
    reader = JournalReader(directory)
    unbegun = reader.leave_out_unbegun_end()
    if not reader.paths:
        return Recovered(_beginning(reader, 0, 0, unbegun), notes=_cut(unbegun))
    start = first_to_follow(reader, warmup_events)
    following = Following(engine, reader.since(start))
    while following.step():
        await asyncio.sleep(0)
    following.end()
    following.notes.extend(reader.left_out.told())
    if following.in_force is not None:
        following.notes.extend(following.in_force.instead(EffectiveSettings.of(engine)))
    following.notes.extend(_cut(unbegun, reader.torn))
    beginning = _beginning(reader, start, following.in_segment, unbegun)
    session = reader.headers()[max(reader.paths)].session
    return Recovered(beginning, following.records, following.was_closed, following.notes, session)


def first_to_follow(reader: JournalReader, warmup_events: int, until: int | None = None) -> int:
    """The segment to begin with: as far back as wanted, and no further than to the start that knew nothing, or to
    where records were lost. ``until`` is the last segment that counts."""
    headers = {number: each for number, each in reader.headers().items() if until is None or number <= until}
    numbers = sorted(headers, reverse=True)
    end = headers[numbers[0]].first_record
    start = numbers[0]
    for number in numbers:
        header = headers[number]
        if number < start - 1 or (number < start and end - header.first_record > warmup_events):
            break
        start = number
        if (header.starts_session and not header.follows_from) or _begins_with_gap(reader, number):
            break
    return start


def _begins_with_gap(reader: JournalReader, number: int) -> bool:
    third = next(islice(reader.of_segment(number), 2, None), None)
    return third is not None and isinstance(third.record, Gap)


def _beginning(reader: JournalReader, follows_from: int, in_last: int, unbegun: TornEnd | None) -> Beginning:
    """After the last segment, of which so many records were read, and in place of one that was not begun."""
    if not reader.paths:
        return Beginning(unbegun.segment if unbegun is not None else 1)
    last = max(reader.paths)
    return Beginning(last + 1, reader.headers()[last].first_record + in_last, follows_from)


def _cut(*ends: TornEnd | None) -> list[str]:
    """Cut off what is torn; what there is to say about it."""
    torn = [end for end in ends if end is not None]
    for end in torn:
        cut_torn_end(end)
    return [str(end) for end in torn]


def decide(in_force: EffectiveSettings, command: Any) -> None:
    """Bring what is in force up to date with a recorded command."""
    strategies = in_force.strategies
    if isinstance(command, ChangeLimits):
        before = RiskPipeline(in_force.limits, in_force.bypass)
        if command.allow_loosening or not before.loosened_by(command.limits, command.bypass):
            after = RiskPipeline(command.limits, command.bypass)
            in_force.limits = after.limits
            in_force.bypass = sorted(after.bypass)
    elif isinstance(command, ChangeAggregation):
        in_force.method, in_force.window_ns = command.method, command.window_ns
    elif isinstance(command, UnloadStrategy):
        strategies.pop(command.strategy_id, None)
    elif isinstance(command, ReloadParameters):
        if command.strategy_id in strategies:
            strategies[command.strategy_id].parameters = command.config
    else:
        record = command.strategy
        version = record.version if record.max_signal_age_ns is None else ""
        strategies[record.strategy_id] = Running(version, record.config.get("config", {}))


def rule_of(header: Header) -> JumpRule | None:
    """When a session held events back for their time; ``None`` for one of a version that never did."""
    if "market_data" not in header.config:
        return None
    market_data, wrong = convert(header.config["market_data"], MarketDataConfig)
    return None if wrong else JumpRule(market_data.max_jump_ns, market_data.confirm)


class Following:
    """Takes an engine through journal entries, the first of which begin a segment. ``step`` does some of them."""

    def __init__(self, engine: Engine, entries: Iterator[Entry]) -> None:
        self.records = 0
        self.segment = 0
        self.in_segment = 0
        """Records of the current segment."""
        self.was_closed = False
        self.notes: list[str] = []
        self.in_force: EffectiveSettings | None = None
        """What was in force where the entries end."""
        self._decision: Any = None
        self._engine = engine
        self._rule = engine.jumps.rule
        self._entries = entries
        self._follower: Follower | None = None
        self._next: Entry | None = None
        self._before: Any = None
        """The record before."""

    def step(self) -> bool:
        """Follow some hundred records; whether there may be more."""
        # By record: what is followed at once may be hundreds of events, and a kill has to be answered meanwhile.
        enough = self.records + _AT_ONCE
        while self.records < enough:
            entry, self._next = self._next, None
            if entry is None:
                entry = self._take()
                if entry is None:
                    return False
            self._follow(entry)
        return True

    def end(self) -> None:
        self._engine.jumps.change(self._rule)
        self._decide()
        if self._follower is not None:
            self._follower.end()

    def _follow(self, entry: Entry) -> None:
        self._follow_one(entry)
        self._before = entry.record

    def _follow_one(self, entry: Entry) -> None:
        record = entry.record
        if isinstance(record, Header):
            self._engine.jumps.change(rule_of(record))
        if isinstance(record, Checkpoint) and self._follower is None:
            self.notes.extend(restore(self._engine, record))
            self._follower = Follower(self._engine)
        if isinstance(record, Checkpoint):
            self.in_force, self._decision = record.in_force, None
        elif isinstance(record, Happened) and any(fault.kind == "reload" for fault in record.faults):
            self._decision = None  # it could not be carried out
        elif self._decision is not None:
            self._decide()
        if isinstance(record, _DECIDED_ANEW):
            self._decision = record
        follower = self._follower
        self.was_closed = isinstance(record, Closed)
        if isinstance(record, Unreadable) and record.decides and follower is not None:
            # What was sent then is not known, so nobody can say what may be sent now.
            follower.event(KillSwitch(f"the journal: {entry.segment}:{entry.offset} cannot be read; {_LOOK}"))
        if follower is None or isinstance(record, _NOT_FOLLOWED):
            return
        if entry.tag in MARKET_TAGS:
            follower.market_data(self._market_data(record))
        elif isinstance(record, Happened):
            if record == self._before:
                place = f"{entry.segment}:{entry.offset}"
                self.notes.append(f"{place}: what an event led to stands there twice in a row; it counts once")
            else:
                follower.happened(record)
        else:
            follower.event(record)

    def _decide(self) -> None:
        """The last command counts, as it was not taken back by what it led to."""
        record, self._decision = self._decision, None
        if record is not None and self.in_force is not None:
            decide(self.in_force, record)

    def _market_data(self, first: MarketEvent) -> Iterator[MarketEvent]:
        """The event and those that follow at once; what comes after them is kept."""
        yield first
        for _ in range(_AT_ONCE):
            entry = self._take()
            if entry is None:
                return
            if entry.tag not in MARKET_TAGS:
                self._next = entry
                return
            yield entry.record

    def _take(self) -> Entry | None:
        entry = next(self._entries, None)
        if entry is not None:
            self.records += 1
            if entry.segment != self.segment:
                self.segment, self.in_segment = entry.segment, 0
            self.in_segment += 1
        return entry
