"""An earlier session is taken up in pieces between which the engine answers: a kill does not wait for the end of it."""

from __future__ import annotations

from pathlib import Path

from sengine.adapters.journal.reader import JournalReader
from sengine.adapters.journal.recovery import Following
from sengine.domain.events import PauseStrategy, ResumeStrategy, SoundBookEvent
from tests.adapters.test_journal import BOOK, new_journal
from tests.engine.conftest import Actor, engine_with

EVENTS = 40_000


def test_a_piece_is_some_hundred_records_whatever_they_are(tmp_path: Path) -> None:
    journal = new_journal(tmp_path)
    for step in range(EVENTS):
        journal.event(SoundBookEvent("BTC", step, BOOK))
        if step % 100 == 0:
            journal.event(PauseStrategy("a") if step % 200 else ResumeStrategy("a"))
    journal.close()
    reader = JournalReader(tmp_path)
    following = Following(engine_with(Actor("a")), reader.since(1))
    before, is_more = 0, True
    while is_more:
        is_more = following.step()
        assert following.records - before <= 1_100
        before = following.records
    following.end()
    assert following.records > EVENTS
