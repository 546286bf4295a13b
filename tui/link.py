"""The screens' line to an engine: its last snapshot, the tails of its signals and log, and its commands.

Screens pull from a link when they paint; nothing here waits for a screen. ``LiveLink`` speaks to an engine,
``tui.fake_link.FakeLink`` is a script.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Protocol

from sengine.adapters.control.errors import RefusedError, UnreachableError
from sengine.adapters.control.views import (
    FlattenView,
    LogLineView,
    LogView,
    MarketView,
    PnlHistoryView,
    ReloadView,
    ReplyView,
    SignalsView,
    SignalView,
    SnapshotView,
    StrategyDetailView,
)
from sengine.errors import SengineError
from tui.shown import shown
from tui.tail import Tail

if TYPE_CHECKING:
    from sengine.adapters.control.client import ControlClient

SNAPSHOT_INTERVAL_MS: Final = 250
STALE_AFTER_S: Final = 2.0
# History that a new stream asks for: what the tails keep.
_HISTORY: Final = 300
_RETRY_S: Final = (0.1, 0.1, 0.2, 0.2, 0.5, 1.0, 2.0)
# An engine that is stopped or stuck keeps its connection open and says nothing.
_SILENCE_S: Final = 5.0


class Commands(Protocol):
    """What of the control API the screens use; ``ControlClient`` is one."""

    async def pause(self, strategy_id: str, reason: str = "") -> ReplyView: ...
    async def resume(self, strategy_id: str) -> ReplyView: ...
    async def reload(self, strategy_id: str) -> ReloadView: ...
    async def set_parameters(self, strategy_id: str, config: dict[str, Any]) -> ReloadView: ...
    async def check_parameters(self, strategy_id: str, config: dict[str, Any]) -> ReloadView: ...
    async def load(
        self,
        plugin: str,
        strategy_id: str,
        symbols: Sequence[str] = (),
        config: dict[str, Any] | None = None,
        *,
        isolation: str = "none",
    ) -> ReplyView: ...
    async def unload(self, strategy_id: str) -> ReplyView: ...
    async def kill(self, reason: str = "") -> ReplyView: ...
    async def rearm(self) -> ReplyView: ...
    async def flatten(self, strategy_id: str = "", symbol: str = "", reason: str = "") -> FlattenView: ...
    async def check_flatten(self, strategy_id: str = "", symbol: str = "") -> FlattenView: ...
    async def cancel_order(self, order_id: str) -> ReplyView: ...
    async def shutdown(self) -> ReplyView: ...
    async def drive_replay(
        self, *, is_paused: bool | None = None, speed: float | None = None, steps: int = 0, finish: bool = False
    ) -> ReplyView: ...
    async def strategy(self, strategy_id: str) -> StrategyDetailView: ...
    async def market(self, symbol: str) -> MarketView: ...


class EngineLink(Protocol):
    """One engine, as the screens see it. All members may be read at any time, also before and after the line is up."""

    @property
    def address(self) -> str: ...
    @property
    def snapshot(self) -> SnapshotView | None:
        """The last one that came; it stays while the engine does not answer."""
        ...

    @property
    def past(self) -> PnlHistoryView | None:
        """Profit and loss before these screens attached."""
        ...

    @property
    def problem(self) -> str:
        """Why the engine does not answer, as a sentence; empty while it does."""
        ...

    @property
    def turned_away(self) -> str:
        """The engine's sentence when it wants none of us, as without its token; waiting does not cure that."""
        ...

    @property
    def age_s(self) -> float:
        """Seconds since the engine was last heard."""
        ...

    @property
    def signals(self) -> Tail[SignalView]: ...
    @property
    def log(self) -> Tail[LogLineView]: ...
    @property
    def commands(self) -> Commands: ...

    async def start(self) -> None:
        """Begin to listen; needs a running loop."""
        ...

    async def refresh(self) -> None:
        """Fetch a snapshot now, after a command."""
        ...

    async def stop(self) -> None: ...


