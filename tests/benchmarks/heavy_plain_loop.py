"""The floor of the order-heavy workload: momentum over csv.reader with no engine. Prints ticks, orders, position, P&L.

python heavy_plain_loop.py FILE
"""

from __future__ import annotations

import csv
import sys
from math import fsum


def main(path: str) -> None:
    mids: list[float] = []
    position = cash = 0.0
    ticks = orders = 0
    with open(path) as file:
        rows = csv.reader(file)
        next(rows)
        for time_ns, _, bid_text, bid_quantity, ask_text, ask_quantity in rows:
            int(time_ns)
            bid, ask = float(bid_text), float(ask_text)
            float(bid_quantity)
            float(ask_quantity)
            ticks += 1
            mids.append((bid + ask) / 2)
            if len(mids) > 20:
                del mids[0]
            if len(mids) < 20:
                continue
            short, long = fsum(mids[-5:]) / 5, fsum(mids) / 20
            if short > long and position <= 0:
                position += 1
                cash -= ask
                orders += 1
            elif short < long and position >= 0:
                position -= 1
                cash += bid
                orders += 1
    print(ticks, orders, position, cash + position * mids[-1])


if __name__ == "__main__":
    main(sys.argv[1])
