"""The actions on the engine and its strategies. What is dangerous names its consequence and wants a yes."""

from __future__ import annotations

from textual import work

from sengine.adapters.control.views import ReplayView, SnapshotView
from sengine.errors import SengineError
from tui import consequences
from tui.commanding import CommandingApp
from tui.screens.dashboard import Dashboard
from tui.screens.details import Detail
from tui.screens.dialogs import Confirm, Leave, LoadStrategy
from tui.screens.parameters import EditParameters
from tui.widgets.orders import OrdersPanel


class EngineActions(CommandingApp):
    # Strategy commands.

    def action_pause(self) -> None:
        if strategy_id := self._strategy("pause"):
            self._do(f"pause {strategy_id}", self.link.commands.pause(strategy_id, "by the operator"))

    def action_resume(self) -> None:
        if strategy_id := self._strategy("resume"):
            self._do(f"resume {strategy_id}", self.link.commands.resume(strategy_id))

    def action_reload(self) -> None:
        if strategy_id := self._strategy("reload"):
            self._do(f"reload {strategy_id}", self.link.commands.reload(strategy_id))

    @work
    async def action_unload(self) -> None:
        if strategy_id := self._strategy("unload"):
            consequence = consequences.of_unload(self._snapshot, strategy_id)
            if await self._ask(Confirm("Unload a strategy", consequence, "Unload")):
                self._do(f"unload {strategy_id}", self.link.commands.unload(strategy_id))

    @work
    async def action_pause_all(self) -> None:
        if not self._may("pause_all") or self.frame is None:
            return
        active = [view.strategy_id for view in self.frame.snapshot.strategies if view.is_active]
        if not active:
            self.tell("no strategy is running", "warning")
            return
        consequence = consequences.of_pause_all(active)
        if await self._ask(Confirm("Pause all", consequence, "Pause all")):
            for strategy_id in active:
                self._do(f"pause {strategy_id}", self.link.commands.pause(strategy_id, "all paused by the operator"))

    @work
    async def action_edit(self) -> None:
        strategy_id = self._strategy("edit")
        if not strategy_id:
            return
        commands = self.link.commands
        try:
            config = (await commands.strategy(strategy_id)).config
        except SengineError as error:
            self.tell(f"edit {strategy_id}: {error}", "error")
            return
        wanted = await self._ask(EditParameters(strategy_id, config, commands.check_parameters, self.palette))
        if wanted is not None:
            self._do(f"set parameters of {strategy_id}", commands.set_parameters(strategy_id, wanted))

    @work
    async def action_load(self) -> None:
        if not self._may("load"):
            return
        wanted = await self._ask(LoadStrategy())
        if wanted is not None:
            plugin, strategy_id, symbols, isolation = wanted
            doing = self.link.commands.load(plugin, strategy_id, symbols, isolation=isolation)
            self._do(f"load {strategy_id}", doing)

    # Engine commands.

    @work
    async def action_kill(self) -> None:
        if not self._may("kill"):
            return
        if await self._ask(Confirm("Kill switch", consequences.of_kill(self._snapshot), "Kill")):
            self._do("kill switch", self.link.commands.kill("by the operator"))

    @work
    async def action_flatten_all(self) -> None:
        if self._may("flatten_all"):
            await self._flatten("", "")

    @work
    async def action_flatten(self) -> None:
        """What is selected: a position, a symbol's net, or all of a strategy."""
        if not self._may("flatten"):
            return
        screen = self.screen
        row = screen.current_row if isinstance(screen, Dashboard | Detail) else None
        strategy_id, symbol = (row.strategy_id, row.symbol) if row is not None else ("", "")
        if isinstance(screen, Detail) or (isinstance(screen, Dashboard) and screen.focused_panel.NAME == "strategies"):
            strategy_id, symbol = screen.strategy_id, "" if screen.strategy_id else screen.symbol
        if strategy_id or symbol:
            await self._flatten(strategy_id, symbol)
        else:
            self.tell("no position is selected; F flattens everything", "warning")

    async def _flatten(self, strategy_id: str, symbol: str) -> None:
        scope = " ".join(filter(None, (strategy_id, symbol))) or "everything"
        commands = self.link.commands
        try:
            plan = await commands.check_flatten(strategy_id, symbol)
        except SengineError as error:
            self.tell(f"flatten {scope}: {error}", "error")
            return
        if plan.is_empty:
            self.tell(plan.message, "warning")
            return
        consequence = consequences.of_flatten(plan, self._snapshot)
        if await self._ask(Confirm(f"Flatten {scope}", consequence, "Flatten")):
            self._do(f"flatten {scope}", commands.flatten(strategy_id, symbol, "by the operator"))

    @work
    async def action_cancel_order(self) -> None:
        if not self._may("cancel_order") or self.frame is None:
            return
        panel = self.dashboard.query_one(OrdersPanel)
        row = panel.table.current if self.dashboard.focused_panel is panel else None
        if row is None:
            self.tell("no order is selected; 0 goes to the open orders", "warning")
            return
        order = next((each for each in self.frame.snapshot.orders if each.order_id == row.key), None)
        if order is None:
            self.tell(f"order {row.key} is not open any more", "warning")
            return
        if await self._ask(Confirm("Cancel an order", consequences.of_cancel(order), "Cancel it")):
            self._do(f"cancel {row.key}", self.link.commands.cancel_order(row.key))

    @work
    async def action_rearm(self) -> None:
        if not self._may("rearm") or self.frame is None:
            return
        if not self.frame.snapshot.kill_reason:
            self.tell("the kill switch is not on", "warning")
            return
        consequence = consequences.of_rearm(self.frame.snapshot)
        if await self._ask(Confirm("Re-arm", consequence, "Re-arm")):
            self._do("re-arm", self.link.commands.rearm())

    @work
    async def action_quit_or_detach(self) -> None:
        if not self.owns_engine:
            self.exit("detach")
            return
        replay = self._snapshot.replay if self._snapshot is not None else None
        if replay is not None:
            await self._leave_replay(replay)
            return
        text = "Detach leaves the engine running in this terminal; `sengine attach` opens the screens again.\n"
        text += f"Stop ends it in order. {consequences.of_stop(self._snapshot)}"
        answer = await self._ask(Leave(text))
        if answer:
            self.exit(answer)

    async def action_quit(self) -> None:
        """The toolkit's own way out asks as ours does."""
        self.action_quit_or_detach()

    async def _leave_replay(self, replay: ReplayView) -> None:
        """One that is over has nothing to ask about."""
        answer: str | None = "stop"
        if not replay.is_over:
            text = "Finish replays the rest as fast as it goes and prints the result.\n"
            text += "Stop here prints the result of what was replayed so far."
            answer = await self._ask(Leave(text, detach="Finish (f)", stop="Stop here (s)"))
        if answer == "detach":
            try:
                await self.link.commands.drive_replay(finish=True)
            except SengineError as error:
                self.tell(f"finish: {error}", "error")
                return
        if answer:
            self.exit(answer)

    @property
    def _snapshot(self) -> SnapshotView | None:
        return self.frame.snapshot if self.frame is not None else None
