"""Prometheus metrics, made at scrape time from the engine's plain counters; the tick path never calls in here.

``families`` is lazy, down to the single sample: ``exposition`` writes it piece by piece and lets the loop run in
between, so that a scrape of a large engine holds no tick up. ``EngineCollector`` is the same for a prometheus_client
registry.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from math import nan
from time import time_ns
from typing import Final

from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from sengine import __version__
from sengine.adapters.web.metric_family import (
    Family,
    Labels,
    Sample,
    counter,
    gauge,
    number,
    plan_histogram,
    seconds,
    total,
)
from sengine.adapters.web.metrics_risk import risk_families
from sengine.domain.currencies import totals_by_currency
from sengine.domain.position import Position
from sengine.runtime.live_engine import LiveEngine
from sengine.runtime.loop_share import LoopShare
from sengine.runtime.status import CONNECTED, FeedFigures, GatewayFigures, RemoteFigures, ServiceStatus, StoreFigures

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def families(live: LiveEngine, facts: ServiceStatus) -> Iterator[Family]:
    """Every metric, the plan's first. Each is consistent at the moment when its first sample is asked for."""
    yield from _plan(live, facts)
    yield from _engine(live, facts)
    yield from _feed(facts.feed)
    yield from _gateway(live, facts.gateway)
    yield from _store(facts.store)
    yield from _remotes(facts.remotes)
    yield from risk_families(live)
    yield from _journal(live)


async def exposition(live: LiveEngine, facts: ServiceStatus) -> bytes:
    """The text format, version 0.0.4."""
    lines: list[str] = []
    share = LoopShare()
    for family in chain(families(live, facts), _process()):
        lines.append(f"# HELP {family.name} {family.help}\n# TYPE {family.name} {family.kind}\n")
        for suffix, labels, value in family.samples:
            lines.append(_line(family.name + suffix, labels, value))
            if share.is_used_up:
                await share.give_way()
    return "".join(lines).encode()


class EngineCollector(Collector):
    """For a prometheus_client registry. ``collect`` makes everything at once; the HTTP page uses ``exposition``."""

    def __init__(self, live: LiveEngine, facts: ServiceStatus) -> None:
        self._live = live
        self._facts = facts

    def collect(self) -> Iterable[Metric]:
        for family in families(self._live, self._facts):
            metric = Metric(family.name.removesuffix("_total"), family.help, family.kind)
            for suffix, labels, value in family.samples:
                metric.add_sample(family.name + suffix, dict(labels), value)
            yield metric


def _plan(live: LiveEngine, facts: ServiceStatus) -> Iterator[Family]:
    """Section 7.1 of the plan, name by name."""
    engine = live.engine
    runtimes = list(engine.registry)
    yield Family(
        "strategy_tick_duration_microseconds",
        "histogram",
        "Time taken for strategy on_tick execution.",
        (
            sample
            for runtime in runtimes
            for sample in plan_histogram(runtime.on_tick_latency, (("strategy_id", runtime.strategy_id),))
        ),
    )
    yield counter(
        "strategy_signals_total",
        "Signals generated.",
        live.signal_counts,
        ("strategy_id", "symbol", "direction"),
    )
    yield counter(
        "strategy_signals_filtered_total",
        "Signals filtered by risk; reason is a stable code.",
        live.filtered_counts,
        ("filter_name", "reason"),
    )
    yield counter(
        "strategy_errors_total",
        "Errors of strategies.",
        {(runtime.strategy_id, kind): count for runtime in runtimes for kind, count in runtime.errors.items()},
        ("strategy_id", "error_type"),
    )
    yield counter(
        "sengine_strategy_over_budget_total",
        "Calls of on_tick that took longer than plugins.tick_budget_us.",
        {(runtime.strategy_id,): runtime.on_tick_latency.over_budget for runtime in runtimes},
        ("strategy_id",),
    )
    yield Family(
        "sengine_strategy_stalled_seconds",
        "gauge",
        "For how long a strategy has had no tick, or its process has not answered, where that is too long.",
        (("", (("strategy_id", runtime.strategy_id),), runtime.stalled_s) for runtime in runtimes),
    )
    yield Family(
        "sengine_strategy_info",
        "gauge",
        "Always 1; the version of its code that a strategy runs.",
        (("", (("strategy_id", runtime.strategy_id), ("version", runtime.spec.version)), 1) for runtime in runtimes),
    )
    yield gauge("strategy_active_count", "Strategies that are active.", sum(runtime.is_active for runtime in runtimes))
    positions = list(engine.portfolio.positions())
    yield Family(
        "strategy_position",
        "gauge",
        "Current position.",
        (("", (("strategy_id", each.strategy_id), ("symbol", each.symbol)), each.quantity) for each in positions),
    )
    unsummed = engine.portfolio.currencies.without_sum
    names = dict.fromkeys([runtime.strategy_id for runtime in runtimes] + [each.strategy_id for each in positions])
    yield Family(
        "strategy_pnl",
        "gauge",
        "Realized P&L in quote currency, after commission; NaN where its symbols are in several.",
        (
            ("", (("strategy_id", name),), nan if name in unsummed else engine.portfolio.equity_of(name).realized)
            for name in names
        ),
    )
    reloads = {(name, str(success).lower()): count for (name, success), count in facts.reloads.counts.items()}
    yield counter("strategy_hot_reloads_total", "Hot reloads.", reloads, ("strategy_id", "success"))
    yield Family(
        "sengine_unrealized_pnl",
        "gauge",
        "Unrealized P&L at mid, in quote currency; NaN where its symbols are in several.",
        (
            ("", (("strategy_id", name),), nan if name in unsummed else engine.portfolio.equity_of(name).unrealized)
            for name in names
        ),
    )
    yield Family(
        "sengine_currency_pnl",
        "gauge",
        "P&L by the currency of the symbols, told from their names; kind is realized or unrealized.",
        _by_currency(positions),
    )


