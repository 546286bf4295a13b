"""A scripted engine for tests and pictures: the same surface as ``LiveLink``, and no engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from sengine.adapters.control.errors import RefusedError
from sengine.adapters.control.views import (
    FlattenTradeView,
    FlattenView,
    LogLineView,
    MarketView,
    PnlHistoryView,
    ReloadView,
    ReplyView,
    SignalView,
    SnapshotView,
    StrategyDetailView,
)
from tui.tail import Tail


class FakeLink:
    """Answers commands by changing its snapshot as the engine would, and remembers them in ``asked``.

    ``refusal`` is a sentence to refuse the next command with, ``invalid`` one that all parameters are refused with.
    """

    def __init__(self, snapshot: SnapshotView | None = None, address: str = "unix:/run/sengine/engine.sock") -> None:
        self.address = address
        self.snapshot = snapshot
        self.past: PnlHistoryView | None = None
        self.problem = ""
        self.turned_away = ""
        self.age_s = 0.0
        self.signals: Tail[SignalView] = Tail(300)
        self.log: Tail[LogLineView] = Tail(300)
        self.details: dict[str, StrategyDetailView] = {}
        self.markets: dict[str, MarketView] = {}
        self.asked: list[tuple[Any, ...]] = []
        self.refusal = ""
        self.invalid = ""

    @property
    def commands(self) -> FakeLink:
        return self

    async def start(self) -> None:
        pass

    async def refresh(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def pause(self, strategy_id: str, reason: str = "") -> ReplyView:
        self._ask("pause", strategy_id)
        self._set_state(strategy_id, "PAUSED", reason)
        return ReplyView(message=f"strategy {strategy_id} is paused", orders_to_cancel=0)

    async def resume(self, strategy_id: str) -> ReplyView:
        self._ask("resume", strategy_id)
        self._set_state(strategy_id, "ACTIVE", "")
        return ReplyView(message=f"strategy {strategy_id} is active", orders_to_cancel=0)

    async def reload(self, strategy_id: str) -> ReloadView:
        self._ask("reload", strategy_id)
        return ReloadView(message=f"strategy {strategy_id} was read again", config=self._config(strategy_id))

    async def set_parameters(self, strategy_id: str, config: dict[str, Any]) -> ReloadView:
        self._ask("set_parameters", strategy_id, config)
        return ReloadView(message=f"strategy {strategy_id} has new parameters", config=config)

    async def check_parameters(self, strategy_id: str, config: dict[str, Any]) -> ReloadView:
        if self.invalid:
            raise RefusedError(self.invalid)
        return ReloadView(message="these parameters are valid", config=config)

    async def load(
        self,
        plugin: str,
        strategy_id: str,
        symbols: Sequence[str] = (),
        config: dict[str, Any] | None = None,
        *,
        isolation: str = "none",
    ) -> ReplyView:
        self._ask("load", plugin, strategy_id, tuple(symbols), *([isolation] if isolation != "none" else []))
        return ReplyView(message=f"strategy {strategy_id} is loaded", orders_to_cancel=0)

    async def unload(self, strategy_id: str) -> ReplyView:
        self._ask("unload", strategy_id)
        if self.snapshot is not None:
            left = tuple(view for view in self.snapshot.strategies if view.strategy_id != strategy_id)
            self.snapshot = replace(self.snapshot, strategies=left)
        return ReplyView(message=f"strategy {strategy_id} is unloaded", orders_to_cancel=0)

    async def kill(self, reason: str = "") -> ReplyView:
        self._ask("kill", reason)
        orders = 0
        if self.snapshot is not None:
            orders = len(self.snapshot.orders)
            self.snapshot = replace(self.snapshot, kill_reason=reason or "by the operator", orders=())
        return ReplyView(message="the kill switch is on", orders_to_cancel=orders)

    async def rearm(self) -> ReplyView:
        self._ask("rearm")
        if self.snapshot is not None:
            self.snapshot = replace(self.snapshot, kill_reason="")
        return ReplyView(message="orders may go out again", orders_to_cancel=0)

    async def check_flatten(self, strategy_id: str = "", symbol: str = "") -> FlattenView:
        snapshot = self.snapshot
        if snapshot is None:
            return FlattenView(message="nothing to flatten", cancels=(), trades=())
        cancels = [
            each.order_id
            for each in snapshot.orders
            if (not strategy_id or strategy_id in each.strategy_ids) and symbol in ("", each.symbol)
        ]
        trades = [
            FlattenTradeView(
                symbol=each.symbol,
                side="sell" if each.quantity > 0 else "buy",
                quantity=abs(each.quantity),
                strategy_ids=(each.strategy_id,),
            )
            for each in snapshot.positions
            if each.quantity and strategy_id in ("", each.strategy_id) and symbol in ("", each.symbol)
        ]
        said = [f"cancels {len(cancels)} orders", *(f"{each.side}s {each.quantity:g} {each.symbol}" for each in trades)]
        return FlattenView(message=", ".join(said), cancels=tuple(cancels), trades=tuple(trades))

    async def flatten(self, strategy_id: str = "", symbol: str = "", reason: str = "") -> FlattenView:
        self._ask("flatten", strategy_id, symbol)
        return await self.check_flatten(strategy_id, symbol)

    async def cancel_order(self, order_id: str) -> ReplyView:
        self._ask("cancel_order", order_id)
        return ReplyView(message=f"order {order_id} is being cancelled", orders_to_cancel=1)

    async def shutdown(self) -> ReplyView:
        self._ask("shutdown")
        return ReplyView(message="the engine is stopping", orders_to_cancel=0)

    async def drive_replay(
        self, *, is_paused: bool | None = None, speed: float | None = None, steps: int = 0, finish: bool = False
    ) -> ReplyView:
        self._ask("drive_replay", is_paused, speed, steps, finish)
        if self.snapshot is not None and self.snapshot.replay is not None:
            replay = self.snapshot.replay
            paused = replay.is_paused if is_paused is None else is_paused
            replay = replace(
                replay, is_paused=paused or steps > 0, speed=replay.speed if speed is None else speed, is_over=finish
            )
            self.snapshot = replace(self.snapshot, replay=replay)
        return ReplyView(message="the replay goes on", orders_to_cancel=0)

    async def strategy(self, strategy_id: str) -> StrategyDetailView:
        if strategy_id not in self.details:
            raise RefusedError(f"no strategy {strategy_id}")
        return self.details[strategy_id]

    async def market(self, symbol: str) -> MarketView:
        if symbol not in self.markets:
            raise RefusedError(f"no symbol {symbol}")
        return self.markets[symbol]

    def _ask(self, *what: Any) -> None:
        if self.refusal:
            sentence, self.refusal = self.refusal, ""
            raise RefusedError(sentence)
        self.asked.append(what)

    def _config(self, strategy_id: str) -> dict[str, Any]:
        return self.details[strategy_id].config if strategy_id in self.details else {}

    def _set_state(self, strategy_id: str, state: str, reason: str) -> None:
        if self.snapshot is not None:
            views = [
                replace(view, state=state, is_active=state == "ACTIVE", pause_reason=reason)
                if view.strategy_id == strategy_id
                else view
                for view in self.snapshot.strategies
            ]
            self.snapshot = replace(self.snapshot, strategies=tuple(views))
