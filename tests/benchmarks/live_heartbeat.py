"""The live service with a heartbeat: notes how long each turn of its loop takes. Argument: a configuration file.

Prints the URL of its pages once it runs. After SIGTERM it prints the turns longer than 50 us: end (ns of the monotonic
clock, the same for all processes), length (ns), and processor time (ns): what of the length this process used itself.
The loop never waits here, so the rest of it went to other processes.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from time import monotonic_ns, thread_time_ns

import msgspec
import uvloop

from sengine.config import load_config
from sengine.runtime.logging import configure_logging
from sengine.service.service import EngineService, config_reader

NOTED_FROM_NS = 50_000


class Heartbeat:
    """Asks for the loop's next turn in every turn, and notes when it comes late."""

    def __init__(self) -> None:
        self.late: list[tuple[int, int, int]] = []
        self._loop = asyncio.get_running_loop()
        self._last_ns = monotonic_ns()
        self._last_used_ns = thread_time_ns()

    def beat(self) -> None:
        now_ns, used_ns = monotonic_ns(), thread_time_ns()
        if now_ns - self._last_ns > NOTED_FROM_NS:
            self.late.append((now_ns, now_ns - self._last_ns, used_ns - self._last_used_ns))
        self._last_ns, self._last_used_ns = now_ns, used_ns
        self._loop.call_soon(self.beat)


async def main(file: Path) -> None:
    config = load_config(file)
    configure_logging(config.logging.level, config.logging.format)
    hearts: list[Heartbeat] = []

    def on_started(service: EngineService) -> None:
        hearts.append(Heartbeat())
        hearts[0].beat()
        _say({"url": service.facts.listeners["http"]})

    await EngineService(config, config_reader(file, ()), config_file=file, on_started=on_started).run()
    _say({"late": hearts[0].late})


def _say(what: dict[str, object]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(what) + b"\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1])))
