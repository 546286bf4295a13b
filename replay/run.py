"""``sengine replay`` behind the command line: configuration and files in, result and report files out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from os.path import exists, isfile, realpath
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from replay.dropped import NOT_A_FAULT, DropExamples, refusal_of
from replay.feed import Feed, open_feed
from replay.merge import MergedFeed, merge_feeds
from replay.price_trail import PriceTrail
from replay.recorders import (
    EQUITY_COLUMNS,
    FILL_COLUMNS,
    SIGNAL_COLUMNS,
    CsvWriter,
    OutputFile,
    write_equity,
    write_fills,
    write_signals,
)
from replay.report import report_json
from replay.result import RunResult
from replay.rows import RejectedRow
from replay.session import Observer, ReplaySession
from replay.strategy_log import LINES_PER_S, MOST_LINES, StrategyLog
from replay.trade_marks import TradeMarks
from sengine.adapters.containment.forks import forks_forbidden
from sengine.adapters.containment.strategy_output import StrategyOutput, called_by
from sengine.assembly import FailedStrategy, build_engine, build_venue, catalog, load_strategies, select_strategies
from sengine.config import Config
from sengine.config.redact import redacted
from sengine.config.schema import StrategyConfig
from sengine.domain.events import MarketEvent
from sengine.domain.market import DataKind
from sengine.engine.core import Engine
from sengine.engine.strategies.runtime import StrategyRuntime
from sengine.engine.strategies.spec import StrategySpec
from sengine.errors import ConfigError, DataError, SengineError
from sengine.plugins.catalog import Catalog


class ReplayOptions(msgspec.Struct, frozen=True):
    """What to run and what to leave behind; paths are ``None`` where nothing is to be written."""

    files: Sequence[Path]
    strategies: Sequence[str] = ()
    config_file: Path | None = None
    """Where the configuration came from, for what is said about it."""
    strict: bool = False
    json_file: Path | None = None
    signals_csv: Path | None = None
    fills_csv: Path | None = None
    equity_csv: Path | None = None
    html_file: Path | None = None
    log_file: Path | None = None
    """Where what strategies print and log goes."""


class OpenReplay:
    """Files, engine and accounts of a run that is about to begin."""

    def __init__(
        self,
        feed: Feed,
        session: ReplaySession,
        failed: Sequence[FailedStrategy],
        rejected_rows: Counter[str],
        examples: DropExamples,
        log: StrategyLog,
    ) -> None:
        self.feed = feed
        self.log = log
        self.session = session
        self.failed = tuple((one.strategy_id, one.reason) for one in failed)
        self._rejected_rows = rejected_rows
        self._examples = examples
        self._runtimes = tuple(session.engine.registry)  # it is empty after the run

    def _unused_files(self, result: RunResult) -> list[str]:
        """Of several files, those that gave nothing while others did."""
        unused = self.feed.without_events if isinstance(self.feed, MergedFeed) and result.ticks else ()
        return [f"{path}: none of its rows could be used" for path in unused]

    def whole(self, result: RunResult) -> RunResult:
        """The session's result with what only the run knows: bad rows, strategies without work."""
        engine = self.session.engine
        return msgspec.structs.replace(
            result,
            rejected=dict(sorted((Counter(result.rejected) + self._rejected_rows).items())),
            dropped=dict(self._examples.first),
            failed_strategies=self.failed,
            hints=(
                *result.hints,
                *self._unused_files(result),
                *(_never_called(runtime, engine) for runtime in self._runtimes if not runtime.ticks and result.ticks),
            ),
        )


