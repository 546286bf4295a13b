"""Latency, feed, gateway and a replay's progress as the control API's messages."""

from __future__ import annotations

from typing import Final

from sengine.engine.latency import LatencyHistogram
from sengine.proto import engine_pb2 as pb
from sengine.runtime.status import FeedFigures, GatewayFigures, ReplayDrive

NO_STATE: Final = "none"


def latency_message(histogram: LatencyHistogram) -> pb.Latency:
    counts = histogram.octave_counts()
    while counts and not counts[-1]:
        counts.pop()
    if not counts:
        return pb.Latency()
    return pb.Latency(
        count=histogram.count,
        p50_us=histogram.percentile_ns(0.50) / 1000,
        p99_us=histogram.percentile_ns(0.99) / 1000,
        max_us=histogram.max_ns / 1000,
        octave_counts=counts,
    )


def feed_message(feed: FeedFigures | None) -> pb.FeedHealth:
    if feed is None:
        return pb.FeedHealth(state=NO_STATE)
    return pb.FeedHealth(
        state=feed.state,
        messages=feed.messages,
        decoded=feed.decoded,
        malformed=dict(feed.malformed),
        oversized=feed.oversized,
        dropped=feed.dropped,
        conflated=feed.conflated,
        reconnects=feed.reconnects,
        pending=feed.pending,
        lag=latency_message(feed.lag),
    )


def gateway_message(gateway: GatewayFigures | None) -> pb.GatewayHealth:
    if gateway is None:
        return pb.GatewayHealth(state=NO_STATE)
    return pb.GatewayHealth(
        state=gateway.state,
        sent=gateway.sent,
        accepted=gateway.accepted,
        rejected=gateway.rejected,
        unknown=gateway.unknown,
        retried=gateway.retried,
        dropped=gateway.dropped,
        queue_depth=gateway.queue_depth,
        ack=latency_message(gateway.ack),
        tick_to_order=latency_message(gateway.tick_to_order),
    )


def replay_message(replay: ReplayDrive | None) -> pb.ReplayProgress | None:
    if replay is None:
        return None
    return pb.ReplayProgress(
        source=replay.source,
        fraction_done=replay.fraction_done,
        speed=replay.speed,
        is_paused=replay.is_paused,
        is_over=replay.is_over,
    )
