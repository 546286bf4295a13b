"""``sengine prover``: a process that proves new code in children of its own, one after the other.

Forking a process that has everything imported takes a few milliseconds, so each proof has a process to itself, which
may hang, exit or crash. Requests come on standard input and answers go to standard output, each with its length before
it. The prover ends with its input.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import re
import select
import signal
import struct
import tempfile
from time import monotonic
from typing import IO, Final

import msgspec

from sengine.adapters.containment.forks import forks_forbidden
from sengine.adapters.containment.strategy_output import StrategyOutput
from sengine.adapters.transport.memory_limit import MemoryLimit
from sengine.domain.reload import ReloadStep
from sengine.domain.strategy_line import StrategyLine
from sengine.engine.strategies.guard import Guard
from sengine.service.reload.proof import prove
from sengine.service.reload.request import Proof, ProofRequest

LENGTH: Final = struct.Struct("<I")
_GRACE_S: Final = 1.0
_STEP, _RESULT = b"S", b"R"
_PLACE = re.compile(r'File "([^"]+)", line (\d+)')


def serve() -> None:
    """Answer requests until there are no more."""
    # A strategy may print and read; the pipes are not for it.
    requests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    with contextlib.suppress(OSError):
        os.nice(5)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    decode = msgspec.msgpack.Decoder(ProofRequest).decode
    while (frame := _read_frame(requests)) is not None:
        answer = msgspec.msgpack.encode(_proof_in_child(decode(frame)))
        _write_all(answers, LENGTH.pack(len(answer)) + answer)


def _proof_in_child(request: ProofRequest) -> Proof:
    # What the child leaves behind when it crashes goes with its folder.
    folder = tempfile.TemporaryDirectory(prefix="sengine-proof-", ignore_cleanup_errors=True)
    with tempfile.TemporaryFile() as notes, folder as temporary:
        ours, theirs = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(ours)
            tempfile.tempdir = temporary
            _prove_and_exit(request, theirs, notes)
        os.close(theirs)
        try:
            step, result = _listen(ours, monotonic() + request.timeout_s + _GRACE_S)
        finally:
            os.close(ours)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
        if result is not None:
            return msgspec.msgpack.decode(result, type=Proof)
        notes.seek(0)
        return _obituary(request, step, status, notes.read().decode("utf-8", "replace"))


def _prove_and_exit(request: ProofRequest, pipe: int, notes: IO[bytes]) -> None:
    """In the child, which never returns."""
    try:
        with contextlib.suppress(OSError):
            os.setsid()
        faulthandler.enable(notes, all_threads=False)
        faulthandler.dump_traceback_later(request.timeout_s, exit=True, file=notes)

        def on_step(name: str) -> None:
            _send(pipe, _STEP, name.encode())

        memory = MemoryLimit(request.strategy.memory_mb)
        memory.begin()
        said: list[StrategyLine] = []
        name = request.strategy.id
        with (
            memory,
            StrategyOutput(lambda: name, lambda: 0, said.append, during=lambda: "proof"),
            forks_forbidden(Guard()),
        ):
            proof = prove(request, on_step)
        proof.said = said
        faulthandler.cancel_dump_traceback_later()
        _send(pipe, _RESULT, msgspec.msgpack.encode(proof))
    finally:
        os._exit(0)


def _listen(pipe: int, deadline_s: float) -> tuple[str, bytes | None]:
    """The last step begun, and the result where there is one before the child ends or the time is up."""
    step, received = "load", b""
    while True:
        wait_s = deadline_s - monotonic()
        if wait_s <= 0 or not select.select([pipe], [], [], wait_s)[0]:
            return step, None
        chunk = os.read(pipe, 1 << 16)
        if not chunk:
            return step, None
        received += chunk
        while len(received) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(received)
            if len(received) < LENGTH.size + length:
                break
            frame, received = received[LENGTH.size : LENGTH.size + length], received[LENGTH.size + length :]
            if frame[:1] == _RESULT:
                return step, frame[1:]
            step = frame[1:].decode()


def _obituary(request: ProofRequest, step: str, status: int, notes: str) -> Proof:
    """The proof of code that did not live to give one."""
    folder = os.path.dirname(request.path) + os.sep
    places = [f"{file}:{line}" for file, line in _PLACE.findall(notes) if file.startswith(folder)]
    code = os.waitstatus_to_exitcode(status)
    if notes.startswith("Timeout") or code == -signal.SIGKILL:
        reason = f"it did not return within {request.timeout_s:g} s; an endless loop?"
    elif code < 0:
        reason = f"it crashed the interpreter ({signal.Signals(-code).name})"
    else:
        reason = f"it ended its process with exit code {code}; os._exit is not for strategies"
    return Proof([ReloadStep(step, False, 0.0, reason)], reason=reason, where=places[0] if places else request.path)


def _send(pipe: int, kind: bytes, content: bytes) -> None:
    _write_all(pipe, LENGTH.pack(len(content) + 1) + kind + content)


def _write_all(pipe: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(pipe, view) :]


def _read_frame(pipe: int) -> bytes | None:
    head = _read_exactly(pipe, LENGTH.size)
    return _read_exactly(pipe, LENGTH.unpack(head)[0]) if head is not None else None


def _read_exactly(pipe: int, size: int) -> bytes | None:
    received = bytearray()
    while len(received) < size:
        chunk = os.read(pipe, size - len(received))
        if not chunk:
            return None
        received += chunk
    return bytes(received)
