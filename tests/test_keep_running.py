from __future__ import annotations

import asyncio
from typing import Any

import pytest

import sengine.keep_running
from sengine.errors import SengineError
from sengine.keep_running import keep_running
from tests.patience import PATIENCE_S


async def test_what_ended_is_started_until_it_runs_and_watched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sengine.keep_running, "_FIRST_WAIT_S", 0.001)
    ends: asyncio.Queue[int] = asyncio.Queue()
    attempts: list[BaseException | None] = [SengineError("no room"), OSError("no memory"), None, None]
    said: list[tuple[str, str, dict[str, Any]]] = []
    runs_again = asyncio.Semaphore(0)

    async def start() -> None:
        error = attempts.pop(0)
        if error is not None:
            raise error
        runs_again.release()

    watching = asyncio.create_task(
        keep_running("the thing", ends.get, start, lambda level, event, **fields: said.append((level, event, fields)))
    )
    for code in (-9, 1):
        ends.put_nowait(code)
        await asyncio.wait_for(runs_again.acquire(), PATIENCE_S)
    watching.cancel()
    assert attempts == []
    assert said[:3] == [
        ("error", "the thing ended; starting it again", {"exit_code": -9}),
        ("error", "the thing cannot be started again yet", {"reason": "no room"}),
        ("error", "the thing cannot be started again yet", {"reason": "no memory"}),
    ]
    assert said[3][:2] == ("warning", "the thing runs again")
    assert said[4][2] == {"exit_code": 1}