class LiveLink:
    """Listens to an engine over the control API, and attaches again for as long as it runs.

    ``connect`` makes the client, inside the loop that is to use it.
    """

    def __init__(self, connect: Callable[[], ControlClient], address: str) -> None:
        self._connect = connect
        self._client: ControlClient | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._heard_s = monotonic()
        self._problem = "connecting"
        self._turned_away = ""
        self._snapshot: SnapshotView | None = None
        self._past: PnlHistoryView | None = None
        self._signals: Tail[SignalView] = Tail(2 * _HISTORY)
        self._log: Tail[LogLineView] = Tail(2 * _HISTORY)
        self._address = address

    @property
    def address(self) -> str:
        return self._address

    @property
    def snapshot(self) -> SnapshotView | None:
        return self._snapshot

    @property
    def past(self) -> PnlHistoryView | None:
        return self._past

    @property
    def problem(self) -> str:
        return self._problem

    @property
    def turned_away(self) -> str:
        return self._turned_away

    @property
    def age_s(self) -> float:
        return monotonic() - self._heard_s

    @property
    def signals(self) -> Tail[SignalView]:
        return self._signals

    @property
    def log(self) -> Tail[LogLineView]:
        return self._log

    @property
    def commands(self) -> Commands:
        return self._open()

    async def start(self) -> None:
        # gRPC takes a while to load; the first paint need not wait for it, nor a key pressed meanwhile.
        await asyncio.to_thread(importlib.import_module, "sengine.adapters.control.client")
        self._open()
        for read in (self._read_snapshots, self._read_signals, self._read_log):
            self._tasks.append(asyncio.create_task(self._keep(read), name=f"link-{read.__name__}"))

    async def refresh(self) -> None:
        with contextlib.suppress(SengineError):  # the stream tells of it
            self._heard(await self._open().snapshot())

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        if self._client is not None:
            await self._client.close()
            self._client = None

    def _open(self) -> ControlClient:
        if self._client is None:
            self._client = self._connect()
            self._client.prepare = shown
        return self._client

    async def _keep(self, read: Callable[[], Awaitable[None]]) -> None:
        """Read a stream, and again after it ends."""
        failures = 0
        while True:
            began_s = monotonic()
            try:
                await read()
                problem = f"the engine on {self._address} has stopped"
            except SengineError as error:
                problem = str(error)
                if isinstance(error, RefusedError) and self._snapshot is None:
                    self._turned_away = problem
            if read == self._read_snapshots:
                self._problem = problem
            failures = 0 if monotonic() - began_s > _SILENCE_S else failures + 1
            await asyncio.sleep(_RETRY_S[min(failures, len(_RETRY_S) - 1)])

    async def _read_snapshots(self) -> None:
        self._past = await self._open().pnl_history()
        stream = self._open().snapshots(SNAPSHOT_INTERVAL_MS)
        async with contextlib.aclosing(stream):
            while True:
                snapshot = await _next_within(stream, _SILENCE_S, self._address)
                if snapshot is None:
                    return
                self._heard(snapshot)

    def _heard(self, snapshot: SnapshotView) -> None:
        self._snapshot, self._heard_s, self._problem = snapshot, monotonic(), ""

    async def _read_signals(self) -> None:
        stream: AsyncGenerator[SignalsView, None] = self._open().signals(_HISTORY)
        async with contextlib.aclosing(stream):
            is_first = True
            async for batch in stream:
                if is_first:
                    self._signals.restart(batch.signals)
                    is_first = False
                else:
                    self._signals.extend(batch.signals, batch.dropped)

    async def _read_log(self) -> None:
        stream: AsyncGenerator[LogView, None] = self._open().log(_HISTORY)
        async with contextlib.aclosing(stream):
            is_first = True
            async for batch in stream:
                if is_first:
                    self._log.restart(batch.lines)
                    is_first = False
                else:
                    self._log.extend(batch.lines, batch.dropped)


async def _next_within(stream: AsyncGenerator[SnapshotView, None], seconds: float, address: str) -> SnapshotView | None:
    try:
        async with asyncio.timeout(seconds):
            return await anext(stream, None)
    except TimeoutError:
        raise UnreachableError(f"the engine on {address} holds the line and says nothing") from None
