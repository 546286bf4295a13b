"""``sengine publish`` and the demo's market: events onto NATS, at their own pace or another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

if TYPE_CHECKING:
    from nats.aio.client import Client

    from replay.rows import RejectedRow
    from sengine.domain.events import MarketEvent

_ALONE = "nats://127.0.0.1:4222"
UrlOption = Annotated[str, typer.Option(help="NATS server; without it, the broker of the engine that runs.")]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="The engine's configuration, which says where its broker is.")
]


def publish(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="CSV (plain, .gz, .zst) or Parquet.")],
    url: UrlOption = "",
    speed: Annotated[str, typer.Option(help="1x is the pace of the file, 10x ten times that; max is at once.")] = "1x",
    config: ConfigOption = None,
    die_with_parent: Annotated[bool, typer.Option("--die-with-parent", hidden=True)] = False,
) -> None:
    """Publish files of market data on NATS, for a live engine to trade on.

    Without --url they go where the engine gets its own: to `nats.url`, with its
    login, or to the embedded broker of your running engine or demo; where there
    is none, to nats://127.0.0.1:4222 (`sengine broker`).

    Several files are merged by time. Each symbol is numbered, so that a
    subscriber sees what it missed.

    Examples:

        sengine publish quotes.csv.gz
        sengine publish quotes.csv trades.csv --speed 10x --url nats://127.0.0.1:4222
    """
    import sys
    from collections import Counter

    import uvloop

    from replay.dropped import DropExamples, much_dropped, nothing_left
    from replay.feed import open_feed
    from replay.merge import merge_feeds
    from sengine.adapters.nats.options import without_login
    from sengine.adapters.transport.processes import watch_parent
    from sengine.errors import DataError

    pace = pace_of(speed)
    rejected: Counter[str] = Counter()
    examples = DropExamples()

    def on_reject(row: RejectedRow) -> None:
        rejected[row.reason] += 1
        examples.row(row)
        if rejected.total() <= 5:
            typer.echo(f"sengine: {row}", err=True)

    broker = _broker(url, config)
    feeds = [open_feed(file, on_reject) for file in files]
    if die_with_parent:
        watch_parent()
    if sys.stderr.isatty():
        typer.echo(f"sengine: publishing to {without_login(broker.url)}; Ctrl-C ends it", err=True)
    try:
        published = uvloop.run(_publish(merge_feeds(feeds), broker, pace))
    finally:
        for feed in feeds:
            feed.close()
    if not published:
        raise DataError(nothing_left(rejected, examples.first))
    bad = f"; {rejected.total()} bad rows left out" if rejected else ""
    typer.echo(f"published {published} events to {without_login(broker.url)}{bad}")
    for line in much_dropped(published, rejected, examples.first).splitlines():
        typer.echo(f"sengine: {line}", err=True)


def simulate(
    url: UrlOption = "",
    rate: Annotated[float, typer.Option(min=0.1, max=1_000_000, help="Ticks per second.")] = 100.0,
    symbols: Annotated[str, typer.Option(help="Comma-separated symbols.")] = "BTCUSDT,ETHUSDT",
    seed: Annotated[int, typer.Option(help="The same seed gives the same prices.")] = 1,
    seconds: Annotated[float | None, typer.Option(min=0.0, help="Stop after this long; without it, never.")] = None,
    config: ConfigOption = None,
    die_with_parent: Annotated[bool, typer.Option("--die-with-parent", hidden=True)] = False,
) -> None:
    """Publish a generated market at a steady rate, stamped with the time at which it is sent."""
    import uvloop

    from replay.synthetic import generate_quotes
    from sengine.adapters.nats.options import without_login
    from sengine.adapters.transport.processes import watch_parent

    names = [symbol.strip() for symbol in symbols.split(",")]
    quotes = generate_quotes(None, names, seed)
    broker = _broker(url, config)
    if die_with_parent:
        watch_parent()
    published = uvloop.run(_simulate(quotes, broker, rate, seconds))
    typer.echo(f"published {published} quotes of {', '.join(names)} to {without_login(broker.url)}")


class _Broker(NamedTuple):
    """Where to publish, and what ``nats.connect`` must know to log in; the address may have a login in it, too."""

    url: str
    options: dict[str, Any]


def _broker(url: str, config: Path | None) -> _Broker:
    """The given one, or that of the engine. Raises ``ConfigError``."""
    from sengine.adapters.nats.broker import running_broker_url
    from sengine.adapters.nats.options import connect_options
    from sengine.cli.finding import running_config

    if "@" in url:
        return _Broker(url, {})
    settings = running_config(config)
    if url or settings.nats.url != "embedded":
        return _Broker(url or settings.nats.url, connect_options(settings.nats))
    embedded = running_broker_url(Path(settings.service.data_directory).expanduser() / "nats")
    return _Broker(embedded, {}) if embedded else _Broker(_ALONE, connect_options(settings.nats))


async def _publish(events: Iterable[MarketEvent], broker: _Broker, pace: float) -> int:
    """Publish events at ``pace`` times their own speed; 0.0 is as fast as it goes."""
    import asyncio
    from time import monotonic_ns

    from sengine.adapters.nats.publisher import Publisher
    from sengine.clock import NS_PER_S

    async with _connected(broker) as connection:
        publisher = Publisher(connection)
        progress = _Progress()
        began_ns = monotonic_ns()
        first_ns: int | None = None
        for event in events:
            if pace:
                if first_ns is None:
                    first_ns = event.timestamp_ns
                due_ns = began_ns + int((event.timestamp_ns - first_ns) / pace)
                while (ahead_ns := due_ns - monotonic_ns()) > 0:
                    progress.show(publisher.published)
                    await asyncio.sleep(min(ahead_ns / NS_PER_S, 0.5))
            await publisher.publish(event)
            if not publisher.published % 1000:
                # Let the connection send, and wait for it where it is behind.
                await publisher.flush()
                progress.show(publisher.published)
        await publisher.flush()
        progress.clear()
        return publisher.published


async def _simulate(quotes: Iterator[MarketEvent], broker: _Broker, rate: float, seconds: float | None) -> int:
    """Publish as many quotes as the time that has passed asks for, every ten milliseconds or, if slower, one by one."""
    import asyncio
    import signal
    from itertools import islice
    from time import monotonic, time_ns

    import msgspec

    from sengine.adapters.nats.publisher import Publisher

    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    async with _connected(broker) as connection:
        publisher = Publisher(connection)
        began, skipped = monotonic(), 0
        while not asked.is_set() and (seconds is None or monotonic() - began < seconds):
            due = int((monotonic() - began) * rate) - skipped - publisher.published
            if due > rate and connection.is_connected:  # we were held up: go on from here, do not catch up in one burst
                skipped += due
                due = 0
            if connection.is_connected:
                for quote in islice(quotes, due):
                    await publisher.publish(msgspec.structs.replace(quote, timestamp_ns=time_ns()))
            else:  # what is not sent now is old when it can be
                skipped += due
            await asyncio.sleep(max(0.01, min(0.1, 1 / rate)))
        if connection.is_connected:
            await publisher.flush()
        return publisher.published


@asynccontextmanager
async def _connected(broker: _Broker) -> AsyncIterator[Client]:
    """A connection that survives the server's restart; the first one must succeed within seconds."""
    import nats
    import nats.errors

    from sengine.adapters.nats.options import is_refusal, server_urls, without_login
    from sengine.errors import EngineError

    was_refused = False

    async def on_error(error: Exception) -> None:
        """nats-py reports what it then repairs; what it cannot repair is raised where it matters, without its cause."""
        nonlocal was_refused
        was_refused = was_refused or is_refusal(error)

    shown = without_login(broker.url)
    try:
        connection = await nats.connect(
            server_urls(broker.url),
            name="sengine-publish",
            error_cb=on_error,
            connect_timeout=3,
            reconnect_time_wait=1,
            max_reconnect_attempts=3,
            **broker.options,
        )
    except (OSError, TimeoutError, nats.errors.Error) as error:
        if was_refused:
            raise EngineError(
                f"the NATS server at {shown} refuses the login; give the engine's configuration with -c, or the "
                "variables SENGINE_NATS_USER and SENGINE_NATS_PASSWORD"
            ) from None
        raise EngineError(
            f"no NATS server answers at {shown}: {error or type(error).__name__}; start one with sengine broker, "
            "or give --url"
        ) from None
    connection.options["max_reconnect_attempts"] = -1
    try:
        yield connection
    except nats.errors.Error as error:
        raise EngineError(f"publishing to {shown} failed: {error}; is the server still up?") from None
    finally:
        await connection.close()


class _Progress:
    """One line on a terminal, rewritten twice a second; nothing elsewhere."""

    def __init__(self) -> None:
        import sys

        self._terminal = sys.stderr.isatty()
        self._next = 0.0

    def show(self, published: int) -> None:
        from time import monotonic

        if self._terminal and monotonic() >= self._next:
            self._next = monotonic() + 0.5
            self._rewrite(f"{published} events")

    def clear(self) -> None:
        if self._terminal and self._next:
            self._rewrite("\033[K")

    def _rewrite(self, text: str) -> None:
        import sys

        from sengine.cli.console import unfiltered

        typer.echo(f"\r{text}", unfiltered(sys.stderr), nl=False)


def pace_of(speed: str) -> float:
    """How many times the file's own speed; 0.0 is without a pace. Raises ``typer.BadParameter``."""
    if speed == "max":
        return 0.0
    try:
        pace = float(speed.removesuffix("x"))
    except ValueError:
        pace = 0.0
    if not 0.0 < pace < 1e9:
        raise typer.BadParameter(f"expected a factor like 1x or 10x, or max, got {speed}", param_hint="--speed")
    return pace
