from __future__ import annotations

import asyncio
from typing import Any

import pytest

import sengine.runtime.supervision
from sengine.errors import SengineError
from sengine.runtime.supervision import keep_doing, keep_running
from tests.patience import PATIENCE_S


async def test_what_ended_is_started_until_it_runs_and_watched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sengine.runtime.supervision, "_FIRST_WAIT_S", 0.001)
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


async def test_a_task_that_fails_is_said_at_once_with_its_name_and_place_and_begun_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sengine.runtime.supervision, "_TASK_WAIT_S", 0.001)
    errors: list[Exception] = [TypeError("no such thing"), ValueError("bad day")]
    goes_on = asyncio.Event()
    said: list[tuple[str, str, dict[str, Any]]] = []

    async def look_out() -> None:
        if errors:
            raise errors.pop(0)
        goes_on.set()
        await asyncio.Event().wait()

    doing = asyncio.create_task(
        keep_doing("look-out", look_out, lambda level, event, **fields: said.append((level, event, fields)))
    )
    await asyncio.wait_for(goes_on.wait(), PATIENCE_S)
    doing.cancel()
    await asyncio.gather(doing, return_exceptions=True)
    assert doing.cancelled()
    assert [(level, event) for level, event, _ in said] == [
        ("error", "the look-out failed; it is begun again in 0.001 s"),
        ("error", "the look-out failed; it is begun again in 0.002 s"),
    ]
    assert [fields["reason"] for *_, fields in said] == ["TypeError: no such thing", "ValueError: bad day"]
    assert "test_keep_running.py:" in said[0][2]["where"]
