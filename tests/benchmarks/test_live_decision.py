"""The engine alone: from a message's bytes until it is decided what to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter_ns

import msgspec

from replay.synthetic import generate_quotes
from sengine.adapters.nats.wire import Decoder
from sengine.adapters.nats.wire_encoding import encode_book
from sengine.assembly import build_engine, build_venue, catalog, load_strategies
from sengine.config.schema import Config, StrategyConfig
from sengine.runtime.live_engine import LiveEngine
from tests.benchmarks.live_parts import frozen_heap, percentile

MESSAGES = 200_000
WARM_UP = 2_000
PASSES = 3
SUBJECT = "market_data.BTCUSDT.orderbook"
FOUR = [
    StrategyConfig(id="momentum_fast", plugin="momentum"),
    StrategyConfig(id="momentum_slow", plugin="momentum", config={"short_window": 20, "long_window": 120}),
    StrategyConfig(id="rsi_fast", plugin="rsi"),
    StrategyConfig(id="rsi_slow", plugin="rsi", config={"period": 40}),
]
VOTING = [*FOUR, StrategyConfig(id="momentum_middle", plugin="momentum", config={"long_window": 60})]
QUOTING = [
    *FOUR,
    StrategyConfig(id="market_maker", plugin="market_maker", config={"spread": 0.00003, "target_size": 0.5}),
]


def _elapsed_ns(messages: Sequence[bytes], strategies: list[StrategyConfig]) -> list[int]:
    # The simulated venue keeps positions moving, so strategies go on trading; its fills are part of the time.
    config = Config(strategies=strategies)
    live = LiveEngine(build_engine(config, build_venue(config)))
    assert not load_strategies(live.engine, config.strategies, catalog(config))
    decode, take = Decoder().decode_book, live.process
    elapsed_ns: list[int] = []
    with frozen_heap():
        for message in messages:
            began_ns = perf_counter_ns()
            take(decode(SUBJECT, message, None, began_ns))
            elapsed_ns.append(perf_counter_ns() - began_ns)
    engine = live.engine
    assert engine.ticks == len(messages)
    assert not engine.gaps
    assert not engine.rejected
    assert engine.orders_sent > 1_000
    return elapsed_ns


def _messages() -> list[bytes]:
    quotes = generate_quotes(WARM_UP + MESSAGES, ["BTCUSDT"], 1)
    return [encode_book(msgspec.structs.replace(quote, sequence=number)) for number, quote in enumerate(quotes, 1)]


def test_a_message_is_decided_within_a_hundred_microseconds(figure: Callable[..., None]) -> None:
    measured_us = [elapsed_ns / 1e3 for elapsed_ns in _elapsed_ns(_messages(), VOTING)[WARM_UP:]]
    what = "message bytes to decision, 5 voting strategies"
    figure(f"{what}, p50", median(measured_us), "us")
    figure(f"{what}, p99.9", percentile(measured_us, 0.999), "us")
    figure(f"{what}, p99", percentile(measured_us, 0.99), "us", at_most=100.0)


def test_a_market_maker_that_quotes_on_every_message(figure: Callable[..., None]) -> None:
    """Four that vote and one that cancels and sends two orders on every message: the dearest tick there is."""
    messages = _messages()
    # Each pass does the same, so what only one of them met was another process.
    passes = [_elapsed_ns(messages, QUOTING) for _ in range(PASSES)]
    measured_us = [median(times_ns) / 1e3 for times_ns in zip(*passes, strict=True)][WARM_UP:]
    in_one_pass_us = [elapsed_ns / 1e3 for elapsed_ns in passes[0][WARM_UP:]]
    what, note = "message bytes to decision, a market maker among 5", f"each message's median of {PASSES} passes"
    figure(f"{what}, p50", median(measured_us), "us", note=note)
    figure(f"{what}, p99", percentile(measured_us, 0.99), "us", note=note)
    figure(f"{what}, p99 of one pass", percentile(in_one_pass_us, 0.99), "us")
