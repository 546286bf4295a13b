"""A table of rows of values. It draws its own lines, and of those only what has changed and is in sight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from tui.widgets.rows import Column, Place, Row, places, sort_key


class LiveTable(ScrollView, can_focus=True):
    """``is_tail`` tables show their newest row first, and stay on it while the cursor is there."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"table--header", "table--cursor", "table--hover"}

    class Moved(Message):
        """The cursor is on another row, or its row says something else."""

    def __init__(self, columns: Sequence[Column], *, is_tail: bool = False) -> None:
        super().__init__()
        self.specs = tuple(columns)
        self.is_tail = is_tail
        self.filter_text = ""
        self.sorted_by: tuple[str, bool] | None = None
        self.updates = 0
        """Cells that have been drawn again because they changed, ever."""
        self._given: Sequence[Row] = ()
        self._rows: Sequence[Row] = ()
        self._places: tuple[Place, ...] = ()
        self._cursor = 0
        self._is_chosen = False
        """Whether anybody has been here: until then the cursor stays on the first row, whichever that is."""
        self._hover = -1
        self._base = self._under_cursor = self._under_mouse = self._header_style = Style.null()
        self._cell_styles: dict[tuple[str, bool, bool], Style] = {}

    @property
    def current(self) -> Row | None:
        """The row under the cursor."""
        return self._rows[self._cursor] if self._cursor < len(self._rows) else None

    @property
    def shown(self) -> list[Row]:
        """The rows as they stand, after filter and sort."""
        return list(self._rows)

    def show(self, rows: Sequence[Row]) -> None:
        """Make the table hold these rows, in this order unless the user has sorted it."""
        self._given = rows
        if not self._places:
            return
        before, current = self._rows, self.current
        is_in_sight = self._is_in_sight(self._cursor)
        self._rows = self._ordered(rows)
        self._make_room()
        self._draw_changes(before)
        if self._is_chosen and not (self.is_tail and self._cursor == 0):
            self._follow(current, is_in_sight)
        elif current is not self.current:
            self._draw_row(self._cursor)
            self.post_message(self.Moved())

    def unseen_of_current(self) -> str:
        """What the current row has to say beyond what is seen of it: cells cut short first, then columns left out."""
        row = self.current
        if row is None or not self._places:
            return ""
        widths = {place.at: place.width for place in self._places}
        cut, hidden = [], []
        for i, (spec, cell) in enumerate(zip(self.specs, row.cells, strict=True)):
            text = cell.text.strip()
            if i not in widths and text not in ("", "-", "0"):
                hidden.append(f"{spec.label} {text}")
            elif i in widths and cell_len(text) > widths[i]:
                cut.append(text)
        return " · ".join(cut + hidden)

    def filter(self, text: str) -> None:
        """Show only rows that hold ``text``, whatever the case; all rows for an empty one."""
        self.filter_text = text.strip().lower()
        self.show(self._given)

    def sort_by(self, column: str | None, *, descending: bool = True) -> None:
        """Sort by a column, or with ``None`` as the rows come."""
        known = {spec.key for spec in self.specs}
        self.sorted_by = (column, descending) if column in known and column is not None else None
        self.show(self._given)
        self.refresh(Region(0, 0, self.size.width, 1))

    def sort_next(self) -> str:
        """Turn the order round, then go to the next column, then none. Returns the order in words."""
        keys = [place.column.key for place in self._places]
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
        first = ("newest", "oldest") if self.sorted_by[0] == "time" else ("largest", "smallest")
        return f"by {label}, {first[not self.sorted_by[1]]} first"

    def _ordered(self, rows: Sequence[Row]) -> Sequence[Row]:
        if self.filter_text:
            text = self.filter_text
            rows = [row for row in rows if any(text in cell.text.lower() for cell in row.cells)]
        if self.sorted_by is not None:
            key, descending = self.sorted_by
            at = next(n for n, spec in enumerate(self.specs) if spec.key == key)
            rows = sorted(rows, key=lambda row: sort_key(row.cells[at]), reverse=descending)
        return rows

    # The cursor.

    def on_focus(self) -> None:
        self._is_chosen = True
        self._scroll_to_cursor()

    def move_to(self, number: int) -> None:
        """Put the cursor on a row, and the row in sight."""
        self._set_cursor(max(0, min(number, len(self._rows) - 1)))
        self._scroll_to_cursor()

    def action_scroll_up(self) -> None:
        self.move_to(self._cursor - 1)

    def action_scroll_down(self) -> None:
        self.move_to(self._cursor + 1)

    def action_page_up(self) -> None:
        self.move_to(self._cursor - max(1, self.size.height - 1))

    def action_page_down(self) -> None:
        self.move_to(self._cursor + max(1, self.size.height - 1))

    def action_scroll_home(self) -> None:
        self.move_to(0)

    def action_scroll_end(self) -> None:
        self.move_to(len(self._rows) - 1)

    async def on_click(self, event: events.Click) -> None:
        """On a header: sort by it, a second time turn it round. On a row: go to it, and a second time open it."""
        if event.y == 0:
            for place in self._places:
                if place.begin <= event.x < place.end:
                    key = place.column.key
                    self.sort_by(key, descending=self.sorted_by != (key, True))
            return
        number = self._row_at(event.y)
        if number == self._cursor and self.current is not None:
            await self.app.run_action("open_details")
        elif 0 <= number < len(self._rows):
            self.move_to(number)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        self._set_hover(self._row_at(event.y))

    def on_leave(self) -> None:
        self._set_hover(-1)

    def _row_at(self, y: int) -> int:
        return y - 1 + self.scroll_offset.y if y > 0 else -1

    def _is_in_sight(self, number: int) -> bool:
        return 0 <= number - self.scroll_offset.y < self.size.height - 1

    def _set_cursor(self, number: int) -> None:
        if number != self._cursor:
            self._draw_row(self._cursor)
            self._cursor = number
            self._draw_row(number)
            self.post_message(self.Moved())

    def _set_hover(self, number: int) -> None:
        if number != self._hover:
            self._draw_row(self._hover)
            self._hover = number
            self._draw_row(number)

    def _follow(self, current: Row | None, is_in_sight: bool) -> None:
        """Keep the cursor on the row that it was on."""
        number = min(self._cursor, max(0, len(self._rows) - 1))
        if current is not None and (number >= len(self._rows) or self._rows[number].key != current.key):
            number = next((n for n, row in enumerate(self._rows) if row.key == current.key), number)
        self._set_cursor(number)
        if is_in_sight:
            self._scroll_to_cursor()

    def _scroll_to_cursor(self) -> None:
        top, height = self.scroll_offset.y, max(1, self.size.height - 1)
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False)
        elif self._cursor >= top + height:
            self.scroll_to(y=self._cursor - height + 1, animate=False)

    # Drawing.

    def on_resize(self) -> None:
        around = self.parent
        assert isinstance(around, Widget)
        # Its own width depends on whether a scroll bar is there; that one covers the gap after the last column.
        fitted = places(self.specs, around.content_size.width - 1)
        if fitted != self._places:
            self._places = fitted
            self.refresh()
            self.show(self._given)
            self.post_message(self.Moved())
        self._make_room()

    def _make_room(self) -> None:
        """What the scroll bar goes by. It changes, and costs a layout, only where there is something to scroll."""
        size = Size(self.size.width, max(self.size.height, len(self._rows) + 1))
        if size.height != self.virtual_size.height:
            self.virtual_size = size

    def _draw_row(self, number: int) -> None:
        if self._is_in_sight(number):
            self.refresh(Region(0, number + 1 - self.scroll_offset.y, self.size.width, 1))

    def _draw_changes(self, before: Sequence[Row]) -> None:
        regions = []
        top, rows = self.scroll_offset.y, self._rows
        for number in range(top, min(top + self.size.height - 1, max(len(rows), len(before)))):
            y = number + 1 - top
            if number >= len(rows) or number >= len(before):
                regions.append(Region(0, y, self.size.width, 1))
                continue
            was, now = before[number].cells, rows[number].cells
            if was is now:
                continue
            changed = [place for place in self._places if was[place.at][:2] != now[place.at][:2]]
            if changed:
                self.updates += len(changed)
                begin = changed[0].begin
                regions.append(Region(begin, y, changed[-1].end - begin, 1))
        if regions:
            self.refresh(*regions)

    def render_lines(self, crop: Region) -> list[Strip]:
        base = self.rich_style
        under_cursor, under_mouse, header = (
            self.get_component_rich_style(f"table--{part}") for part in ("cursor", "hover", "header")
        )
        styles = base, under_cursor, under_mouse, header
        if styles != (self._base, self._under_cursor, self._under_mouse, self._header_style):
            self._base, self._under_cursor, self._under_mouse, self._header_style = styles
            self._cell_styles.clear()
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y == 0:
            text = "".join(place.written(self._label(place)) for place in self._places)
            return Strip([Segment(text, self._header_style)]).adjust_cell_length(width, self._header_style)
        number = self._row_at(y)
        if number >= len(self._rows):
            return Strip.blank(width, self._base)
        cells, style = self._rows[number].cells, self._style
        is_current, is_under_mouse = number == self._cursor, number == self._hover
        segments = [
            Segment(place.written(cells[place.at].text), style(cells[place.at].style, is_current, is_under_mouse))
            for place in self._places
        ]
        strip = Strip(segments, self._places[-1].end if self._places else 0)
        return strip.adjust_cell_length(width, style("", is_current, is_under_mouse))

    def _style(self, text: str, is_current: bool, is_under_mouse: bool) -> Style:
        key = text, is_current, is_under_mouse
        found = self._cell_styles.get(key)
        if found is None:
            found = self._base
            if is_under_mouse:
                found += self._under_mouse
            if is_current:
                found += self._under_cursor
            found += Style.parse(text)
            self._cell_styles[key] = found
        return found

    def _label(self, place: Place) -> str:
        label = place.column.label
        if self.sorted_by is not None and self.sorted_by[0] == place.column.key:
            label = (label + ("▾" if self.sorted_by[1] else "▴"))[-place.width :]
        return label
