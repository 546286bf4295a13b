"""The prover as a child of the engine: started early, asked one thing at a time, started again when it dies."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import msgspec

from sengine.adapters.containment.forks import own_fork
from sengine.adapters.transport.processes import own_command
from sengine.errors import SengineError
from sengine.service.reload.prover import LENGTH
from sengine.service.reload.request import Proof

_GRACE_S: Final = 10.0
_STOP_S: Final = 1.0


class ProverChild:
    """``sengine prover`` on two pipes. It ends when its input closes, so it never outlives the engine."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._decode = msgspec.msgpack.Decoder(Proof).decode

    async def start(self) -> None:
        """Start it, so that the first proof finds it ready."""
        async with self._turn:
            await self._running()

    async def prove(self, request: bytes, timeout_s: float) -> Proof:
        """The proof of an encoded ``ProofRequest``. Raises ``SengineError`` where the prover itself fails."""
        async with self._turn:
            process = await self._running()
            try:
                async with asyncio.timeout(timeout_s + _GRACE_S):
                    return await self._ask(process, request)
            except (OSError, EOFError, TimeoutError, msgspec.DecodeError) as error:
                await self._end(process)
                raise SengineError(
                    f"the process that proves new code failed ({type(error).__name__}); the reload can be tried again"
                ) from error
            except asyncio.CancelledError:
                # Its answer would be taken for the next one's.
                process.kill()
                raise

    async def stop(self) -> None:
        """End it."""
        if self._process is not None:
            await self._end(self._process)

    async def _ask(self, process: asyncio.subprocess.Process, request: bytes) -> Proof:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(LENGTH.pack(len(request)) + request)
        await process.stdin.drain()
        (length,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
        return self._decode(await process.stdout.readexactly(length))

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            with own_fork():
                self._process = await asyncio.create_subprocess_exec(
                    *own_command("prover"),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    start_new_session=True,
                )
        return self._process

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        if process.stdin is not None:
            process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _STOP_S)
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
