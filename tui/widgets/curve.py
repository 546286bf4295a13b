"""A line drawn in braille dots: two columns and four rows of dots in each cell."""

from __future__ import annotations

from collections.abc import Sequence

_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))


def draw_curve(values: Sequence[float], width: int, height: int, low: float, high: float) -> list[str]:
    """``height`` lines of ``width`` cells, top first. The newest value is at the right edge; values fill the width."""
    columns, rows = width * 2, height * 4
    cells = [[0] * width for _ in range(height)]
    span = high - low or 1.0
    before: int | None = None
    for x, value in enumerate(stretch(values, columns)):
        y = min(rows - 1, max(0, round((high - value) / span * (rows - 1))))
        first, last = (y, y) if before is None else (min(before, y), max(before, y))
        for dot in range(first, last + 1):
            cells[dot // 4][x // 2] |= _DOTS[x % 2][dot % 4]
        before = y
    return ["".join(chr(0x2800 + cell) for cell in line) for line in cells]


def stretch(values: Sequence[float], count: int) -> list[float]:
    """``count`` values, evenly taken from ``values``."""
    if not values:
        return []
    last = len(values) - 1
    return [values[round(n * last / max(1, count - 1))] for n in range(count)]
