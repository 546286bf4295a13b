"""Fills through a durable JetStream consumer: acknowledged once they are applied, and so never lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, StreamConfig

from sengine.runtime.log_throttle import LogThrottle

STREAM: Final = "SENGINE_FILLS"
_DEDUPLICATE_S: Final = 120.0
_MAX_MESSAGES: Final = 1_000_000
_MAX_BYTES: Final = 128 << 20
"""On disk; the oldest fills go. An engine that was away for longer is told what they were by ``Reconcile``."""
_PULL_S: Final = 5.0
_AGAIN_S: Final = 0.25
# What a killed engine had been given and not acknowledged comes again this much later. Applying one takes microseconds.
_AGAIN_UNACKNOWLEDGED_S: Final = 5.0
# What was left unacknowledged comes again before the fills after it, not behind them.
_UNACKNOWLEDGED_AT_MOST: Final = 1


async def pull_fills(
    connection: Client,
    subject: str,
    durable: str,
    apply: Callable[[bytes, bytes], bool],
    on_ready: Callable[[], None],
    on_lost: Callable[[], None],
    complain: LogThrottle,
    released: asyncio.Event,
) -> None:
    """Pull fills one by one until cancelled; ``apply`` gets subject and payload and says whether it was a fill.

    The stream and the consumer are made where they are missing; from ``on_ready`` on, no fill that is published gets
    lost, until ``on_lost``. They stay in the stream until ``released``. What was not a fill is not delivered again.
    """
    while True:
        try:
            subscription = await _subscribe(connection.jetstream(), subject, durable)
            on_ready()
            await released.wait()
            while True:
                try:
                    (message,) = await subscription.fetch(1, timeout=_PULL_S)
                except nats.errors.TimeoutError:
                    continue
                if apply(message.subject.encode(), message.data):
                    await message.ack()
                else:
                    await message.term()
        except (nats.errors.Error, OSError, TimeoutError) as error:
            on_lost()
            complain("durable_fills", f"fills through JetStream: {error or type(error).__name__}; trying again")
            await asyncio.sleep(_AGAIN_S)


async def last_acknowledged(connection: Client, subject: str, durable: str, most: int) -> list[bytes]:
    """The last messages that were acknowledged to the broker, oldest first; none where they cannot be asked for."""
    jetstream = connection.jetstream()
    try:
        stream = await jetstream.find_stream_name_by_subject(subject)
        info = await jetstream.consumer_info(stream, durable)
        last = info.ack_floor.stream_seq if info.ack_floor is not None else 0
        first = (await jetstream.stream_info(stream)).state.first_seq
        numbers = range(max(first, last - most + 1, 1), last + 1)
        return [(await jetstream.get_msg(stream, number)).data or b"" for number in numbers]
    except (nats.errors.Error, OSError, TimeoutError):
        return []


async def _subscribe(jetstream: JetStreamContext, subject: str, durable: str) -> JetStreamContext.PullSubscription:
    try:
        stream = await jetstream.find_stream_name_by_subject(subject)
    except nats.js.errors.NotFoundError:
        stream = STREAM
        await jetstream.add_stream(
            StreamConfig(
                name=stream,
                subjects=[subject],
                duplicate_window=_DEDUPLICATE_S,
                max_msgs=_MAX_MESSAGES,
                max_bytes=_MAX_BYTES,
                num_replicas=1,
            )
        )
    try:
        found = (await jetstream.consumer_info(stream, durable)).config
    except nats.js.errors.NotFoundError:
        wanted = ConsumerConfig(
            name=durable,
            durable_name=durable,
            filter_subject=subject,
            ack_policy=AckPolicy.EXPLICIT,
            deliver_policy=DeliverPolicy.ALL,
            ack_wait=_AGAIN_UNACKNOWLEDGED_S,
            max_ack_pending=_UNACKNOWLEDGED_AT_MOST,
        )
        await jetstream.add_consumer(stream, wanted)
    else:
        if found.max_ack_pending != _UNACKNOWLEDGED_AT_MOST:
            # Where that is not allowed here, the consumer of whoever made it still loses nothing.
            with suppress(nats.js.errors.APIError):
                await jetstream.add_consumer(stream, found.evolve(max_ack_pending=_UNACKNOWLEDGED_AT_MOST))
    return await jetstream.pull_subscribe_bind(durable=durable, stream=stream)
