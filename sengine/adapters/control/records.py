"""Signals, fills, log lines and reloads, as they happened, as the control API's messages."""

from __future__ import annotations

from sengine.adapters.control.text import bounded_text, json_text
from sengine.domain.reload import ReloadReport
from sengine.proto import engine_pb2 as pb
from sengine.runtime.live_engine import FillRecord, LogRecord, SignalRecord


def signal_message(record: SignalRecord) -> pb.Signal:
    return pb.Signal(
        timestamp_ns=record.timestamp_ns,
        strategy_id=record.strategy_id,
        symbol=record.symbol,
        direction=record.direction,
        confidence=record.confidence,
        size=record.size,
        disposition=record.disposition,
        check=record.check,
        reason=bounded_text(record.reason),
        version=record.version,
    )


def fill_message(record: FillRecord) -> pb.StrategyFill:
    share = record.share
    return pb.StrategyFill(
        timestamp_ns=share.timestamp_ns,
        order_id=share.order_id,
        symbol=share.symbol,
        side=share.side,
        price=share.price,
        quantity=share.quantity,
        commission=share.commission,
        realized_pnl=record.realized,
    )


def log_message(record: LogRecord) -> pb.LogLine:
    return pb.LogLine(
        time_ns=record.time_ns,
        level=record.level,
        event=bounded_text(record.event),
        fields_json=json_text(record.fields),
    )


def reload_message(report: ReloadReport, *, with_steps: bool = True) -> pb.ReloadReport:
    compared = report.compared
    return pb.ReloadReport(
        strategy_id=report.strategy_id,
        what=report.what,
        trigger=report.trigger,
        time_ns=report.time_ns,
        is_done=report.is_done,
        old_version=report.old_version,
        new_version=report.new_version,
        message=bounded_text(report.message),
        reason=bounded_text(report.reason),
        where=bounded_text(report.where),
        steps=[
            pb.ReloadStep(name=step.name, is_done=step.is_done, took_ms=step.took_ms, note=bounded_text(step.note))
            for step in (report.steps if with_steps else ())
        ],
        compared=None
        if compared is None
        else pb.SignalComparison(
            ticks=compared.ticks,
            same=compared.same,
            differ=compared.differ,
            first_difference=bounded_text(compared.first_difference),
        ),
        on_tick_p50_us=report.on_tick_p50_us,
        on_tick_p99_us=report.on_tick_p99_us,
        swap_pause_us=report.swap_pause_us,
        longest_stall_us=report.longest_stall_us,
        took_ms=report.took_ms,
    )
