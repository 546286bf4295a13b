"""An execution service that misbehaves on purpose, for the gateway's tests."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio

from sengine.adapters.control.server import TokenGuard
from sengine.proto import execution_pb2 as pb
from sengine.proto.execution_pb2_grpc import OrderExecutionServicer, add_OrderExecutionServicer_to_server


class SlowExecution(OrderExecutionServicer):
    """Answers each command on the Orders stream ``delay_s`` later. Keeps what it got."""

    def __init__(self, delay_s: float = 0.0) -> None:
        self.delay_s = delay_s
        self.commands: list[pb.OrderCommand] = []
        self.hangs_up_on: str = ""
        """End the stream, once, instead of answering this order."""
        self.status = pb.ORDER_STATUS_ACCEPTED
        self.server: grpc.aio.Server | None = None
        self.address = ""

    async def start(
        self, address: str = "127.0.0.1:0", credentials: grpc.ServerCredentials | None = None, token: str = ""
    ) -> str:
        guards = [TokenGuard(token)] if token else []
        self.server = grpc.aio.server(interceptors=guards, options=(("grpc.so_reuseport", 0),))
        add_OrderExecutionServicer_to_server(self, self.server)
        if credentials is not None:
            port = self.server.add_secure_port(address, credentials)
        else:
            port = self.server.add_insecure_port(address)
        self.address = f"127.0.0.1:{port}"
        await self.server.start()
        return self.address

    async def stop(self) -> None:
        if self.server is not None:
            await self.server.stop(0)
            self.server = None

    def submitted(self) -> list[str]:
        return [command.submit.client_order_id for command in self.commands if command.HasField("submit")]

    async def Orders(self, request_iterator: Any, context: Any) -> None:  # noqa: N802
        writing = asyncio.Lock()  # gRPC takes one write at a time
        async with asyncio.TaskGroup() as answers:
            while (command := await context.read()) is not grpc.aio.EOF:
                self.commands.append(command)
                order_id = command.submit.client_order_id
                if order_id and order_id == self.hangs_up_on:
                    self.hangs_up_on = ""
                    await context.abort(grpc.StatusCode.UNAVAILABLE, "on purpose")
                answers.create_task(self._answer(command, context, writing))

    async def _answer(self, command: pb.OrderCommand, context: Any, writing: asyncio.Lock) -> None:
        await asyncio.sleep(self.delay_s)
        cancel = command.HasField("cancel")
        async with writing:
            await context.write(
                pb.OrderReport(
                    client_order_id=(command.cancel if cancel else command.submit).client_order_id,
                    status=pb.ORDER_STATUS_CANCELLED if cancel else self.status,
                    cause=pb.REPORT_CAUSE_CANCEL if cancel else pb.REPORT_CAUSE_SUBMIT,
                )
            )
