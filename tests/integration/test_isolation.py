"""What `isolation: process` contains: strategies that would end or hang the engine end or hang their own process."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import indent

from sengine.adapters.transport.memory_limit import IS_ENFORCED
from tests.integration.engine_process import EngineProcess, book, flipper, publisher, until

NewEngine = Callable[..., EngineProcess]

HOSTILE = {
    "endless_c_call": "import itertools, collections\ncollections.deque(itertools.repeat(None), maxlen=0)",
    "endless_loop": "while True:\n    pass",
    "exits_hard": "os._exit(7)",
    "crashes": "import ctypes\nctypes.string_at(0)",
    "kills_itself": "os.kill(os.getpid(), 9)",
    "raises": "raise BaseException('bad day')",
    "eats_memory": "self.kept = getattr(self, 'kept', [])\nwhile True:\n    self.kept.append(bytearray(8 << 20))",
}
WORDS = {
    "exits_hard": "its process ended with exit code 7",
    "crashes": "its process was ended by signal 11",
    "kills_itself": "its process was ended by signal 9",
    "raises": "BaseException: bad day",
    "eats_memory": "MemoryError: it needs more than the 64 MB that its process may take (memory_mb)",
}
SOURCE = """
import os
from sengine.strategy import BaseStrategy

class Guest(BaseStrategy):
    def on_tick(self, data):
{body}

def create_strategy():
    return Guest("guest")
"""


async def test_hostile_strategies_in_processes_of_their_own_leave_the_engine_and_their_neighbour_alone(
    new_engine: NewEngine,
) -> None:
    engine = new_engine({})
    hostile = {name: body for name, body in HOSTILE.items() if IS_ENFORCED or name != "eats_memory"}
    for name, body in hostile.items():
        source = SOURCE.format(body=indent(body, " " * 8))
        (engine.folder / "strategies" / f"{name}.py").write_text(source)
    guests = [{"id": name, "plugin": name, "isolation": "process", "memory_mb": 64} for name in hostile]
    engine.configure({"strategies": [*guests, flipper()]})
    engine.start()
    await engine.ready()
    async with publisher(engine.listeners["nats broker"]) as (_, publish):
        await publish(book(step) for step in range(1, 51))
        await until(lambda: engine.ticks() == 50)
        for name, words in WORDS.items():
            if name in hostile:
                told = lambda name=name, words=words: [  # noqa: E731
                    line for line in engine.said("") if line.get("strategy_id") == name and words in line["event"]
                ]
                await until(told, what=f"{name}: {words}")
        await publish(book(step) for step in range(51, 101))
        await until(lambda: engine.ticks() == 100)
    seen = {each["strategy_id"]: each for each in engine.get("/api/strategies")["strategies"]}
    assert seen["flip"]["ticks"] == 100
    assert seen["flip"]["state"] == "ACTIVE"
    await until(lambda: engine.said("strategy endless_c_call is stalled: its process does not answer"))
    assert engine.get("/ready")["status"] == "ready"
    assert await engine.terminate() == 0
