from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from msgspec.structs import replace
from rich.console import Console
from textual.pilot import Pilot
from textual.widgets import Button, Input, Static

from sengine.adapters.control import views
from sengine.adapters.control.views import PnlHistoryView
from sengine.cli.status import print_status
from tests.patience import PATIENCE_S
from tests.tui import scenes
from tui.app import EngineApp
from tui.bindings import COMMANDS
from tui.fake_link import FakeLink
from tui.screens.dashboard import Dashboard
from tui.screens.details import StrategyDetail
from tui.screens.dialogs import Confirm, Help, Leave, LoadStrategy
from tui.screens.parameters import EditParameters, parsed, written
from tui.screens.symbol_detail import SymbolDetail
from tui.widgets.header import Banner, HeaderLine
from tui.widgets.key_bar import MORE, KeyBar
from tui.widgets.log import LogPanel
from tui.widgets.panel import TablePanel
from tui.widgets.positions import PositionsPanel
from tui.widgets.risk import RiskPanel
from tui.widgets.signals import SignalsPanel
from tui.widgets.strategies import StrategiesPanel
from tui.widgets.table import LiveTable


@asynccontextmanager
async def opened(
    link: FakeLink, size: tuple[int, int] = (120, 40), **options: Any
) -> AsyncIterator[tuple[EngineApp, Pilot[str]]]:
    app = EngineApp(link, **options)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        app.paint()
        await pilot.pause()
        yield app, pilot


async def settled(app: EngineApp, pilot: Pilot[str], condition: Callable[[], object]) -> None:
    """Wait for what a key brings about."""
    end_s = monotonic() + PATIENCE_S
    while not condition():
        assert monotonic() < end_s, "what was waited for did not come"
        await pilot.pause(0.01)


def text_of(app: EngineApp) -> str:
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


def told(app: EngineApp) -> str:
    return " | ".join(notification.message for notification in app._notifications)


# What is shown.


async def test_the_dashboard_says_what_trades_what_it_earns_and_whether_it_is_healthy() -> None:
    async with opened(scenes.busy(), (200, 60)) as (app, _):
        text = text_of(app)
        for part in ("momentum_btc", "● active", "○ paused", "✕ failed", "+105.75", "trading, with errors", "+41.54"):
            assert part in text
        for part in ("budget 500us", "orders may go out", "✕ below min confidence", "division by zero"):
            assert part in text


async def test_net_positions_stand_above_those_of_the_strategies() -> None:
    async with opened(scenes.busy()) as (app, _):
        rows = app.dashboard.query_one(PositionsPanel).table.shown
        assert [row.key for row in rows[:3]] == ["net BTCUSDT", "BTCUSDT momentum_btc", "BTCUSDT rsi_btc"]
        assert rows[0].cells[2].text == "-0.5"
        assert rows[1].cells[-1].text == "15%"


async def test_an_engine_without_anything_shows_sentences_instead_of_tables() -> None:
    async with opened(scenes.empty()) as (app, _):
        text = text_of(app)
        assert "no strategies are loaded; L loads one" in text
        assert "no positions yet" in text


async def test_a_strategy_without_ticks_is_shown_as_stalled_with_its_age() -> None:
    async with opened(scenes.stalled(), size=(200, 50)) as (app, pilot):
        assert re.search(r"momentum_btc +● stalled ", text_of(app))
        await pilot.press("m")
        await settled(app, pilot, lambda: re.search(r"momentum_btc +● stalled .* no tick for 83 s ", text_of(app)))


def test_the_status_says_for_how_long_a_strategy_has_been_stalled() -> None:
    snapshot = scenes.stalled().snapshot
    assert snapshot is not None
    console = Console(width=160, record=True, file=StringIO())
    print_status(console, snapshot)
    said = console.export_text()
    assert re.search(r"momentum_btc +STALLED 83 s ", said)
    assert "\n  momentum_btc is stalled: no tick for 83 s\n" in said


async def test_signals_come_newest_first_and_what_is_said_again_is_counted() -> None:
    async with opened(scenes.busy()) as (app, _):
        rows = app.dashboard.query_one(SignalsPanel).table.shown
        times = [row.cells[0].value for row in rows]
        assert times == sorted(times, reverse=True)
        counted = [re.search(r"(\d+)\N{MULTIPLICATION SIGN}", row.cells[-1].text) for row in rows]
        assert sum(int(found[1]) if found else 1 for found in counted) == 40
        assert len(rows) < 40


