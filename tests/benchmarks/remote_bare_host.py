"""What a remote strategy's way there and back is compared with: a grpc.aio stream that answers each message at once.
Argument: the address to listen on."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import uvloop

from sengine.proto import strategy_pb2 as pb
from sengine.proto.strategy_pb2_grpc import StrategyServiceServicer, add_StrategyServiceServicer_to_server


class Echo(StrategyServiceServicer):
    async def Run(self, requests: AsyncIterator[pb.EngineMessage], context: Any) -> AsyncIterator[pb.HostMessage]:  # noqa: N802
        async for request in requests:
            yield pb.HostMessage(answers=pb.AnswerBatch(through=request.ticks.ticks[-1].number))


async def main(address: str) -> None:
    server = grpc.aio.server()
    add_StrategyServiceServicer_to_server(Echo(), server)
    server.add_insecure_port(address)
    await server.start()
    gc.freeze()
    print("ready", flush=True)
    await asyncio.get_running_loop().connect_read_pipe(lambda: _EndsWithItsParent(server), sys.stdin)
    await server.wait_for_termination()


class _EndsWithItsParent(asyncio.Protocol):
    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server

    def connection_lost(self, error: Exception | None) -> None:
        self._stopping = asyncio.ensure_future(self._server.stop(None))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
