"""The files that a run leaves behind: signals, fills and equity as CSV, row by row as they happen."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from replay.equity import EquityCurve
from sengine.clock import format_timestamp
from sengine.engine.outcome import Outcome
from sengine.errors import DataError, SengineError

SIGNAL_COLUMNS = (
    "timestamp", "strategy_id", "symbol", "direction", "confidence", "size", "limit_price",
    "disposition", "check", "code", "reason",
)  # fmt: skip
FILL_COLUMNS = (
    "timestamp", "fill_id", "order_id", "strategy_id", "symbol", "side", "price", "quantity",
    "commission", "realized_pnl",
)  # fmt: skip
EQUITY_COLUMNS = ("timestamp", "equity", "pnl", "gross_notional")


class OutputFile:
    """A text file opened before the run, so that a path that cannot be written is known at once.

    Opening raises ``DataError``; writing and closing raise ``SengineError``, as when the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = path.open("w", newline="", encoding="utf-8", errors="backslashreplace")
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: cannot be written: {reason_of(error)}") from None

    def write(self, text: str) -> None:
        try:
            self._file.write(text)
        except OSError as error:
            raise self._failed(error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        except OSError as failure:
            # What ended the run already tells more than a file that is now incomplete.
            if error is None:
                raise self._failed(failure) from None

    def _failed(self, error: OSError) -> SengineError:
        return SengineError(f"{self.path}: writing failed: {reason_of(error)}; the file is incomplete")


class CsvWriter:
    """Rows of an output file, ``None`` as an empty cell. Raises what ``OutputFile.write`` raises."""

    def __init__(self, file: OutputFile, columns: Iterable[str]) -> None:
        self._writer = csv.writer(file, lineterminator="\n")
        self.row(columns)

    def row(self, values: Iterable[Any]) -> None:
        self._writer.writerow(["" if value is None else value for value in values])


def reason_of(error: OSError | ValueError) -> str:
    """Why the operating system refused, in its own words."""
    return getattr(error, "strerror", None) or str(error)


def write_signals(writer: CsvWriter, outcome: Outcome) -> None:
    """One row for each signal of an event, with how it ended."""
    for result in outcome.signals:
        signal = result.signal
        writer.row(
            (
                format_timestamp(signal.timestamp_ns), signal.strategy_id, signal.symbol, signal.direction,
                signal.confidence, signal.size, signal.limit_price,
                result.disposition, result.check, result.code, result.reason,
            )
        )  # fmt: skip


def write_fills(writer: CsvWriter, outcome: Outcome) -> None:
    """One row for each strategy's share of each fill of an event."""
    for share, gross in outcome.shares:
        writer.row(
            (
                format_timestamp(share.timestamp_ns), share.fill_id, share.order_id, share.strategy_id, share.symbol,
                share.side, share.price, share.quantity, share.commission, gross,
            )
        )  # fmt: skip


def write_equity(writer: CsvWriter, curve: EquityCurve, initial_capital: float) -> None:
    """One row for each sample of the curve."""
    for time_ns, pnl, gross in zip(curve.times_ns(), curve.pnl, curve.gross_notional, strict=True):
        writer.row((format_timestamp(time_ns), initial_capital + pnl, pnl, gross))
