"""The gateway's connection: one bidirectional stream of orders and reports, made again whenever it breaks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc
import grpc.aio

from sengine.adapters.execution.peer import FIRST_BACKOFF_S, LONGEST_BACKOFF_S, ExecutionPeer, why_absent
from sengine.adapters.execution.stats import GatewayStats
from sengine.proto import execution_pb2 as pb
from sengine.proto.execution_pb2_grpc import OrderExecutionStub

_ABSENT_AFTER_S: Final = 2.0
_REFUSALS: Final = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)

Write = Callable[[pb.OrderCommand], Awaitable[None]]


async def keep_conversing(
    peer: ExecutionPeer,
    stats: GatewayStats,
    say: Callable[..., None],
    *,
    on_connected: Callable[[], None],
    write_all: Callable[[Write], Awaitable[None]],
    take: Callable[[pb.OrderReport], None],
) -> None:
    """Connect, and connect again whenever the connection is lost, until cancelled.

    Each connection begins with ``on_connected``; then ``write_all`` gets the function that sends, for as long as the
    connection lives, and ``take`` gets every report.
    """
    backoff_s = FIRST_BACKOFF_S
    if peer.can_be_overheard:
        say("warning", "orders go to another machine in plain text, as execution.insecure allows", target=peer.target)
    async with peer.open() as channel:
        stub = OrderExecutionStub(channel)
        stats.state = "reconnecting"
        while True:
            absent = asyncio.create_task(_say_absent(peer, channel, say))
            try:
                await _until_ready(channel)
            finally:
                absent.cancel()
            stats.state = "connected"
            say("info", "connected to the execution service", target=peer.target)
            on_connected()
            heard, ended = await _converse(stub.Orders(metadata=peer.metadata), write_all, take)
            stats.state = "reconnecting"
            stats.reconnects += 1
            if isinstance(ended, grpc.aio.AioRpcError) and ended.code() in _REFUSALS:
                say(
                    "error",
                    "the execution service refuses this engine; correct execution.token or execution.tls_cert",
                    target=peer.target,
                    reason=_words(ended),
                )
            else:
                say("warning", "connection to the execution service lost", target=peer.target, reason=_words(ended))
            if heard:
                backoff_s = FIRST_BACKOFF_S
            await asyncio.sleep(backoff_s)
            backoff_s = min(LONGEST_BACKOFF_S, backoff_s * 2)


async def _converse(
    call: Any, write_all: Callable[[Write], Awaitable[None]], take: Callable[[pb.OrderReport], None]
) -> tuple[bool, BaseException | None]:
    """Write and read until the call ends; whether there was a report, and how it ended."""
    heard = False

    async def read() -> None:
        nonlocal heard
        while (report := await call.read()) is not grpc.aio.EOF:
            heard = True
            take(report)

    reader = asyncio.create_task(read(), name="execution reader")
    writer = asyncio.ensure_future(write_all(call.write))
    try:
        await asyncio.wait((reader, writer), return_when=asyncio.FIRST_COMPLETED)
    finally:
        writer.cancel()
        call.cancel()
        _, from_reader = await asyncio.gather(writer, reader, return_exceptions=True)
    return heard, from_reader


async def _say_absent(peer: ExecutionPeer, channel: grpc.aio.Channel, say: Callable[..., None]) -> None:
    await asyncio.sleep(_ABSENT_AFTER_S)
    reason = await why_absent(channel)
    say(
        "warning",
        "the execution service does not answer yet; orders wait for it",
        target=peer.target,
        reason=reason,
    )


def _words(ended: BaseException | None) -> str:
    if isinstance(ended, grpc.aio.AioRpcError):
        return f"{ended.code().name}: {ended.details()}"
    return f"{type(ended).__name__}: {ended}" if isinstance(ended, Exception) else "the service ended the stream"


async def _until_ready(channel: grpc.aio.Channel) -> None:
    """Wait until the channel is connected. A wait that is cancelled is ended by closing the channel: gRPC would
    otherwise report its end to this loop at any later time, also after the loop is closed."""
    ready = asyncio.ensure_future(channel.channel_ready())
    try:
        await asyncio.shield(ready)
    except asyncio.CancelledError:
        await channel.close()
        await asyncio.wait((ready,), timeout=1.0)
        ready.cancel()
        await asyncio.gather(ready, return_exceptions=True)
        raise
