"""A table that shows rows of values: it changes only cells that changed, filters, sorts and fits its columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.text import Text
from textual.widgets import DataTable


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


class _CellText(Text):
    """A cell that knows its row: the table hands cells to what orders its rows."""

    def __init__(self, text: str, style: str, row_key: str) -> None:
        super().__init__(text, style=style, no_wrap=True, end="")
        self.row_key = row_key


class LiveTable(DataTable[Text]):
    """``is_tail`` tables show their newest row first, and stay on it while the cursor is there."""

    def __init__(self, columns: Sequence[Column], *, is_tail: bool = False) -> None:
        super().__init__(
            cursor_type="row",
            zebra_stripes=False,
            cell_padding=0,
            show_row_labels=False,
            cursor_foreground_priority="renderable",
        )
        self.specs = tuple(columns)
        self.is_tail = is_tail
        self.filter_text = ""
        self.sorted_by: tuple[str, bool] | None = None
        self.updates = 0
        """Cells that have been changed in place, ever."""
        self._given: Sequence[Row] = ()
        self._shown: dict[str, Row] = {}
        self._fitted: tuple[tuple[Column, int], ...] = ()
        self._indices: tuple[int, ...] = ()

    @property
    def current(self) -> Row | None:
        """The row under the cursor."""
        keys = list(self._shown)
        return self._shown[keys[self.cursor_row]] if 0 <= self.cursor_row < len(keys) else None

    @property
    def shown(self) -> list[Row]:
        """The rows as they stand, after filter and sort."""
        return list(self._shown.values())

    def show(self, rows: Sequence[Row]) -> None:
        """Make the table hold these rows, in this order unless the user has sorted it."""
        self._given = rows
        if not self._fitted:
            return
        ordered = self._ordered(rows)
        # A tail's rows move on through the same places: to take rows out of the table costs a layout of the screen.
        wanted = {str(n): row for n, row in enumerate(ordered)} if self.is_tail else {row.key: row for row in ordered}
        shown = self._shown
        cursor = self.current
        stays_first = self.is_tail and self.cursor_row == 0
        if list(wanted) == list(shown):
            for key, row in wanted.items():
                self._change(key, shown[key], row)
            self._shown = wanted
            if self.is_tail and not stays_first:
                self._follow(cursor)
            return
        for key in [key for key in shown if key not in wanted]:
            self.remove_row(key)
        for key, row in wanted.items():
            before = shown.get(key)
            if before is None:
                self.add_row(*[self._text(row.cells[i], n, key) for n, i in enumerate(self._indices)], key=key)
            else:
                self._change(key, before, row)
        self._shown = wanted
        if [row.key.value for row in self.ordered_rows] != list(wanted):
            self._put_in_order(wanted)
        if not stays_first:
            self._follow(cursor)

    def unseen_of_current(self) -> str:
        """What the current row has to say beyond what is seen of it: cells cut short first, then columns left out."""
        row = self.current
        if row is None or not self._fitted:
            return ""
        widths = {i: width for i, (_, width) in zip(self._indices, self._fitted, strict=True)}
        cut, hidden = [], []
        for i, (spec, cell) in enumerate(zip(self.specs, row.cells, strict=True)):
            text = cell.text.strip()
            if i not in widths and text not in ("", "-", "0"):
                hidden.append(f"{spec.label} {text}")
            elif i in widths and cell_len(text) > widths[i]:
                cut.append(text)
        return " · ".join(cut + hidden)

    def _follow(self, cursor: Row | None) -> None:
        """Put the cursor on the row that it was on."""
        for number, row in enumerate(self._shown.values()):
            if cursor is not None and row.key == cursor.key:
                if number != self.cursor_row:
                    self.move_cursor(row=number, scroll=not self.is_tail)
                return

    def filter(self, text: str) -> None:
        """Show only rows that hold ``text``, whatever the case; all rows for an empty one."""
        self.filter_text = text.strip().lower()
        self.show(self._given)

    def sort_by(self, column: str | None, *, descending: bool = True) -> None:
        """Sort by a column, or with ``None`` as the rows come."""
        known = {spec.key for spec in self.specs}
        self.sorted_by = (column, descending) if column in known and column is not None else None
        self._label_columns()
        self.show(self._given)

    def sort_next(self) -> str:
        """Turn the order round, then go to the next column, then none. Returns the order in words."""
        keys = [spec.key for spec, _ in self._fitted]
        if self.sorted_by is None:
            self.sort_by(keys[0])
        elif self.sorted_by[1]:
            self.sort_by(self.sorted_by[0], descending=False)
        else:
            at = keys.index(self.sorted_by[0]) + 1 if self.sorted_by[0] in keys else 0
            self.sort_by(keys[at] if at < len(keys) else None)
        return self.order_in_words

    @property
    def order_in_words(self) -> str:
        if self.sorted_by is None:
            return "as it comes"
        label = next(spec.label for spec in self.specs if spec.key == self.sorted_by[0])
        return f"by {label}, {'largest' if self.sorted_by[1] else 'smallest'} first"

    def on_resize(self) -> None:
        self._fit(self.size.width - 1)

    def on_data_table_header_selected(self, event: DataTable.HeaderSelected) -> None:
        """A click on a header sorts by it, a second one turns it round."""
        key = str(event.column_key.value)
        is_same = self.sorted_by is not None and self.sorted_by[0] == key
        self.sort_by(key, descending=not (is_same and self.sorted_by is not None and self.sorted_by[1]))

    def _ordered(self, rows: Sequence[Row]) -> Sequence[Row]:
        if self.filter_text:
            text = self.filter_text
            rows = [row for row in rows if any(text in cell.text.lower() for cell in row.cells)]
        if self.sorted_by is not None:
            key, descending = self.sorted_by
            at = next(n for n, spec in enumerate(self.specs) if spec.key == key)
            rows = sorted(rows, key=lambda row: _sort_key(row.cells[at]), reverse=descending)
        return rows

    def _change(self, key: str, before: Row, row: Row) -> None:
        if before.cells is row.cells:
            return
        for n, i in enumerate(self._indices):
            if before.cells[i][:2] != row.cells[i][:2]:
                self.updates += 1
                self.update_cell(key, self._fitted[n][0].key, self._text(row.cells[i], n, key))

    def _text(self, cell: Cell, n: int, row_key: str) -> Text:
        spec, width = self._fitted[n]
        text = cell.text.replace("\n", " ")
        size = cell_len(text)
        if size > width:
            text = set_cell_size(text, width - 1) + "…"
        elif spec.align == "right":
            text = " " * (width - size) + text
        return _CellText(text, cell.style, row_key)

    def _put_in_order(self, wanted: dict[str, Row]) -> None:
        place = {key: number for number, key in enumerate(wanted)}
        self.sort(self._fitted[0][0].key, key=lambda cell: place[cell.row_key])

    def _fit(self, room: int) -> None:
        """Choose columns and widths for ``room`` cells."""
        specs = list(self.specs)
        while len(specs) > 1 and sum(spec.width + 1 for spec in specs) > room:
            worst = max(specs, key=lambda spec: spec.rank)
            if worst.rank == 0:
                break
            specs.remove(worst)
        left = max(0, room - sum(spec.width + 1 for spec in specs))
        growing = [spec for spec in specs if spec.grows]
        extra = {spec.key: left // len(growing) for spec in growing} if growing else {}
        fitted = tuple((spec, spec.width + extra.get(spec.key, 0)) for spec in specs)
        if fitted == self._fitted:
            return
        cursor = self.cursor_row
        self._fitted = fitted
        self._indices = tuple(self.specs.index(spec) for spec in specs)
        self.clear(columns=True)
        for spec, width in fitted:
            self.add_column("", width=width + 1, key=spec.key)
        self._label_columns()
        self._shown = {}
        self.show(self._given)
        self.move_cursor(row=cursor)

    def _label_columns(self) -> None:
        for spec, width in self._fitted:
            column = next(column for key, column in self.columns.items() if key.value == spec.key)
            label = spec.label
            if self.sorted_by is not None and self.sorted_by[0] == spec.key:
                label = (label + ("▾" if self.sorted_by[1] else "▴"))[-width:]
            column.label = Text(label.rjust(width) if spec.align == "right" else label, no_wrap=True)
        self._update_count += 1
        self.refresh()


def _sort_key(cell: Cell) -> tuple[int, Any]:
    """Numbers before texts, so that a column may hold both."""
    value = cell.text if cell.value is None else cell.value
    return (0, value) if isinstance(value, int | float) else (1, str(value))
