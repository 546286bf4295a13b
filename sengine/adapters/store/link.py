"""The store in a running service: where it is, what is said about it, and the samples of P&L that it is to have."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sengine.adapters.journal.journal import Journal
from sengine.adapters.store.keeper import StoreKeeper
from sengine.adapters.store.schema import FILE_NAME
from sengine.clock import NS_PER_S
from sengine.config.schema import Config
from sengine.runtime.live_engine import LiveEngine
from sengine.runtime.status import ServiceStatus


def store_path(config: Config, directory: Path) -> Path:
    """Where the store is; ``directory`` is the data directory."""
    return Path(config.position_tracker.db_path or directory / FILE_NAME).expanduser().absolute()


class StoreLink:
    """Keeps a store of what ``journal`` records, from ``start`` to ``stop``; both on the loop."""

    def __init__(
        self, live: LiveEngine, facts: ServiceStatus, config: Config, journal: Journal, directory: Path
    ) -> None:
        self._live = live
        self._journal = journal
        self._every_s = config.position_tracker.snapshot_every_ns / NS_PER_S
        path = store_path(config, directory)
        tracker = config.position_tracker
        self._keeper = StoreKeeper(path, journal.directory, self._say, tracker.retain_for_ns, tracker.retain_bytes)
        facts.store = self._keeper
        self._loop = asyncio.get_running_loop()
        self._samples: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._keeper.start()
        self._samples = asyncio.create_task(self._sample(), name="P&L samples")

    def end_samples(self) -> None:
        """The last sample; the journal is about to be closed."""
        if self._samples is not None:
            self._samples.cancel()
        self._journal.sample()

    def stop(self) -> None:
        """The journal is closed: write what it still has."""
        self._keeper.stop()

    async def _sample(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            self._journal.sample()

    def _say(self, level: str, sentence: str) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._live.say, level, sentence)
