"""What the live engine is compared with end to end: a nats-py callback that decodes each book and, on every tenth,
writes one order on a gRPC stream. Arguments: NATS URL, address of the execution service, subject."""

from __future__ import annotations

import asyncio
import gc
import sys
from itertools import count

import grpc.aio
import nats
import uvloop
from nats.aio.msg import Msg

from sengine.adapters.nats.wire import Decoder
from sengine.proto import execution_pb2 as pb
from sengine.proto.execution_pb2_grpc import OrderExecutionStub

ORDER_EVERY = 10


async def main(url: str, execution: str, subject: str) -> None:
    decode = Decoder().decode_book
    ticks = count()
    async with grpc.aio.insecure_channel(execution) as channel:
        call = OrderExecutionStub(channel).Orders()

        async def on_message(message: Msg) -> None:
            book = decode(message.subject, message.data, message.headers)
            number = next(ticks)
            if number % ORDER_EVERY == 0:
                order = pb.OrderRequest(
                    client_order_id=f"bare-{number}",
                    symbol=book.symbol,
                    side=pb.SIDE_BUY,
                    type=pb.ORDER_TYPE_MARKET,
                    quantity=1.0,
                    timestamp_ns=book.timestamp_ns,
                )
                await call.write(pb.OrderCommand(submit=order))

        connection = await nats.connect(url)
        await connection.subscribe(subject, cb=on_message)
        await connection.flush()
        gc.collect()
        gc.freeze()
        print("ready", flush=True)
        while await call.read() is not grpc.aio.EOF:
            pass


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(*sys.argv[1:]))
