"""The screens as a process in a terminal of their own, and what that process uses. Linux only: it reads /proc."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import struct
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Terminal:
    """A running process; ``written`` counts the bytes that it has painted."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.written = 0

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S

    def memory_mb(self) -> float:
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE / 1e6


def attached(address: str, columns: int, rows: int) -> AbstractAsyncContextManager[Terminal]:
    """``sengine attach`` in a terminal of that size."""
    return in_terminal(columns, rows, "-m", "sengine", "attach", address)


@asynccontextmanager
async def in_terminal(columns: int, rows: int, *arguments: str, **variables: str) -> AsyncIterator[Terminal]:
    """``python ARGUMENTS...`` in a terminal of that size; what it paints is read and thrown away."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **variables}
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdin=its, stdout=its, stderr=its, env=environment,
        start_new_session=True,
    )  # fmt: skip
    os.close(its)
    terminal = Terminal(process.pid)
    loop = asyncio.get_running_loop()

    def read() -> None:
        try:
            terminal.written += len(os.read(ours, 1 << 16))
        except OSError:
            loop.remove_reader(ours)

    loop.add_reader(ours, read)
    try:
        yield terminal
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        loop.remove_reader(ours)
        os.close(ours)
