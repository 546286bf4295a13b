"""Put the figures of the last benchmark runs into docs/benchmarks.md, between its two markers."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- figures begin -->", "<!-- figures end -->"


def table() -> str:
    figures = json.loads((ROOT / ".benchmarks" / "figures.json").read_text())
    rows = ["| figure | measured | target | command |", "|---|---|---|---|"]
    for row in sorted(figures.values(), key=lambda row: row["file"]):
        name = f"{row['name']} ({row['note']})" if row["note"] else row["name"]
        command = f"`make bench ONLY={row['file']}`"
        rows.append(f"| {name} | {row['value']:.4g} {row['unit']} | {row['target']} | {command} |")
    machine = f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} processors, {_processor()}."
    return f"{machine}\n\n" + "\n".join(rows)


def _processor() -> str:
    try:
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1] if found else platform.processor() or "processor unknown"


def main() -> None:
    page = PAGE.read_text("utf-8")
    if BEGIN not in page or END not in page:
        sys.exit(f"{PAGE}: expected the lines {BEGIN} and {END}")
    before, rest = page.split(BEGIN, 1)
    PAGE.write_text(f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END, 1)[1]}", "utf-8")


if __name__ == "__main__":
    main()
