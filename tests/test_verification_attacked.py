"""``verify`` answers, whatever a strategy does and whatever was done to the journal since."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sengine.adapters.containment.call_timer import time_limit
from sengine.adapters.containment.interrupts import CtrlC, only_ctrl_c_ends
from sengine.adapters.journal.format import frame, frames
from sengine.adapters.journal.journal import Beginning, Journal
from sengine.adapters.journal.reader import JournalReader
from sengine.adapters.journal.recovery import recover
from sengine.engine.core import Engine
from sengine.engine.strategies.guard import Guard
from sengine.runtime.live_engine import LiveEngine
from sengine.service.verification import SessionCheck, verify
from tests.test_hostile_strategies import configured, new_engine, quote

PASSES_BY = "def say(self, data): return long(metadata={'n': self.n})"


def recorded(folder: Path, text: str = PASSES_BY, ticks: int = 24) -> Engine:
    config, journal_folder = configured(folder, text, "simulated"), folder / "journal"
    journal_folder.mkdir()
    engine = new_engine(config)
    live = LiveEngine(engine)
    with time_limit(engine.guard, 40.0, 40.0):
        live.journal = journal = Journal(journal_folder, config, engine, "s-", Beginning())
        for number in range(1, ticks + 1):
            live.process(quote(number))
        journal.close()
    return engine


def checked(folder: Path) -> SessionCheck:
    (check,) = verify(folder / "journal")
    return check


@pytest.mark.parametrize(
    "text",
    [
        "def say(self, data): raise KeyboardInterrupt",
        "def say(self, data): return long(symbol=hostile(str, interrupt)('BTCUSDT'))",
        "def say(self, data): raise type('E', (Exception,), {'__str__': hang})()",
        "def say(self, data): raise type('E', (Exception,), {'__str__': interrupt})()",
        "on_fill = interrupt",
    ],
)
def test_a_strategy_that_interrupts_or_hangs_is_run_again_like_any_other(text: str, tmp_path: Path) -> None:
    engine = recorded(tmp_path, text)
    assert engine.registry.get("hostile").errors
    check = checked(tmp_path)
    assert check.is_equal, check.divergence or check.skipped


def doubled(folder: Path, at: int) -> type:
    """Write the ``at``-th record of the journal twice; its type."""
    path = folder / "journal" / "0000000001.journal"
    payloads = [bytes(payload) for _, payload in frames(memoryview(path.read_bytes()))]
    kind = type(list(JournalReader(path.parent))[at].record)
    payloads.insert(at, payloads[at])
    path.write_bytes(b"".join(map(frame, payloads)))
    return kind


def test_every_record_that_stands_twice_is_answered_and_no_strategy_is_blamed(tmp_path: Path) -> None:
    engine = recorded(tmp_path, ticks=10)
    path = tmp_path / "journal" / "0000000001.journal"
    content = path.read_bytes()
    orders, seen = engine.orders_sent, set()
    for at in range(len(list(JournalReader(path.parent)))):
        path.write_bytes(content)
        kind = doubled(tmp_path, at)
        seen.add(kind.__name__)
        check = checked(tmp_path)
        assert not check.skipped
        if check.divergence is not None:
            assert "twice" in check.divergence.why
        again = new_engine(configured(tmp_path, PASSES_BY, "simulated"))
        recovered = asyncio.run(recover(path.parent, again, 1_000_000))
        assert again.orders_sent == orders
        assert list(again.portfolio.positions()) == list(engine.portfolio.positions())
        assert (kind.__name__ == "Happened") == any("twice in a row" in note for note in recovered.notes)
    assert {"Header", "Checkpoint", "SoundBookEvent", "Happened", "Closed"} <= seen


def test_ctrl_c_ends_it_and_what_a_strategy_raises_does_not() -> None:
    guard = Guard()
    before = signal.getsignal(signal.SIGINT)
    with only_ctrl_c_ends(guard):
        guard.contain(KeyboardInterrupt())
        with pytest.raises(CtrlC):
            os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            guard.contain(CtrlC())
    assert guard.passes_on == (KeyboardInterrupt,)
    assert signal.getsignal(signal.SIGINT) is before


def test_the_command_answers_on_a_strategy_that_interrupts(tmp_path: Path) -> None:
    recorded(tmp_path, "def say(self, data): raise KeyboardInterrupt")
    command = [sys.executable, "-m", "sengine", "verify", str(tmp_path / "journal")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    assert "equal: sha256:" in result.stdout
