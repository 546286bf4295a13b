"""How fast the machine is that measured the other rows: absolute times of two tables compare by these."""

from __future__ import annotations

from collections.abc import Callable
from timeit import repeat

# By hand as slow as the interpreter alone makes it: neither memory nor the system have a part in it.
ADDITIONS = 1_000_000
LOOP = f"""
total = 0
for number in range({ADDITIONS}):
    total += number
"""


def test_a_plain_loop(figure: Callable[..., None]) -> None:
    took_s = min(repeat(LOOP, number=1, repeat=20))
    figure("this machine: a Python loop of 1,000,000 additions", took_s * 1000, "ms", note="fastest of 20")
