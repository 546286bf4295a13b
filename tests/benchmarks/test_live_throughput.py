"""Messages per second that the feed and the engine sustain, against a bare nats-py callback with the same decoding."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import monotonic_ns
from typing import Any, NamedTuple

import msgspec
import uvloop

from replay.synthetic import generate_quotes
from sengine.adapters.nats.broker import EmbeddedBroker
from sengine.adapters.nats.wire_encoding import encode_book
from tests.benchmarks.live_parts import HERE, answered, frozen_heap, running

MESSAGES = 250_000
PAIRS = 5
SUBJECT = b"market_data.BTCUSDT.orderbook"


class Rate(NamedTuple):
    """Messages per second: from the first publication until the last is processed, and of the subscriber's processor
    time alone, which other processes cannot take away."""

    sustained: float
    of_processor: float


def _burst() -> bytes:
    """All publications as they go over the wire, made in advance: the publisher must not be what is measured."""
    quotes = generate_quotes(MESSAGES, ["BTCUSDT"], 1)
    payloads = [encode_book(msgspec.structs.replace(quote, sequence=number)) for number, quote in enumerate(quotes, 1)]
    return b"".join([b"PUB %b %d\r\n%b\r\n" % (SUBJECT, len(payload), payload) for payload in payloads])


def _send(port: int, burst: bytes) -> int:
    """Publish, and return when it began; ends when the server has taken it all."""
    with socket.create_connection(("127.0.0.1", port)) as connection, connection.makefile("rb") as answers:
        answers.readline()
        connection.sendall(b'CONNECT {"verbose":false,"pedantic":false}\r\nPING\r\n')
        while answers.readline() != b"PONG\r\n":
            pass
        began_ns = monotonic_ns()
        connection.sendall(burst)
        connection.sendall(b"PING\r\n")
        while answers.readline() != b"PONG\r\n":
            pass
        return began_ns


async def _rate(kind: str, broker: EmbeddedBroker, burst: bytes) -> tuple[Rate, dict[str, Any]]:
    """One burst, and what was counted of it."""
    async with running(str(HERE / "live_subscriber.py"), kind, broker.url, str(MESSAGES)) as subscriber:
        await answered(subscriber)
        began_ns = await asyncio.to_thread(_send, broker.port, burst)
        counted = await answered(subscriber, 40.0)
    return Rate(MESSAGES / (counted["done_ns"] - began_ns) * 1e9, MESSAGES / counted["used_ns"] * 1e9), counted


async def _measure(folder: Path) -> list[tuple[Rate, Rate]]:
    """Rates of the engine and of the bare subscriber, pair by pair."""
    burst = _burst()
    broker = EmbeddedBroker(folder / "broker")
    await broker.start()
    try:
        pairs = []
        with frozen_heap():
            for _ in range(PAIRS):
                bare, counted = await _rate("bare", broker, burst)
                assert (counted["messages"], counted["missing"]) == (MESSAGES, 0)
                engine, counted = await _rate("engine", broker, burst)
                assert (counted["messages"], counted["ticks"]) == (MESSAGES, MESSAGES)
                assert (counted["gaps"], counted["rejected"], counted["dropped"]) == ({}, {}, 0)
                assert counted["orders"] > 0
                pairs.append((engine, bare))
        return pairs
    finally:
        await broker.stop()


def test_the_engine_sustains_four_fifths_of_a_bare_subscribers_rate(
    tmp_path: Path, figure: Callable[..., None]
) -> None:
    pairs = uvloop.run(_measure(tmp_path))
    for side, what in enumerate(("engine with one strategy", "bare nats-py callback that decodes")):
        figure(f"burst over NATS, {what}", median(pair[side].sustained for pair in pairs), "messages/s")
        of_processor = median(pair[side].of_processor for pair in pairs)
        figure(f"burst over NATS, {what}, of its processor time", of_processor, "messages/s")
    ratio = median(engine.of_processor / bare.of_processor for engine, bare in pairs)
    figure("burst over NATS, engine / bare, of their processor time", ratio, "x")
    ratio = median(engine.sustained / bare.sustained for engine, bare in pairs)
    figure("burst over NATS, engine / bare", ratio, "x", at_least=0.8, note=f"median of {PAIRS} pairs, nothing lost")
