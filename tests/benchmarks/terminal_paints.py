"""The screens with a scripted engine whose figures change at every paint, as fast as the terminal takes them.

``python terminal_paints.py FILE PAINTS`` runs in a terminal and writes its memory after each hundred paints, in MB, as
JSON into FILE.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import msgspec
from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).parents[2]))

from sengine.adapters.control.views import SnapshotView
from sengine.clock import NS_PER_S
from tests.benchmarks.terminal_process import Terminal
from tests.tui import scenes
from tui.app import EngineApp
from tui.fake_link import FakeLink

# As many as are in sight: rows out of sight only take time.
STRATEGIES, SYMBOLS = 8, 4
PAINTS_PER_S = 10
SAMPLE_EVERY = 100


class HurriedLink(FakeLink):
    """Has the next snapshot as soon as the last one is drawn."""

    async def start(self) -> None:
        self._running = asyncio.create_task(self._run())

    def drive(self, app: EngineApp, file: Path, paints: int) -> None:
        self._app, self._file, self._paints = app, file, paints

    async def _run(self) -> None:
        app, first = self._app, market()
        own, used_mb = Terminal(os.getpid()), []
        for number in range(self._paints):
            self.snapshot = later(first, number)
            self.signals.extend([scenes.signal(number * 5 + n) for n in range(5)])
            if number % 10 == 0:
                self.log.extend([scenes.log_line(-number // PAINTS_PER_S, "info", "order rejected", order=number)])
            app.paint()
            drawn = asyncio.Event()
            app.call_after_refresh(drawn.set)
            await drawn.wait()
            if number % SAMPLE_EVERY == SAMPLE_EVERY - 1:
                used_mb.append(own.memory_mb())
        self._file.write_bytes(msgspec.json.encode(used_mb))
        app.exit("detach")


def market() -> SnapshotView:
    symbols = [f"SYM{number:02}USDT" for number in range(SYMBOLS)]
    names = [f"momentum_{number}" for number in range(STRATEGIES)]
    plain = scenes.busy_snapshot()
    return replace(
        plain,
        strategies=tuple(scenes.strategy(name, symbols[n % SYMBOLS]) for n, name in enumerate(names)),
        positions=tuple(scenes.position(name, symbols[n % SYMBOLS], 1.5, 2.0, 1.0) for n, name in enumerate(names)),
        symbols=tuple(replace(plain.symbols[0], symbol=symbol) for symbol in symbols),
    )


def later(first: SnapshotView, number: int) -> SnapshotView:
    """The same engine ``number`` paints on: everything that moves has moved."""
    now_ns = first.time_ns + number * NS_PER_S // PAINTS_PER_S
    earned = number % 97 - 40.0
    return replace(
        first,
        time_ns=now_ns,
        now_ns=now_ns,
        ticks=first.ticks + number * 500,
        realized_pnl=earned,
        signals=first.signals + number * 5,
        strategies=tuple(
            replace(each, ticks=each.ticks + number * 10, unrealized_pnl=earned + n)
            for n, each in enumerate(first.strategies)
        ),
        positions=tuple(
            replace(each, mark_price=each.mark_price + number % 13, unrealized_pnl=earned) for each in first.positions
        ),
        orders=tuple(scenes.order(number + n) for n in range(number % 7)),
        service=replace(first.service, uptime_s=number / PAINTS_PER_S),
    )


if __name__ == "__main__":
    link = HurriedLink()
    app = EngineApp(link)
    link.drive(app, Path(sys.argv[1]), int(sys.argv[2]))
    app.run()