async def test_only_changed_cells_are_updated() -> None:
    link = scenes.busy()
    async with opened(link) as (app, pilot):
        table = app.dashboard.query_one(StrategiesPanel).table
        before = table.updates
        app.paint()
        assert table.updates == before
        first, *others = link.snapshot.strategies  # type: ignore[union-attr]
        changed = (replace(first, signals=first.signals + 1), *others)
        link.snapshot = replace(link.snapshot, strategies=changed)  # type: ignore[type-var]
        app.paint()
        assert table.updates == before + 1
        await pilot.pause()
        assert "1,205" in text_of(app)


async def test_what_goes_by_while_a_detail_is_open_is_not_dropped() -> None:
    link = scenes.busy()
    async with opened(link) as (app, pilot):
        await pilot.press("d")
        await settled(app, pilot, lambda: app.screen is not app.dashboard)
        for _ in range(3):
            link.signals.extend([scenes.signal(1)] * link.signals.size)
            app.paint()
        assert link.signals.dropped == 0


async def test_the_screen_goes_on_behind_a_dialog() -> None:
    link = scenes.busy()
    async with opened(link, (120, 40)) as (app, pilot):
        await pilot.press("question_mark")
        await settled(app, pilot, lambda: isinstance(app.screen, Help))
        assert link.snapshot is not None
        link.snapshot = replace(link.snapshot, kill_reason="by somebody else")
        await settled(app, pilot, lambda: "KILLED" in text_of(app))


async def test_a_loosened_limit_is_shown_as_such() -> None:
    link = scenes.busy()
    assert link.snapshot is not None
    link.snapshot = replace(link.snapshot, loosened_limits=("daily_loss: 500 -> 900",))
    async with opened(link, (120, 40)) as (app, _):
        assert "loosened: daily_loss: 500 -> 900 · armed" in text_of(app)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"state": "PAUSED", "is_active": False}, "no strategy runs"),
        ({"stalled_s": 83.0, "stalled_reason": "no tick"}, "no market data for 1m23s"),
        ({"stalled_s": 83.0, "stalled_reason": "its process does not answer"}, "no strategy answers"),
    ],
)
async def test_the_first_line_says_trading_only_while_something_can_trade(changes: dict[str, Any], said: str) -> None:
    link = scenes.busy()
    assert link.snapshot is not None
    link.snapshot = replace(
        link.snapshot, strategies=tuple(replace(each, **changes) for each in link.snapshot.strategies)
    )
    async with opened(link, (120, 40)) as (app, _):
        assert said in text_of(app).splitlines()[0]


async def test_enter_goes_through_the_lines_of_a_strategy_to_load_and_loads_it() -> None:
    link = scenes.busy()
    async with opened(link, (120, 40)) as (app, pilot):
        await pilot.press("L")
        await settled(app, pilot, lambda: isinstance(app.screen, LoadStrategy))
        await pilot.press(*"pairs", "enter", "enter", "enter")
        await settled(app, pilot, lambda: [each[0] for each in link.asked] == ["load"])


async def test_no_column_of_a_strategys_detail_is_cut_at_80_columns() -> None:
    async with opened(scenes.busy(), (80, 24)) as (app, pilot):
        await pilot.press("d")
        await settled(app, pilot, lambda: isinstance(app.screen, StrategyDetail))
        for table in app.screen.query(LiveTable):
            await settled(app, pilot, lambda table=table: table._places)  # type: ignore[misc]
            assert table._places[-1].end - 1 <= table.size.width


async def test_what_the_engine_logs_of_an_action_is_not_said_a_second_time() -> None:
    link = scenes.busy()
    async with opened(link, (120, 40)) as (app, _):
        app.tell("strategy rsi_btc is paused: by the operator")
        app.tell("the kill switch is pulled; cancelling 3 orders")
        app.tell("nobody logs this")
        log = app.dashboard.query_one(LogPanel)
        app.paint()
        assert sum(row.cells[1].text == "you" for row in log.table.shown) == 3
        link.log.extend([scenes.log_line(0, "info", "strategy rsi_btc is paused: by the operator")])
        link.log.extend([scenes.log_line(0, "warning", "the kill switch is pulled")])
        app.paint()
        assert [row.cells[2].text for row in log.table.shown if row.cells[1].text == "you"] == ["nobody logs this"]