def _by_currency(positions: Sequence[Position]) -> Iterator[Sample]:
    owned: dict[str, list[Position]] = {}
    for position in positions:
        owned.setdefault(position.strategy_id, []).append(position)
    for strategy_id, held in owned.items():
        for each in totals_by_currency(held):
            labels = (("strategy_id", strategy_id), ("currency", each.name))
            yield "", (*labels, ("kind", "realized")), each.realized_pnl
            yield "", (*labels, ("kind", "unrealized")), each.unrealized_pnl


def _engine(live: LiveEngine, facts: ServiceStatus) -> Iterator[Family]:
    engine, feed = live.engine, facts.feed
    yield seconds("sengine_tick_duration_seconds", "One market data event, strategies included.", engine.tick_latency)
    yield total("sengine_ticks_total", "Market data events that were processed.", engine.ticks)
    rejected = {("engine", reason): count for reason, count in engine.rejected.items()}
    if feed is not None:
        rejected |= {("feed", reason): count for reason, count in feed.malformed.items()}
        rejected.setdefault(("feed", "oversized"), feed.oversized)
    yield counter(
        "sengine_market_data_rejected_total",
        "Market data that was refused, by the feed (not decoded) or the engine (not used).",
        rejected,
        ("stage", "reason"),
    )
    yield counter(
        "sengine_feed_gaps_total",
        "Messages missing in, or out of, the publishers' sequences.",
        {(kind,): count for kind, count in engine.gaps.items()},
        ("kind",),
    )
    yield counter(
        "sengine_signals_total",
        "Signals by how they ended.",
        {(str(disposition),): count for disposition, count in engine.dispositions.items()},
        ("disposition",),
    )
    yield counter(
        "sengine_anomalies_total",
        "Fills and order updates that did not fit: duplicates, unknown orders, overfills, late and held fills, "
        "positions beyond their limit, pauses after rejections.",
        {(kind,): count for kind, count in engine.anomalies.items()},
        ("kind",),
    )
    yield total(
        "sengine_orders_sent_total",
        "Orders that passed every check; not all of them may have left.",
        engine.orders_sent,
    )
    yield gauge("sengine_orders_open", "Orders in flight.", len(list(engine.orders.open_orders())))
    yield gauge("sengine_held_fills", "Fills that wait for a person.", len(engine.held_fills))
    yield gauge("sengine_kill_switch", "1 while the kill switch is pulled.", bool(live.kill_reason))
    yield gauge("sengine_ready", "1 when /ready says so.", not facts.not_ready_because(live))
    yield gauge("sengine_uptime_seconds", "Time since the start.", (time_ns() - facts.started_ns) / 1e9)
    build = (("version", __version__), ("python", platform.python_version()), ("service", facts.name))
    yield Family("sengine_build_info", "gauge", "Always 1; what runs.", [("", build, 1)])


