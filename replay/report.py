"""A run's result as JSON: the machine's form of it."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from replay.result import RunResult
from sengine.clock import format_timestamp
from sengine.domain.signal import Disposition


def report_of(result: RunResult, initial_capital: float) -> dict[str, Any]:
    """The result as plain values. Money is in quote currency, latencies are microseconds, ``None`` is not defined."""
    signals: dict[str, Any] = {"total": result.signals_total}
    for disposition in Disposition:
        signals[disposition.value] = result.dispositions.get(disposition, 0)
    signals["filtered_by"] = result.filtered_by
    metrics = msgspec.structs.asdict(result.performance) | {"initial_capital": initial_capital}
    return {
        "ticks": result.ticks,
        "rejected": result.rejected,
        "dropped": {reason: msgspec.structs.asdict(row) for reason, row in result.dropped.items()},
        "gaps": result.gaps,
        "signals": signals,
        "orders": result.orders,
        "fills": result.fills,
        "positions": [
            {
                "strategy_id": position.strategy_id,
                "symbol": position.symbol,
                "quantity": position.quantity,
                "average_price": position.average_price,
                "realized_pnl": position.realized_pnl,
                "unrealized_pnl": position.unrealized_pnl,
                "commission": position.commission,
            }
            for position in result.positions
        ],
        "metrics": metrics,
        "means_little": dict(result.means_little),
        "totals": [{**msgspec.structs.asdict(each), "currency": each.name} for each in result.totals],
        "not_added_up": result.not_added_up,
        "latency_us": {"on_tick": result.on_tick_us, "tick": result.tick_us},
        "ticks_per_second": result.ticks_per_second,
        "elapsed_s": result.elapsed_s,
        "from": format_timestamp(result.first_ns) if result.ticks else None,
        "to": format_timestamp(result.last_ns) if result.ticks else None,
        "strategy_errors": result.fault_counts,
        "faults": [
            {
                "strategy_id": fault.strategy_id,
                "timestamp": format_timestamp(fault.timestamp_ns),
                "kind": fault.kind,
                "where": fault.where,
                "message": fault.message,
            }
            for fault in result.faults
        ],
        "pauses": list(result.pauses),
        "failed_strategies": [{"strategy_id": name, "reason": reason} for name, reason in result.failed_strategies],
        "hints": list(result.hints),
        "configuration": dict(result.configuration),
        "versions": dict(result.versions),
        "digest": result.digest,
    }


def report_json(result: RunResult, initial_capital: float) -> str:
    """The report as indented JSON text with a newline at its end; what is not a finite number is ``null``."""
    report = report_of(result, initial_capital)
    return orjson.dumps(_unicode(report), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def _unicode(value: Any) -> Any:
    """The same without lone surrogates, which paths and a strategy's messages can hold and JSON cannot."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_unicode(key): _unicode(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_unicode(each) for each in value]
    return value
