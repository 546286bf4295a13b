"""Columns, cells and rows as values, and how columns are fitted into the room that there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from rich.cells import cell_len, set_cell_size


class Column(NamedTuple):
    """``width`` in cells. Columns of a high ``rank`` are left out first where there is no room for all; one with
    ``grows`` takes what is left over."""

    key: str
    label: str
    width: int
    align: Literal["left", "right"] = "left"
    rank: int = 0
    grows: bool = False


class Cell(NamedTuple):
    """``value`` is what the cell is sorted by; without one, its text."""

    text: str
    style: str = ""
    value: Any = None


class Row(NamedTuple):
    """``key`` names the row for as long as it lives. ``strategy_id`` and ``symbol`` are what actions on it act on."""

    key: str
    cells: tuple[Cell, ...]
    strategy_id: str = ""
    symbol: str = ""


class Place(NamedTuple):
    """A column that is shown: which it is, from where, and how wide without the gap after it."""

    column: Column
    at: int
    begin: int
    width: int

    @property
    def end(self) -> int:
        return self.begin + self.width + 1

    def written(self, text: str) -> str:
        """The text in the column's width, cut where it is too long, and the gap."""
        if "\n" in text:
            text = text.replace("\n", " ")
        size = len(text) if text.isascii() else cell_len(text)
        if size > self.width:
            return set_cell_size(text, self.width - 1) + "… "
        room = " " * (self.width - size)
        return f"{room}{text} " if self.column.align == "right" else f"{text}{room} "


def places(columns: Sequence[Column], room: int) -> tuple[Place, ...]:
    """Those columns that ``room`` cells have room for; the gap after the last one may be outside."""
    chosen = list(columns)
    while len(chosen) > 1 and sum(column.width + 1 for column in chosen) > room + 1:
        worst = max(chosen, key=lambda column: column.rank)
        if worst.rank == 0:
            break
        chosen.remove(worst)
    left = max(0, room + 1 - sum(column.width + 1 for column in chosen))
    growing = sum(column.grows for column in chosen)
    fitted, begin = [], 0
    for column in chosen:
        width = column.width + (left // growing if column.grows else 0)
        fitted.append(Place(column, columns.index(column), begin, width))
        begin += width + 1
    return tuple(fitted)


def sort_key(cell: Cell) -> tuple[int, Any]:
    """Numbers before texts, so that a column may hold both."""
    value = cell.text if cell.value is None else cell.value
    return (0, value) if isinstance(value, int | float) else (1, str(value))
