"""The order-heavy market that engines are compared by: a random walk on which the mid moves on nearly every quote.

    python heavy_market.py FILE QUOTES

A step is -3 to +3 ticks, six in eight of them not zero; the spread is 1 to 3 ticks; quotes are a second apart; seed 7.
"""

from __future__ import annotations

import random
import sys

STEPS = (-3, -2, -1, 0, 0, 1, 2, 3)
SPREADS = (1, 2, 3)


def write(path: str, quotes: int) -> None:
    draw = random.Random(7)
    price = 500_000
    with open(path, "w") as file:
        file.write("timestamp,symbol,bid_price,bid_qty,ask_price,ask_qty\n")
        for number in range(quotes):
            price += draw.choice(STEPS)
            spread = draw.choice(SPREADS)
            time_ns = 1_704_067_200_000_000_000 + number * 10**9
            bid, ask = price / 10, (price + spread) / 10
            file.write(f"{time_ns},BTCUSDT,{bid},{draw.randint(1, 30)},{ask},{draw.randint(1, 30)}\n")


if __name__ == "__main__":
    write(sys.argv[1], int(sys.argv[2]))
