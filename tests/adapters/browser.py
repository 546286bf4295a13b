"""A real headless browser, driven over its debugging protocol."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from tests.patience import PATIENCE_S

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_DEADLINE_S = PATIENCE_S


class Tab:
    """One page. ``evaluate`` runs JavaScript in it and returns its value."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.complaints: list[str] = []
        """What the page logged as an error, refused to load or raised."""

    async def call(self, method: str, **params: Any) -> Any:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        async with asyncio.timeout(_DEADLINE_S):
            while True:
                message = await self._socket.receive_json()
                self._listen(message)
                if message.get("id") == number:
                    assert "error" not in message, message["error"]
                    return message["result"]

    def _listen(self, message: dict[str, Any]) -> None:
        if message.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(message["params"]["exceptionDetails"]))
        elif message.get("method") == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
            self.complaints.append(message["params"]["entry"]["text"])

    async def evaluate(self, expression: str) -> Any:
        found = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return found["result"].get("value")

    async def until(self, expression: str) -> Any:
        """The value of ``expression`` once it is true."""
        async with asyncio.timeout(_DEADLINE_S):
            while not (value := await self.evaluate(expression)):
                await asyncio.sleep(0.05)
        return value


@asynccontextmanager
async def open_tab(url: str, width: int = 1200, height: int = 900) -> AsyncIterator[Tab]:
    """The page at ``url`` in a browser of its own, which is gone afterwards."""
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = [
            "--headless",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--remote-debugging-port=0",
        ]
        options += ["--no-sandbox"] if os.geteuid() == 0 else []
        process = await asyncio.create_subprocess_exec(
            CHROMIUM, *options, f"--user-data-dir={profile}", "about:blank",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(_DEADLINE_S):
                debugger = await _debugger(process)
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://{debugger}/json/list") as answer:
                    page = next(each for each in await answer.json() if each["type"] == "page")
                async with session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    tab = Tab(socket)
                    for domain in ("Runtime", "Log", "Page"):
                        await tab.call(f"{domain}.enable")
                    await tab.call(
                        "Emulation.setDeviceMetricsOverride",
                        width=width,
                        height=height,
                        deviceScaleFactor=1,
                        mobile=width < 600,
                    )
                    await tab.call("Page.navigate", url=url)
                    yield tab
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()


async def _debugger(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    async for line in process.stderr:
        found = re.search(rb"DevTools listening on ws://([^/]+)/", line)
        if found:
            return found[1].decode()
    raise AssertionError("the browser ended before it listened")