async def test_a_reload_that_a_saved_file_began_is_told_once() -> None:
    link = scenes.busy()
    async with opened(link, (120, 40)) as (app, pilot):
        assert link.snapshot is not None
        fails = scenes.reload_report("momentum_btc", "file", reason="syntax error: '(' was never closed")
        asked = scenes.reload_report("rsi_btc", "command")
        link.snapshot = replace(link.snapshot, reloads=(*link.snapshot.reloads, fails, asked))
        app.paint()
        app.paint()
        await pilot.pause()
        assert [(toast.message, toast.severity) for toast in app._notifications] == [(fails.message, "error")]


async def test_what_the_streams_dropped_is_shown() -> None:
    link = scenes.busy()
    link.signals.extend([], dropped_by_engine=17)
    async with opened(link) as (app, _):
        assert "17 dropped" in text_of(app)


@pytest.mark.parametrize("size", [(80, 24), (200, 60), (20, 5)])
async def test_every_size_shows_something_and_every_panel_can_be_reached(size: tuple[int, int]) -> None:
    async with opened(scenes.busy(), size) as (app, pilot):
        for panel in app.dashboard.panels:
            await app.run_action(f"panel({panel.NUMBER})")
            await pilot.pause()
            assert app.dashboard.focused_panel is panel
            assert panel.region.area > 0