def run_replay(
    config: Config,
    options: ReplayOptions,
    progress_console: Console | None = None,
    run: Callable[[OpenReplay], RunResult] | None = None,
) -> RunResult:
    """Run one replay to its end. A progress bar is drawn when ``progress_console`` is a terminal.

    ``run`` drives the session in another way than from start to end. Raises ``DataError`` for files that cannot be
    read or written (and, with ``strict``, at the first bad row), ``ConfigError`` for strategies and parameters that are
    no good, and ``SengineError`` when no strategy could be loaded or writing failed on the way.
    """
    plugins = catalog(config)
    strategies = select_strategies(config, options.strategies, plugins)
    if not any(strategy.enabled for strategy in strategies):
        raise ConfigError(["no strategy is enabled in the configuration; enable one, or name one with --strategy"])
    _check_outputs(options)
    capital = config.account.initial_capital
    rejected_rows: Counter[str] = Counter()
    examples = DropExamples()

    def on_bad_row(row: RejectedRow) -> None:
        if options.strict:
            raise DataError(str(row))
        rejected_rows[row.reason] += 1
        examples.row(row)

    with ExitStack() as stack:
        feeds = []
        for path in options.files:
            feeds.append(open_feed(path, on_bad_row))
            stack.callback(feeds[-1].close)
        feed = merge_feeds(feeds, config.market_data.max_jump_ns)
        engine = build_engine(config, build_venue(config))
        log = StrategyLog(_output(stack, options.log_file))
        stack.callback(log.close)
        stack.enter_context(
            StrategyOutput(
                called_by(engine.guard), lambda: engine.now_ns, log.append, per_second=LINES_PER_S, most=MOST_LINES
            )
        )
        stack.enter_context(forks_forbidden(engine.guard))
        remote = _lockstep(stack, plugins, log) if any(strategy.is_apart for strategy in strategies) else None
        failed = load_strategies(engine, strategies, plugins, str(options.config_file or ""), remote)
        if not any(True for _ in engine.registry):
            raise SengineError("\n".join(f"strategy {one.strategy_id}: {one.reason}" for one in failed))
        observers = [log.observe, *_observers(stack, options)]
        equity_csv = _csv(stack, options.equity_csv, EQUITY_COLUMNS)
        json_file, html_file = _output(stack, options.json_file), _output(stack, options.html_file)
        prices, marks = PriceTrail(), TradeMarks()
        places = _Places(feed, engine)
        session = ReplaySession(
            engine,
            observers=observers if html_file is None else [*observers, marks.observe],
            on_rejected=_on_rejected(places, examples, options.strict),
            on_held=places.keep,
            on_sample=prices.sample if html_file is not None else None,
        )
        replay = OpenReplay(feed, session, failed, rejected_rows, examples, log)
        if run is not None:
            result = replay.whole(run(replay))
        else:
            result = replay.whole(session.run(feed, stack.enter_context(_progress(feed, progress_console))))
        result = msgspec.structs.replace(
            result,
            configuration=redacted(msgspec.structs.replace(config, strategies=list(strategies))),
            versions={runtime.strategy_id: runtime.spec.version for runtime in engine.registry},
        )
        if equity_csv is not None:
            write_equity(equity_csv, result.curve, capital)
        if json_file is not None:
            json_file.write(report_json(result, capital))
        if html_file is not None:
            # Imported here: the charts' library takes longer to load than a small replay to run.
            from replay.html_report import html_report

            html_file.write(html_report(result, capital, [path.name for path in options.files], prices, marks))
    return msgspec.structs.replace(result, said=tuple(log.first), said_more=log.more)


def _never_called(runtime: StrategyRuntime, engine: Engine) -> str:
    """Why a strategy was not called once, and what to do about it."""
    markets = [market for symbol, market in engine.markets.items() if runtime.spec.wants(symbol)]
    if not markets:
        return f"{runtime.strategy_id} was never called: there was no market data of {', '.join(runtime.spec.symbols)}"
    had = [DataKind.BOOK] if any(market.has_book for market in markets) else []
    had += [DataKind.TRADE] if any(market.recent_trades for market in markets) else []
    had += [DataKind.BAR] if any(market.bar is not None and not market.recent_trades for market in markets) else []
    fix = f"--set 'strategies.{runtime.strategy_id}.data=[{', '.join(had)}]'"
    return (
        f"{runtime.strategy_id} was never called: it is called for {' and '.join(runtime.spec.kinds)} events, and its "
        f"symbols had only {' and '.join(had)} events; try {fix}"
    )


