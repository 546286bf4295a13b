"""What ``/api/signals`` and ``/api/strategies`` answer with: the plan's keys first, then what else there is to say."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from sengine.adapters.control.views import StrategiesView
from sengine.clock import format_timestamp
from sengine.domain.signal import Disposition
from sengine.runtime.live_engine import SignalRecord

_GIVEN: Final = frozenset(("strategy_id", "symbol", "direction", "confidence"))


def signal_answer(record: SignalRecord) -> dict[str, Any]:
    """``timestamp`` is RFC 3339; ``filter_reason`` is empty where the signal was not filtered."""
    is_filtered = record.disposition == Disposition.FILTERED
    return {
        "timestamp": format_timestamp(record.timestamp_ns),
        "strategy_id": record.strategy_id,
        "symbol": record.symbol,
        "direction": record.direction,
        "confidence": record.confidence,
        "filtered": is_filtered,
        "filter_reason": record.reason if is_filtered else "",
        **{name: value for name, value in msgspec.structs.asdict(record).items() if name not in _GIVEN},
    }


def strategies_answer(view: StrategiesView) -> dict[str, Any]:
    """``last_signal_time`` is RFC 3339, and ``null`` before the first signal."""
    answer: dict[str, Any] = msgspec.to_builtins(view)
    for each, strategy in zip(view.strategies, answer["strategies"], strict=True):
        strategy["signal_count"] = each.signals
        strategy["last_signal_time"] = format_timestamp(each.last_signal_ns) if each.last_signal_ns else None
    return answer