def _feed(feed: FeedFigures | None) -> Iterator[Family]:
    if feed is None:
        return
    yield gauge("sengine_feed_connected", "1 while the broker is connected.", feed.state == CONNECTED)
    yield total("sengine_feed_messages_total", "Messages received.", feed.messages)
    yield total("sengine_feed_decoded_total", "Messages decoded and handed to the engine.", feed.decoded)
    yield total("sengine_feed_dropped_total", "Messages dropped because too many waited.", feed.dropped)
    yield total("sengine_feed_conflated_total", "Books skipped for a newer one (overload: conflate).", feed.conflated)
    yield total("sengine_feed_reconnects_total", "Reconnections to the broker.", feed.reconnects)
    yield gauge("sengine_feed_queue_depth", "Messages that wait to be processed.", feed.pending)
    yield seconds("sengine_feed_lag_seconds", "From an event's timestamp until it is processed here.", feed.lag)


def _gateway(live: LiveEngine, gateway: GatewayFigures | None) -> Iterator[Family]:
    outcomes = {str(status): count for status, count in live.order_updates.items()}
    if gateway is not None:
        outcomes |= {"accepted": gateway.accepted, "rejected": gateway.rejected, "unknown": gateway.unknown}
    yield counter(
        "sengine_order_outcomes_total",
        "What became of orders, besides fills.",
        {(status,): count for status, count in outcomes.items()},
        ("outcome",),
    )
    if gateway is None:
        return
    yield gauge("sengine_gateway_connected", "1 while the execution service is connected.", gateway.state == CONNECTED)
    yield total("sengine_gateway_sent_total", "Orders handed to the execution service.", gateway.sent)
    yield total("sengine_gateway_retried_total", "Orders sent again after a broken connection.", gateway.retried)
    yield total("sengine_gateway_dropped_total", "Orders rejected because the queue was full.", gateway.dropped)
    yield gauge("sengine_gateway_queue_depth", "Orders that wait to be sent.", gateway.queue_depth)
    yield seconds("sengine_order_ack_seconds", "From an order's sending to its answer.", gateway.ack)
    yield seconds(
        "sengine_tick_to_order_seconds",
        "From a message's arrival to its order being handed to the execution service.",
        gateway.tick_to_order,
    )


def _store(store: StoreFigures | None) -> Iterator[Family]:
    if store is not None:
        yield gauge("sengine_store_failing", "1 while the store of records is not kept up.", bool(store.failure))
        yield total("sengine_store_changes_total", "Rows written to the store of records.", store.changes)


def _remotes(remotes: Mapping[str, RemoteFigures]) -> Iterator[Family]:
    links = [((("strategy_id", name),), link) for name, link in remotes.items()]
    kinds: Sequence[tuple[str, str, str, Callable[[RemoteFigures], float]]] = (
        (
            "connected",
            "gauge",
            "1 while a remote strategy is connected.",
            lambda each: each.is_connected,
        ),
        ("owed_seconds", "gauge", "Age of the oldest tick that it has not answered.", lambda each: each.owed_for_s),
        ("restarts_total", "counter", "Connections lost or not made.", lambda each: each.restarts),
        ("dropped_ticks_total", "counter", "Ticks dropped: too many waited.", lambda each: each.dropped_ticks),
        ("missed_ticks_total", "counter", "Ticks that came without a connection.", lambda each: each.missed_ticks),
    )
    for name, kind, text, value in kinds if links else ():
        yield Family(f"sengine_remote_{name}", kind, text, [("", labels, value(link)) for labels, link in links])


def _journal(live: LiveEngine) -> Iterator[Family]:
    journal = live.journal
    if journal is None:
        return
    yield total("sengine_journal_records_total", "Records of the journal.", journal.records)
    yield total("sengine_journal_unrecorded_total", "Events that could not be put into a record.", journal.unrecorded)
    yield gauge("sengine_journal_failing", "1 while the journal cannot be written.", bool(journal.failure))


def _process() -> Iterator[Family]:
    """Memory, CPU, open files and start time of this process; empty where the system does not tell."""
    for metric in _PROCESS.collect():
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        yield Family(name, metric.type, metric.documentation, [("", (), each.value) for each in metric.samples])


# The registry is the collector's own, not the global one.
_PROCESS: Final = ProcessCollector(registry=CollectorRegistry())


def _line(name: str, labels: Labels, value: float) -> str:
    if not labels:
        return f"{name} {number(value)}\n"
    inner = ",".join([f'{label}="{_escaped(text)}"' for label, text in labels])
    return f"{name}{{{inner}}} {number(value)}\n"


def _escaped(text: str) -> str:
    if text.isalnum():
        return text
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
