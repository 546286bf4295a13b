"""The table alone: what it draws, and where its cursor is, in an app with nothing else."""

from __future__ import annotations

import random
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from tui.widgets.rows import Cell, Column, Row, places
from tui.widgets.table import LiveTable

COLUMNS = (
    Column("name", "name", 8, grows=True),
    Column("number", "number", 8, "right"),
    Column("note", "note", 12, rank=1),
)


class TableApp(App[None]):
    CSS = "LiveTable { scrollbar-size: 1 1; overflow-x: hidden; }"

    def __init__(self, *, is_tail: bool = False) -> None:
        super().__init__()
        self.table = LiveTable(COLUMNS, is_tail=is_tail)
        self.opened: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.table

    def action_open_details(self) -> None:
        assert self.table.current is not None
        self.opened.append(self.table.current.key)


def row(key: str, number: int = 0, note: str = "") -> Row:
    return Row(key, (Cell(key), Cell(str(number), "", number), Cell(note)))


def rows(count: int) -> list[Row]:
    return [row(f"row{n}", n) for n in range(count)]


def lines(app: App[Any]) -> list[str]:
    return [strip.text for strip in app.screen._compositor.render_strips()]


async def settle(pilot: Pilot[Any]) -> None:
    await pilot.pause()
    await pilot.pause()


async def test_what_is_drawn_piece_by_piece_is_what_a_whole_drawing_shows() -> None:
    app, chance = TableApp(), random.Random(4)
    async with app.run_test(size=(40, 12)) as pilot:
        names = [f"n{n}" for n in range(30)]
        for _ in range(60):
            chance.shuffle(names)
            held = [
                row(name, chance.randrange(3), chance.choice(["", "x", "é" * 20]))
                for name in names[: chance.randrange(31)]
            ]
            app.table.show(held)
            if chance.random() < 0.3:
                await pilot.press(chance.choice(["down", "up", "end", "home", "pagedown"]))
            await settle(pilot)
            piecewise = lines(app)
            app.table.refresh()
            await settle(pilot)
            assert piecewise == lines(app)


async def test_the_cursor_stays_on_its_row_when_rows_come_go_and_turn_round() -> None:
    app = TableApp()
    async with app.run_test(size=(40, 12)) as pilot:
        held = rows(30)
        app.table.show(held)
        await pilot.press("down", "down")
        for changed in (held[1:], held[::-1], [row("new"), *held], held[:3]):
            app.table.show(changed)
            await settle(pilot)
            assert app.table.current is not None
            assert app.table.current.key == "row2"
            assert any(line.startswith("row2 ") for line in lines(app))
        app.table.show(held[:1])
        assert app.table.current is not None
        assert app.table.current.key == "row0"
        app.table.show([])
        assert app.table.current is None


async def test_a_tails_cursor_stays_on_the_newest_row_until_it_is_moved() -> None:
    app = TableApp(is_tail=True)
    async with app.run_test(size=(40, 12)) as pilot:
        app.table.show(rows(3)[::-1])
        app.table.show(rows(5)[::-1])
        assert app.table.current == rows(5)[4]
        await pilot.press("down")
        app.table.show(rows(9)[::-1])
        assert app.table.current == rows(5)[3]


async def test_keys_reach_the_last_row_and_the_first() -> None:
    app = TableApp()
    async with app.run_test(size=(40, 12)) as pilot:
        app.table.show(rows(100))
        await settle(pilot)
        for key, name in (("end", "row99"), ("up", "row98"), ("pageup", "row87"), ("home", "row0"), ("up", "row0")):
            await pilot.press(key)
            await settle(pilot)
            assert app.table.current is not None
            assert app.table.current.key == name
            assert any(line.startswith(f"{name} ") for line in lines(app))


async def test_a_click_chooses_a_row_and_a_second_one_opens_it() -> None:
    app = TableApp()
    async with app.run_test(size=(40, 12)) as pilot:
        app.table.show(rows(5))
        await pilot.click(LiveTable, offset=(3, 4))
        assert app.table.current == rows(5)[3]
        assert app.opened == []
        await pilot.click(LiveTable, offset=(3, 4))
        assert app.opened == ["row3"]
        await pilot.click(LiveTable, offset=(3, 9))
        assert app.table.current == rows(5)[3]


async def test_a_click_on_a_header_sorts_and_a_second_one_turns_it_round() -> None:
    app = TableApp()
    async with app.run_test(size=(40, 12)) as pilot:
        app.table.show(rows(12))
        for first, mark in (("row11", "▾"), ("row0", "▴")):
            await pilot.click(LiveTable, offset=(20, 0))
            await settle(pilot)
            assert app.table.shown[0].key == first
            assert f"number{mark}" in lines(app)[0]


async def test_a_row_under_the_mouse_is_drawn_again_and_only_that() -> None:
    app = TableApp()
    async with app.run_test(size=(40, 12)) as pilot:
        app.table.show(rows(5))
        await pilot.hover(LiveTable, offset=(3, 2))
        assert app.table._hover == 1
        await pilot.hover(LiveTable, offset=(3, 8))
        await settle(pilot)
        assert [line.split()[0] for line in lines(app)[1:6]] == [each.key for each in rows(5)]


@pytest.mark.parametrize(("room", "shown"), [(60, ["name", "number", "note"]), (20, ["name", "number"]), (3, ["name"])])
def test_columns_of_high_rank_go_first_where_room_is_short(room: int, shown: list[str]) -> None:
    columns = (COLUMNS[0], COLUMNS[1]._replace(rank=1 if room < 10 else 0), COLUMNS[2])
    fitted = places(columns, room)
    assert [place.column.key for place in fitted] == shown
    assert fitted[-1].end - 1 <= max(room, 8)
    for place in fitted:
        assert len(place.written("a\nb")) == place.width + 1
        assert len(place.written("x" * 90)) == place.width + 1