def _check_outputs(options: ReplayOptions) -> None:
    """Raises ``DataError`` where writing one file would destroy another. Devices and pipes may be given twice."""
    inputs = {realpath(path) for path in options.files}
    written_by: dict[str, str] = {}
    for option, path in (
        ("--json", options.json_file),
        ("--signals", options.signals_csv),
        ("--fills", options.fills_csv),
        ("--equity", options.equity_csv),
        ("--report", options.html_file),
        ("--log", options.log_file),
    ):
        if path is None or (exists(path) and not isfile(path)):
            continue
        place = realpath(path)
        if place in inputs:
            raise DataError(f"{option} {path}: this run reads that file; name another")
        if place in written_by:
            raise DataError(f"{option} {path}: {written_by[place]} writes that file; name another")
        written_by[place] = option


def _lockstep(stack: ExitStack, plugins: Catalog, log: StrategyLog) -> Callable[[StrategyConfig], StrategySpec]:
    """What starts strategies in processes of their own, until ``stack`` is closed."""
    # gRPC takes longer to load than all the rest.
    from sengine.adapters.remote.lockstep import LockstepHosts

    return stack.enter_context(LockstepHosts(plugins.find, on_line=log.append)).spec


def _observers(stack: ExitStack, options: ReplayOptions) -> Sequence[Observer]:
    observers: list[Observer] = []
    signals_csv = _csv(stack, options.signals_csv, SIGNAL_COLUMNS)
    if signals_csv is not None:
        observers.append(lambda outcome: write_signals(signals_csv, outcome))
    fills_csv = _csv(stack, options.fills_csv, FILL_COLUMNS)
    if fills_csv is not None:
        observers.append(lambda outcome: write_fills(fills_csv, outcome))
    return observers


def _output(stack: ExitStack, path: Path | None) -> OutputFile | None:
    return stack.enter_context(OutputFile(path)) if path is not None else None


def _csv(stack: ExitStack, path: Path | None, columns: Sequence[str]) -> CsvWriter | None:
    return CsvWriter(stack.enter_context(OutputFile(path)), columns) if path is not None else None


class _Places:
    """Where the events that wait for others to confirm their time stand: the file is read on meanwhile."""

    def __init__(self, feed: Feed, engine: Engine) -> None:
        self._feed = feed
        self._engine = engine
        self._of: dict[str, list[tuple[MarketEvent, str]]] = {}

    def keep(self, event: MarketEvent) -> None:
        if self._engine.jumps.is_holding(event.symbol) <= 1:
            self._of[event.symbol] = []
        self._of.setdefault(event.symbol, []).append((event, self._feed.position()))

    def of(self, event: MarketEvent) -> str:
        """Of an event that waited, or came last."""
        kept = (place for each, place in self._of.get(event.symbol, ()) if each is event)
        return next(kept, None) or self._feed.position()


def _on_rejected(places: _Places, examples: DropExamples, is_strict: bool) -> Callable[[str, MarketEvent], None]:
    """Notes what the engine refuses; with ``--strict`` the first fault ends the run."""

    def refuse(reason: str, event: MarketEvent) -> None:
        if is_strict and reason != NOT_A_FAULT:
            raise DataError(f"{places.of(event)}: {refusal_of(reason, event)}")
        if reason not in examples.first:
            examples.event(reason, event, places.of(event))

    return refuse


@contextmanager
def _progress(feed: Feed, console: Console | None) -> Iterator[Callable[[int], None]]:
    """A bar of how much of the files is read, on a terminal; in a pipe, nothing."""
    if console is None or not console.is_terminal:
        yield lambda ticks: None
        return
    columns = (BarColumn(), TextColumn("{task.percentage:>3.0f}%  {task.fields[ticks]:,} ticks"), TimeRemainingColumn())
    # What strategies print is gathered already, and nothing else prints meanwhile.
    bar = Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
    with bar as progress:
        task = progress.add_task("replay", total=None if feed.fraction_done() is None else 1.0, ticks=0)

        def update(ticks: int) -> None:
            done = feed.fraction_done()
            progress.update(task, completed=done or 0.0, total=None if done is None else 1.0, ticks=ticks)

        yield update
