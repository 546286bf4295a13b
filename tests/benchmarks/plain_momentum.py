"""The yardstick: the momentum strategy over ``csv.reader`` in one plain loop, with no engine at all.

It reads, parses and trades what ``sengine replay`` does with its default configuration (crossover of means of 5 and 20
mids, size 1 at the touch, average-cost P&L), and nothing more: no validation, vote, risk, statistics or report.
"""

from __future__ import annotations

import csv
import sys
from math import fsum


def main(path: str) -> None:
    mids: list[float] = []
    position = average = realized = 0.0
    ticks = orders = 0
    with open(path, newline="") as file:
        rows = csv.reader(file)
        next(rows)
        for timestamp, _symbol, bid_price, bid_qty, ask_price, ask_qty in rows:
            _time_ns, _bid_qty, _ask_qty = int(timestamp), float(bid_qty), float(ask_qty)
            bid, ask = float(bid_price), float(ask_price)
            ticks += 1
            mids.append((bid + ask) / 2)
            if len(mids) < 20:
                continue
            if len(mids) > 20:
                del mids[0]
            short_mean, long_mean = fsum(mids[-5:]) / 5, fsum(mids) / 20
            if short_mean > long_mean and position <= 0:
                quantity, price = 1.0, ask
            elif short_mean < long_mean and position >= 0:
                quantity, price = -1.0, bid
            else:
                continue
            orders += 1
            if position:
                realized += (price - average) * position
                average = 0.0
            else:
                average = price
            position += quantity
    print(f"{ticks} ticks, {orders} orders, position {position}, realized {realized}")


if __name__ == "__main__":
    main(sys.argv[1])
