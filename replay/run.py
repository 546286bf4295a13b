"""``sengine replay`` behind the command line: configuration and files in, result and report files out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from replay.feed import Feed, open_feed
from replay.merge import merge_feeds
from replay.recorders import (
    EQUITY_COLUMNS,
    FILL_COLUMNS,
    SIGNAL_COLUMNS,
    CsvWriter,
    write_equity,
    write_fills,
    write_signals,
)
from replay.rows import RejectedRow
from replay.session import Observer, ReplaySession, RunResult
from sengine.assembly import build_engine, build_venue, catalog, load_strategies, select_strategies
from sengine.config import Config
from sengine.errors import DataError, SengineError

# Rows that nobody trades are no fault of the file, so --strict lets them be.
_NOT_A_FAULT = "no_strategy_wants_symbol"


class ReplayOptions(msgspec.Struct, frozen=True):
    """What to run and what to leave behind; paths are ``None`` where nothing is to be written."""

    files: Sequence[Path]
    strategies: Sequence[str] = ()
    strict: bool = False
    signals_csv: Path | None = None
    fills_csv: Path | None = None
    equity_csv: Path | None = None


def run_replay(config: Config, options: ReplayOptions, progress_console: Console | None = None) -> RunResult:
    """Run one replay to its end.

    Raises ``DataError`` for unusable files (and, with ``strict``, at the first bad row) and ``SengineError`` when no
    strategy could be loaded. A progress bar is drawn when ``progress_console`` is a terminal.
    """
    plugins = catalog(config)
    strategies = select_strategies(config, options.strategies, plugins)
    rejected_rows: Counter[str] = Counter()

    def on_bad_row(row: RejectedRow) -> None:
        if options.strict:
            raise DataError(str(row))
        rejected_rows[row.reason] += 1

    with ExitStack() as stack:
        feeds = []
        for path in options.files:
            feeds.append(open_feed(path, on_bad_row))
            stack.callback(feeds[-1].close)
        feed = merge_feeds(feeds)
        engine = build_engine(config, build_venue(config))
        failed = load_strategies(engine, strategies, plugins)
        if not any(True for _ in engine.roster):
            reasons = "\n".join(f"strategy {one.strategy_id}: {one.reason}" for one in failed)
            raise SengineError(reasons or "no strategy is enabled in the configuration; name one with --strategy")
        session = ReplaySession(
            engine,
            observers=_observers(stack, options),
            on_chunk=stack.enter_context(_progress(feed, progress_console)),
            on_rejected=_strict_check(feed) if options.strict else None,
        )
        equity_csv = _opened(stack, options.equity_csv, EQUITY_COLUMNS)
        result = session.run(feed)
        if equity_csv is not None:
            write_equity(equity_csv, result.curve, config.account.initial_capital)
    return msgspec.structs.replace(
        result,
        rejected=dict(sorted((Counter(result.rejected) + rejected_rows).items())),
        failed_strategies=tuple((one.strategy_id, one.reason) for one in failed),
    )


def _observers(stack: ExitStack, options: ReplayOptions) -> Sequence[Observer]:
    observers: list[Observer] = []
    signals_csv = _opened(stack, options.signals_csv, SIGNAL_COLUMNS)
    if signals_csv is not None:
        observers.append(lambda outcome: write_signals(signals_csv, outcome))
    fills_csv = _opened(stack, options.fills_csv, FILL_COLUMNS)
    if fills_csv is not None:
        observers.append(lambda outcome: write_fills(fills_csv, outcome))
    return observers


def _opened(stack: ExitStack, path: Path | None, columns: Sequence[str]) -> CsvWriter | None:
    return stack.enter_context(CsvWriter(path, columns)) if path is not None else None


def _strict_check(feed: Feed) -> Callable[[str], None]:
    def refuse(reason: str) -> None:
        if reason != _NOT_A_FAULT:
            raise DataError(f"{feed.position()}: {reason.replace('_', ' ')}")

    return refuse


@contextmanager
def _progress(feed: Feed, console: Console | None) -> Iterator[Callable[[int], None]]:
    """A bar of how much of the files is read, on a terminal; in a pipe, nothing."""
    if console is None or not console.is_terminal:
        yield lambda ticks: None
        return
    columns = (BarColumn(), TextColumn("{task.percentage:>3.0f}%  {task.fields[ticks]:,} ticks"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("replay", total=None, ticks=0)

        def update(ticks: int) -> None:
            done = feed.fraction_done()
            progress.update(task, completed=done or 0.0, total=None if done is None else 1.0, ticks=ticks)

        yield update
