"""What the prover is asked and answers, as MessagePack over pipes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from sengine.config.schema import StrategyConfig
from sengine.domain.market import OHLCV, DataKind, MarketData, OrderBook, Trade
from sengine.domain.position import Position
from sengine.domain.reload import ReloadStep, SignalComparison
from sengine.domain.strategy_line import StrategyLine
from sengine.engine.state.saved import SavedPosition
from sengine.engine.strategies.guard import Guard
from sengine.plugins.loader import LoadedPlugin, load_plugin


class TickRow(msgspec.Struct, frozen=True, array_like=True):
    """A tick; its recent trades are ``trades[first:last]`` of its symbol."""

    symbol: str
    timestamp_ns: int
    book: OrderBook
    bar: OHLCV | None
    kind: DataKind
    first: int
    last: int


class Instance(msgspec.Struct, frozen=True):
    """One running instance: its key (a symbol, or ``*``), what it holds, and the state that it declares."""

    key: str
    held: Sequence[SavedPosition] = ()
    state: bytes | None = None
    state_version: int = 1

    @classmethod
    def of(cls, key: str, held: Iterable[Position], state: bytes | None, state_version: int) -> Instance:
        return cls(key, [SavedPosition(*position.values) for position in held], state, state_version)

    @property
    def position(self) -> float:
        return sum(each.quantity for each in self.held)

    def positions(self) -> list[Position]:
        return [Position(*msgspec.structs.astuple(each)) for each in self.held]


class ProofRequest(msgspec.Struct, frozen=True):
    """Prove the file at ``path`` with the parameters of ``strategy``, beside the running version made of ``running``
    (contents by file; empty where none runs) and ``running_config``. Without ``instances`` there are those that the
    ticks ask for. ``is_apart``: it runs in a process of its own, where threads are its own matter."""

    strategy: StrategyConfig
    path: str
    running: Mapping[str, bytes]
    running_config: Mapping[str, Any]
    instances: Sequence[Instance]
    trades: Mapping[str, Sequence[Trade]]
    rows: Sequence[msgspec.Raw]
    tick_budget_us: float
    tick_timeout_ms: float
    timeout_s: float
    is_apart: bool = False


class Proof(msgspec.Struct):
    """What came of it. ``sources`` are the contents that were proved; they are what is to be loaded, as ``code`` where
    they are Python."""

    steps: list[ReloadStep] = []
    version: str = ""
    sources: dict[str, bytes] = {}
    code: dict[str, bytes] = {}
    compared: SignalComparison | None = None
    on_tick_p50_us: float = 0.0
    on_tick_p99_us: float = 0.0
    reason: str = ""
    where: str = ""
    said: list[StrategyLine] = []
    """What the new version printed and logged meanwhile."""

    def load(self, path: Path) -> LoadedPlugin:
        """The strategy in ``path`` as it was proved. Raises ``PluginError``. What ends a process ends nothing here."""
        guard = Guard()
        guard.passes_on = ()
        return load_plugin(path, _by_file(self.sources), _by_file(self.code), guard=guard)


def _by_file(contents: Mapping[str, bytes]) -> dict[Path, bytes]:
    return {Path(path): content for path, content in contents.items()}


def pack(ticks: Iterable[MarketData]) -> tuple[dict[str, list[Trade]], list[msgspec.Raw]]:
    """Ticks as rows. Recent trades of consecutive ticks overlap, so each trade is packed once."""
    trades: dict[str, list[Trade]] = {}
    places: dict[int, int] = {}
    rows, encode = [], msgspec.msgpack.Encoder().encode
    for data in ticks:
        known = trades.setdefault(data.symbol, [])
        recent = data.recent_trades
        new = []
        for each in reversed(recent):
            if id(each) in places:
                break
            new.append(each)
        for each in reversed(new):
            places[id(each)] = len(known)
            known.append(each)
        first = places[id(recent[0])] if recent else 0
        row = TickRow(data.symbol, data.timestamp_ns, data.orderbook, data.ohlcv, data.kind, first, first + len(recent))
        rows.append(msgspec.Raw(encode(row)))
    return trades, rows


def unpack(request: ProofRequest) -> list[MarketData]:
    """The ticks of a request."""
    decode = msgspec.msgpack.Decoder(TickRow).decode
    made = []
    for row in map(decode, request.rows):
        recent = tuple(request.trades[row.symbol][row.first : row.last])
        made.append(MarketData(row.symbol, row.timestamp_ns, row.book, recent, row.bar, row.kind))
    return made