async def test_resizing_keeps_the_rows_and_the_cursor() -> None:
    async with opened(scenes.busy()) as (app, pilot):
        await pilot.press("down")
        for size in ((80, 24), (200, 60), (60, 20), (120, 40)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert app.dashboard.strategy_id == "rsi_btc"


async def test_a_silent_engine_is_told_of_with_the_age_of_the_figures_and_is_attached_again() -> None:
    link = scenes.disconnected()
    async with opened(link) as (app, _):
        assert app.dashboard.query_one(Banner).has_class("-stale")
        assert "figures are 1m12s old" in text_of(app)
        assert "no answer" in text_of(app)
        link.problem, link.age_s = "", 0.0
        app.paint()
        assert not app.dashboard.query_one(Banner).display


async def test_silence_without_an_error_is_stale_as_well() -> None:
    link = scenes.busy()
    link.age_s = 9.0
    async with opened(link) as (app, _):
        assert "ENGINE NOT ANSWERING" in text_of(app)


async def test_before_the_first_answer_there_is_a_line_and_no_crash() -> None:
    link = FakeLink()
    link.problem = "connecting"
    async with opened(link) as (app, pilot):
        assert "connecting" in text_of(app)
        await pilot.press("p", "P", "b", "d", "K")
        await pilot.pause()
        assert isinstance(app.screen, Confirm)
        assert "not known" in app.screen.consequence


# Strategy actions.


@pytest.mark.parametrize(
    ("key", "asked", "sentence"),
    [
        ("p", ("pause", "momentum_btc"), "momentum_btc is paused"),
        ("r", ("resume", "momentum_btc"), "momentum_btc is active"),
        ("l", ("reload", "momentum_btc"), "momentum_btc was read again"),
    ],
)
async def test_a_key_commands_the_selected_strategy_and_tells_the_result(
    key: str, asked: tuple[str, str], sentence: str
) -> None:
    link = scenes.busy()
    async with opened(link) as (app, pilot):
        await pilot.press(key)
        await settled(app, pilot, lambda: sentence in told(app))
        assert link.asked == [asked]


async def test_a_refusal_is_told_in_the_engines_words() -> None:
    link = scenes.busy()
    link.refusal = "strategy momentum_btc is being reloaded"
    async with opened(link) as (app, pilot):
        await pilot.press("p")
        await settled(app, pilot, lambda: "pause momentum_btc: strategy momentum_btc is being reloaded" in told(app))
        app.paint()
        await pilot.pause()
        assert "pause momentum_btc: strategy" in text_of(app)


async def test_read_only_screens_refuse_every_action_on_the_engine() -> None:
    link = scenes.busy()
    async with opened(link, is_read_only=True) as (app, pilot):
        for command in COMMANDS:
            if command.changes_engine:
                await pilot.press(command.key)
                await settled(
                    app, pilot, lambda c=command: f"{c.label.lower()}: these screens are read-only" in told(app)
                )
        assert link.asked == []
        assert app.screen is app.dashboard
        assert "READ-ONLY" in text_of(app)


async def test_unloading_names_what_stays_and_needs_a_yes() -> None:
    link = scenes.busy()
    async with opened(link) as (app, pilot):
        await pilot.press("x")
        await settled(app, pilot, lambda: isinstance(app.screen, Confirm))
        assert isinstance(app.screen, Confirm)
        assert "+1.5 BTCUSDT" in app.screen.consequence
        await pilot.press("enter")
        await settled(app, pilot, lambda: app.screen is app.dashboard)
        assert link.asked == []
        await pilot.press("x")
        await settled(app, pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await settled(app, pilot, lambda: link.asked == [("unload", "momentum_btc")])


async def test_pausing_all_pauses_those_that_run() -> None:
    link = scenes.busy()
    async with opened(link) as (app, pilot):
        await pilot.press("P")
        await settled(app, pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await settled(app, pilot, lambda: len(link.asked) == 3)
        assert {each[1] for each in link.asked} == {"momentum_btc", "rsi_btc", "maker_eth"}


async def test_the_kill_switch_says_what_it_cancels_and_rearming_lets_orders_out_again() -> None:
    link = scenes.busy()
    async with opened(link) as (app, pilot):
        await pilot.press("K")
        await settled(app, pilot, lambda: isinstance(app.screen, Confirm))
        assert isinstance(app.screen, Confirm)
        assert "Cancels 3 open orders (buy 0.5 ETHUSDT, sell 0.5 ETHUSDT, buy 0.5 BTCUSDT)" in app.screen.consequence
        assert "Positions stay: -0.5 BTCUSDT, +2.5 ETHUSDT" in app.screen.consequence
        await pilot.press("y")
        await settled(app, pilot, lambda: "the kill switch is on; cancelling 3 orders" in told(app))
        await settled(app, pilot, lambda: "KILL SWITCH ON" in text_of(app))
        assert app.dashboard.query_one(RiskPanel).border_subtitle
        await pilot.press("A")
        await settled(app, pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await settled(app, pilot, lambda: "orders may go out again" in told(app))
        assert [each[0] for each in link.asked] == ["kill", "rearm"]


async def test_rearming_an_armed_engine_asks_nothing() -> None:
    async with opened(scenes.busy()) as (app, pilot):
        await pilot.press("A")
        await settled(app, pilot, lambda: "the kill switch is not on" in told(app))
        assert app.screen is app.dashboard


async def test_parameters_are_checked_and_the_difference_is_shown_before_they_apply() -> None:
    link = scenes.busy()
    async with opened(link) as (app, pilot):
        await pilot.press("e")
        await settled(app, pilot, lambda: isinstance(app.screen, EditParameters))
        dialog = app.screen
        assert isinstance(dialog, EditParameters)
        field = dialog.query(Input).first()
        field.value = "3x"
        await settled(app, pilot, lambda: "a field is not valid yet" in dialog.verdict.plain)
        assert "expected a whole number" in text_of(app)
        assert dialog.query_one("#apply", Button).disabled
        await pilot.press("ctrl+s")
        assert app.screen is dialog
        field.value = "30"
        await settled(app, pilot, lambda: "short_window  20 → 30" in dialog.verdict.plain)
        await pilot.press("ctrl+s")
        wanted = {"short_window": 30, "long_window": 120}
        await settled(app, pilot, lambda: link.asked == [("set_parameters", "momentum_btc", wanted)])


@pytest.mark.parametrize(("old", "typed"), [(20, "7" * 60), (0.5, "7" * 60), (0.5, "-1.5e-9")])
async def test_a_number_of_any_length_can_be_typed(old: float, typed: str) -> None:
    link = scenes.busy()
    link.details["momentum_btc"] = replace(link.details["momentum_btc"], config={"window": old})
    async with opened(link) as (app, pilot):
        await pilot.press("e")
        await settled(app, pilot, lambda: isinstance(app.screen, EditParameters) and bool(app.screen.query(Input)))
        field = app.screen.query(Input).first()
        field.focus()
        field.value = typed[:-6]
        field.cursor_position = len(field.value)
        await pilot.press(*typed[-6:], "x")
        assert field.value == typed


async def test_a_key_pressed_several_times_opens_one_dialog() -> None:
    link = scenes.busy()
    async with opened(link) as (app, pilot):
        await pilot.press("e", "e", "e")
        await settled(app, pilot, lambda: isinstance(app.screen, EditParameters))
        await settled(
            app, pilot, lambda: sum(each.name == "action_edit" for each in app.workers if each.is_running) == 1
        )
        assert len(app.screen_stack) == 2
        await pilot.press("escape")
        await settled(app, pilot, lambda: app.screen is app.dashboard)


async def test_a_dialog_that_is_answered_twice_closes_once() -> None:
    link = scenes.busy()
    async with opened(link) as (app, pilot):
        await pilot.press("e")
        await settled(app, pilot, lambda: isinstance(app.screen, EditParameters))
        dialog = app.screen
        dialog.dismiss(None)
        dialog.dismiss(None)
        await settled(app, pilot, lambda: app.screen is app.dashboard)


async def test_what_the_engine_refuses_is_told_in_the_form() -> None:
    link = scenes.busy()
    async with opened(link) as (app, pilot):
        await pilot.press("e")
        await settled(app, pilot, lambda: isinstance(app.screen, EditParameters))
        link.invalid = "momentum: short_window: expected less than long_window, got 500"
        app.screen.query(Input).first().value = "500"
        await settled(app, pilot, lambda: "expected less than long_window" in text_of(app))
        assert "refused, see below" in text_of(app)
        assert app.screen.query_one("#apply", Button).disabled


@pytest.mark.parametrize(
    ("like", "text", "value"),
    [(1, "-7", -7), (1.5, "2", 2.0), ("a", "b c", "b c"), ([1], "[2, 3]", [2, 3]), (None, "null", None)],
)
def test_fields_read_what_they_write(like: object, text: str, value: object) -> None:
    assert parsed(text, like) == value
    assert parsed(written(like), like) == like


@pytest.mark.parametrize(("like", "text"), [(1, "1.5"), (1.5, "x"), ({}, "{")])
def test_fields_say_what_they_expect(like: object, text: str) -> None:
    with pytest.raises(ValueError, match="expected a"):
        parsed(text, like)


# Flatten and orders.


async def test_flatten_all_says_what_it_does_before_and_only_y_does_it() -> None:
    link = scenes.busy()
    async with opened(link) as (app, pilot):
        await pilot.press("F")
        await settled(app, pilot, lambda: isinstance(app.screen, Confirm))
        said = app.screen.consequence  # type: ignore[attr-defined]
        assert "cancels 3 orders, sells 1.5 BTCUSDT, buys 2 BTCUSDT, sells 2.5 ETHUSDT" in said
        assert "Still active, and may trade again once flat: momentum_btc, rsi_btc, maker_eth" in said
        await pilot.press("enter")
        assert link.asked == []
        await pilot.press("F")
        await settled(app, pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await settled(app, pilot, lambda: link.asked == [("flatten", "", "")])


async def test_f_flattens_what_is_selected() -> None:
    link = scenes.busy()
    async with opened(link) as (app, pilot):
        for keys, wanted in (
            (["1"], ("flatten", "momentum_btc", "")),
            (["2"], ("flatten", "", "BTCUSDT")),
            (["down"], ("flatten", "momentum_btc", "BTCUSDT")),
        ):
            await pilot.press(*keys)
            await pilot.press("f")
            await settled(app, pilot, lambda: isinstance(app.screen, Confirm))
            await pilot.press("y")
            await settled(app, pilot, lambda w=wanted: link.asked[-1:] == [w])


async def test_an_open_order_is_cancelled_from_its_row() -> None:
    link = scenes.busy()
    async with opened(link) as (app, pilot):
        await pilot.press("X")
        await settled(app, pilot, lambda: "0 goes to the open orders" in told(app))
        await pilot.press("0", "down", "X")
        await settled(app, pilot, lambda: isinstance(app.screen, Confirm))
        assert "sell 0.5 ETHUSDT at 2,496.20, of maker_eth" in app.screen.consequence  # type: ignore[attr-defined]
        await pilot.press("y")
        await settled(app, pilot, lambda: link.asked == [("cancel_order", "order-2")])


async def test_a_reason_that_has_no_room_is_shown_whole_for_the_selected_row() -> None:
    link = scenes.busy()
    reason = "position 9.5 (in flight counted) would become 11.25, beyond max_position 10 of this strategy and symbol"
    link.signals.extend([replace(scenes.signal(41, "filtered", reason=reason), check="position_limit")])
    async with opened(link, (100, 40)) as (app, pilot):
        assert "beyond max_position" not in text_of(app)
        await pilot.press("3")
        await pilot.pause()
        panel = app.dashboard.query_one(SignalsPanel)
        whole = str(panel.query_one(".whole", Static).render())
        assert reason.replace("_", " ") in whole
        assert "beyond max position 10 of this strategy" in " ".join(text_of(app).replace("│", "").split())


async def test_the_pnl_curve_has_the_past_from_before_the_screens() -> None:
    link = scenes.busy()
    times = tuple(scenes.NOW_NS - (600 - n) * 1_000_000_000 for n in range(600))
    link.past = PnlHistoryView(times_ns=times, pnl=tuple(float(n) for n in range(600)))
    async with opened(link) as (app, _):
        assert len(app.history.times_ns) == 601
        assert "10m00s ago" in text_of(app)


async def test_the_strategy_detail_shows_its_fills() -> None:
    async with opened(scenes.busy()) as (app, pilot):
        await pilot.press("d")
        await settled(app, pilot, lambda: "+1.75" in text_of(app))


async def test_loading_asks_for_plugin_id_and_symbols() -> None:
    link = scenes.busy()
    async with opened(link) as (app, pilot):
        await pilot.press("L")
        await settled(app, pilot, lambda: isinstance(app.screen, LoadStrategy))
        app.screen.query_one("#plugin", Input).value = "strategies/rsi.py"
        app.screen.query_one("#symbols", Input).value = "SOLUSDT, BTCUSDT"
        app.screen.query_one("#load", Button).press()
        await settled(app, pilot, lambda: link.asked == [("load", "strategies/rsi.py", "rsi", ("SOLUSDT", "BTCUSDT"))])


async def test_a_strategy_can_be_loaded_into_a_process_of_its_own() -> None:
    link = scenes.busy()
    async with opened(link) as (app, pilot):
        await pilot.press("L")
        await settled(app, pilot, lambda: isinstance(app.screen, LoadStrategy))
        await pilot.press(*"rsi", "enter", "enter", "tab")
        assert "▐ ▌ in a process of its own" in text_of(app)
        await pilot.press("space")
        await settled(app, pilot, lambda: "▐x▌ in a process of its own" in text_of(app))
        await pilot.press("enter")
        await settled(app, pilot, lambda: link.asked == [("load", "rsi", "rsi", (), "process")])


# Leaving.


async def test_leaving_an_engine_of_someone_else_asks_nothing() -> None:
    async with opened(scenes.busy()) as (app, pilot):
        await pilot.press("q")
        await settled(app, pilot, lambda: app.return_value == "detach")


@pytest.mark.parametrize(("way_out", "key", "answer"), [("q", "d", "detach"), ("ctrl+q", "s", "stop")])
async def test_leaving_an_own_engine_asks_what_becomes_of_it(way_out: str, key: str, answer: str) -> None:
    async with opened(scenes.busy(), owns_engine=True) as (app, pilot):
        await pilot.press(way_out)
        await settled(app, pilot, lambda: isinstance(app.screen, Leave))
        assert isinstance(app.screen, Leave)
        assert "Cancels 3 open orders" in app.screen.consequence
        await pilot.press(key)
        await settled(app, pilot, lambda: app.return_value == answer)


async def test_the_screens_go_when_their_engine_has_ended() -> None:
    async with opened(scenes.busy(), owns_engine=True, has_ended=lambda: True) as (app, pilot):
        await settled(app, pilot, lambda: app.return_value == "stop")


# Finding one's way.


async def test_every_command_is_in_footer_help_and_palette_and_has_its_action() -> None:
    async with opened(scenes.busy()) as (app, pilot):
        footer = app.dashboard.query_one(KeyBar)
        clickable = {action for _, _, action in footer.spans}
        palette = {command.title for command in app.get_system_commands(app.screen)}
        help_text = Help(app.palette).text.plain
        bound = {binding.action for bindings in app._bindings.key_to_bindings.values() for binding in bindings}
        for command in COMMANDS:
            assert f"{command.key_text} {command.label}" in footer.text.plain
            assert command.action in clickable
            assert command.action in bound
            assert f"{command.label} ({command.key_text})" in palette
            assert command.help in help_text
            assert hasattr(app, f"action_{command.action.partition('(')[0]}")
        await pilot.press("question_mark")
        await settled(app, pilot, lambda: isinstance(app.screen, Help))
        await pilot.press("escape")
        await settled(app, pilot, lambda: app.screen is app.dashboard)
    keys = [command.key for command in COMMANDS]
    assert len(set(keys)) == len(keys)


async def test_a_click_on_the_footer_runs_the_command() -> None:
    link = scenes.busy()
    async with opened(link) as (app, pilot):
        await pilot.click("#keys", offset=(10, 0))
        await settled(app, pilot, lambda: link.asked == [("pause", "momentum_btc")])


async def test_the_footer_shows_whole_commands_and_a_click_on_its_end_turns_the_page() -> None:
    async with opened(scenes.busy(), (80, 24)) as (app, pilot):
        footer = app.dashboard.query_one(KeyBar)
        assert footer.text.plain[:80].endswith("q Quit   " + MORE)
        seen = set()
        for _ in range(20):
            begins = int(footer.scroll_offset.x)
            page = footer.text.plain[begins : begins + 80]
            assert page.endswith(MORE)
            seen |= {action for begin, end, action in footer.spans if begins <= begin and end <= begins + 80}
            await pilot.click(KeyBar, offset=(79, 0))
            await pilot.pause()
            if footer.scroll_offset.x == 0:
                break
        assert seen == {command.action for command in COMMANDS}


async def test_a_filter_leaves_matching_rows_and_escape_ends_it() -> None:
    async with opened(scenes.busy()) as (app, pilot):
        table = app.dashboard.query_one(StrategiesPanel).table
        await pilot.press("slash", *"ETH")
        assert [row.key for row in table.shown] == ["maker_eth", "breakout_eth"]
        await pilot.press(*"zz")
        assert "no row holds that text" in text_of(app)
        await pilot.press("escape")
        assert len(table.shown) == 5


async def test_sorting_goes_through_the_columns_and_is_remembered_with_theme_and_panel(tmp_path: Path) -> None:
    file = tmp_path / "sub" / "screens.json"
    async with opened(scenes.busy(), preferences_file=file) as (app, pilot):
        await pilot.press("s", "s", "t", "2", "m")
        await settled(app, pilot, lambda: app.theme == "sengine-light" and app.dashboard.maximised)
        names = [row.cells[0].text for row in app.dashboard.query_one(StrategiesPanel).table.shown]
        assert names == sorted(names)
        await pilot.press("q")
    async with opened(scenes.busy(), preferences_file=file) as (app, pilot):
        await settled(app, pilot, lambda: app.dashboard.maximised)
        assert app.theme == "sengine-light"
        assert isinstance(app.dashboard.focused_panel, PositionsPanel)
        assert app.dashboard.query_one(StrategiesPanel).table.sorted_by == ("id", False)


async def test_unreadable_preferences_are_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "screens.json"
    file.write_text('{"theme": 5')
    async with opened(scenes.busy(), preferences_file=file) as (app, _):
        assert app.theme == "sengine-dark"


async def test_a_row_is_copied_with_tabs() -> None:
    async with opened(scenes.busy()) as (app, pilot):
        await pilot.press("c")
        await settled(app, pilot, lambda: "row copied" in told(app))
        assert app.clipboard.startswith("momentum_btc\t● active\t+105.75\t")


async def test_one_key_maximises_a_panel_and_gives_the_rest_back() -> None:
    async with opened(scenes.busy()) as (app, pilot):
        await pilot.press("3", "m")
        await pilot.pause()
        signals = app.dashboard.query_one(SignalsPanel)
        assert signals.region.size == (120, 38)
        await pilot.press("escape")
        await pilot.pause()
        assert all(
            panel.region.area for panel in app.dashboard.query(TablePanel) if panel.NAME not in ("markets", "orders")
        )


async def test_details_of_a_strategy_show_parameters_and_its_traceback() -> None:
    async with opened(scenes.busy()) as (app, pilot):
        await pilot.press("down", "down", "down", "enter")
        await settled(app, pilot, lambda: isinstance(app.screen, StrategyDetail) and "ZeroDivision" in text_of(app))
        assert "long_window   120" in text_of(app)
        await pilot.press("escape")
        await settled(app, pilot, lambda: isinstance(app.screen, Dashboard))


async def test_details_of_a_symbol_show_book_and_trades() -> None:
    async with opened(scenes.busy()) as (app, pilot):
        await pilot.press("2", "b")
        await settled(app, pilot, lambda: isinstance(app.screen, SymbolDetail) and "60,034.80" in text_of(app))
        assert "sell" in text_of(app)
        assert "the feed sent none" not in text_of(app)


async def test_a_symbol_without_trades_says_so() -> None:
    link = scenes.busy()
    link.markets = {name: replace(view, trades=()) for name, view in link.markets.items()}
    async with opened(link) as (app, pilot):
        await pilot.press("2", "b")
        await settled(app, pilot, lambda: isinstance(app.screen, SymbolDetail) and "the feed sent none" in text_of(app))


async def test_what_the_engine_does_not_know_is_said_in_the_detail() -> None:
    link = scenes.busy()
    link.markets.clear()
    async with opened(link) as (app, pilot):
        await pilot.press("b")
        await settled(app, pilot, lambda: "no symbol BTCUSDT" in text_of(app))


async def test_actions_work_from_a_strategys_detail() -> None:
    link = scenes.busy()
    async with opened(link) as (app, pilot):
        await pilot.press("d")
        await settled(app, pilot, lambda: isinstance(app.screen, StrategyDetail))
        await pilot.press("p")
        await settled(app, pilot, lambda: link.asked == [("pause", "momentum_btc")])


async def test_text_with_markup_in_it_is_shown_as_it_is() -> None:
    link = scenes.killed()
    assert link.snapshot is not None
    odd = replace(link.snapshot.strategies[0], strategy_id="[red]x[/", last_error="[/b]")
    link.snapshot = replace(link.snapshot, kill_reason="[b]why[/", strategies=(odd,))
    link.refusal = "no [such] thing [/red]"
    async with opened(link) as (app, pilot):
        assert "[red]x[/" in text_of(app)
        assert "[b]why[/" in text_of(app)
        await pilot.press("p")
        await settled(app, pilot, lambda: "no [such] thing [/red]" in told(app))
        await pilot.pause()
        assert app.dashboard.query_one(HeaderLine)


@pytest.mark.parametrize(("width", "said"), [(140, "P&L +9,950.00 JPY  +99.50 USD"), (80, "P&L n/a")])
async def test_amounts_of_different_currencies_are_shown_one_by_one(width: int, said: str) -> None:
    link = scenes.busy()
    assert link.snapshot is not None
    reason = "amounts in JPY (USDJPY) and USD (EURUSD) are not added up"
    totals = tuple(
        views.CurrencyTotalView(currency=name, realized_pnl=amount, unrealized_pnl=0.0, commission=0.0)
        for name, amount in (("JPY", 9_950.0), ("USD", 99.5))
    )
    nothing = {"realized_pnl": None, "unrealized_pnl": None, "peak_pnl": None, "not_added_up": reason}
    first, *others = link.snapshot.strategies
    strategies = (replace(first, **nothing), *others)
    link.snapshot = replace(link.snapshot, totals=totals, strategies=strategies, **nothing)
    async with opened(link, size=(width, 40)) as (app, _):
        assert said in text_of(app)
        assert "10,049.50" not in text_of(app)
        if width > 100:
            assert "n/a · several currencies" in text_of(app)
            assert re.search(rf"{first.strategy_id} .* n/a ", text_of(app))
