"""Two reports of `sengine replay --json` side by side."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import Any

import msgspec
import orjson

from replay.summary import little_words
from sengine.errors import DataError


class Difference(msgspec.Struct, frozen=True):
    """One figure of two runs. ``change`` is B minus A; ``None`` is not defined."""

    name: str
    a: float | None
    b: float | None
    change: float | None


class Setting(msgspec.Struct, frozen=True):
    """A configuration key, or the version of a strategy's code, that two runs do not share; ``None`` is not there."""

    name: str
    a: Any
    b: Any


class Comparison(msgspec.Struct, frozen=True):
    """``same_digest``: both runs made the same orders and fills."""

    same_digest: bool
    figures: list[Difference]
    positions: list[Difference]
    """P&L of each strategy and symbol, of those that either run has."""
    settings: list[Setting] = []
    """What was set differently."""
    totals: list[Difference] = []
    """P&L of each currency, where either run has several."""
    means_little: list[str] = []
    """Figures of either run that say little, and why."""
    not_added_up: list[str] = []
    """Why figures are n/a, of each run that has amounts of several currencies."""


def read_report(path: Path) -> dict[str, Any]:
    """A report as `sengine replay --json` wrote it. Raises ``DataError``."""
    try:
        report = orjson.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    except orjson.JSONDecodeError as error:
        raise DataError(f"{path}: expected a report of `sengine replay --json`, got no JSON: {error}") from None
    if not isinstance(report, dict) or not {"digest", "metrics", "positions", "signals"} <= report.keys():
        raise DataError(f"{path}: expected a report of `sengine replay --json`, got other JSON")
    return report


def compare_reports(a: dict[str, Any], b: dict[str, Any]) -> Comparison:
    """What differs between two runs, figure by figure."""
    before, after = _figures(a), _figures(b)
    profits_a, profits_b = _profits(a), _profits(b)
    return Comparison(
        a["digest"] == b["digest"],
        [_difference(name, before.get(name), after.get(name)) for name in before | after],
        [
            _difference(name, profits_a.get(name, 0.0), profits_b.get(name, 0.0))
            for name in sorted(profits_a | profits_b)
        ],
        [Setting(name, was, now) for name, was, now in _differing(_settings(a), _settings(b))],
        _by_currency(a, b),
        list(dict.fromkeys(line for each in (a, b) for line in little_words(each.get("means_little", {})))),
        list(dict.fromkeys(reason for each in (a, b) if (reason := each.get("not_added_up")))),
    )


def _settings(report: dict[str, Any]) -> dict[str, Any]:
    """Configuration keys with dots, items of lists by their id; reports of before 0.1 have none."""
    versions = {f"code of {name}": version for name, version in report.get("versions", {}).items()}
    return dict(_flat("", report.get("configuration", {}))) | versions


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _flat(f"{name}.{key}" if name else str(key), each)
    elif isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        for number, each in enumerate(value):
            yield from _flat(f"{name}[{each.get('id') or each.get('type') or number}]", each)
    else:
        yield name, value


def _differing(a: dict[str, Any], b: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name in a | b:
        if a.get(name) != b.get(name):
            yield name, a.get(name), b.get(name)


def _figures(report: dict[str, Any]) -> dict[str, Any]:
    counts = {"ticks": report.get("ticks"), "orders": report.get("orders"), "fills": report.get("fills")}
    signals = {f"signals {name}".replace("_", " "): count for name, count in report["signals"].items()}
    metrics = {name.replace("_", " "): value for name, value in report["metrics"].items()}
    return metrics | counts | signals


def _profits(report: dict[str, Any]) -> dict[str, float]:
    return {
        f"{position['strategy_id']} {position['symbol']}": position["realized_pnl"] + position["unrealized_pnl"]
        for position in report["positions"]
    }


def _by_currency(a: dict[str, Any], b: dict[str, Any]) -> list[Difference]:
    if not (a.get("not_added_up") or b.get("not_added_up")):
        return []
    was, now = (
        {each["currency"]: each["realized_pnl"] + each["unrealized_pnl"] for each in report.get("totals", ())}
        for report in (a, b)
    )
    return [_difference(name, was.get(name), now.get(name)) for name in sorted(was | now)]


def _difference(name: str, a: Any, b: Any) -> Difference:
    a, b = _number(a), _number(b)
    return Difference(name, a, b, b - a if a is not None and b is not None else None)


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    return float(value) if is_number else None
