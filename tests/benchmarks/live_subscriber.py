"""Takes a burst of books from NATS, as the engine does (``engine``) or with a bare nats-py callback (``bare``).

Arguments: engine or bare, NATS URL, messages to wait for. Prints a line of JSON when it is subscribed and another when
it is done, with the processor time that it took.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable
from time import monotonic_ns, process_time_ns
from typing import Any

import msgspec
import nats
import uvloop
from nats.aio.msg import Msg

from sengine.adapters.nats.feed import NatsFeed
from sengine.adapters.nats.wire import Decoder
from sengine.assembly import build_engine, build_venue, catalog, load_strategies
from sengine.config.schema import Config, NatsConfig, StrategyConfig
from sengine.runtime.live_engine import LiveEngine
from sengine.runtime.logging import configure_logging

SUBJECT = "market_data.*.orderbook"
POLL_S = 0.002
GIVE_UP_NS = 30_000_000_000


async def engine(url: str, messages: int) -> None:
    config = Config(nats=NatsConfig(url=url), strategies=[StrategyConfig(id="momentum", plugin="momentum")])
    live = LiveEngine(build_engine(config, build_venue(config)))
    load_strategies(live.engine, config.strategies, catalog(config))
    feed = NatsFeed(config.nats, url, live)
    await feed.start()
    await feed.connected()
    done = await _until(messages, lambda: feed.stats.decoded)
    stats, core = feed.stats, live.engine
    _say(
        {
            **done,
            "messages": stats.messages,
            "ticks": core.ticks,
            "gaps": dict(core.gaps),
            "rejected": dict(core.rejected),
            "dropped": stats.dropped,
            "orders": core.orders_sent,
        }
    )
    await feed.stop()


async def bare(url: str, messages: int) -> None:
    decode = Decoder().decode_book
    taken = last = missing = 0

    async def on_message(message: Msg) -> None:
        nonlocal taken, last, missing
        book = decode(message.subject, message.data, message.headers)
        taken += 1
        missing += book.sequence - last - 1
        last = book.sequence

    connection = await nats.connect(url)
    await connection.subscribe(SUBJECT, cb=on_message)
    await connection.flush()
    done = await _until(messages, lambda: taken)
    _say({**done, "messages": taken, "missing": missing})
    await connection.close()


async def _until(messages: int, taken: Callable[[], int]) -> dict[str, int]:
    """When all have been taken, and what that took of the processor."""
    gc.collect()
    gc.freeze()
    _say({"ready": True})
    began_ns, unused_ns = monotonic_ns(), process_time_ns()
    while taken() < messages and monotonic_ns() - began_ns < GIVE_UP_NS:
        await asyncio.sleep(POLL_S)
    return {"done_ns": monotonic_ns(), "used_ns": process_time_ns() - unused_ns}


def _say(what: dict[str, Any]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(what) + b"\n")
    sys.stdout.flush()


if __name__ == "__main__":
    configure_logging("error", "json")  # standard output is for the figures
    kind = {"engine": engine, "bare": bare}[sys.argv[1]]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(kind(sys.argv[2], int(sys.argv[3])))
