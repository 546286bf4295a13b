"""``sengine attach --web`` as a process, asked by a Websocket client and, where there is one, by a real browser."""

from __future__ import annotations

import asyncio
import base64
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import which
from typing import Any

import aiohttp
import pytest

from tests.adapters.served_engine import live_engine, served
from tests.engine.conftest import Actor
from tests.integration.engine_process import ENVIRONMENT
from tests.integration.test_faults import free_port
from tests.patience import PATIENCE_S


@asynccontextmanager
async def in_browser(folder: Path) -> AsyncIterator[str]:
    """The address of the screens of an engine with one strategy."""
    async with served(live_engine(Actor("momentum_btc")), folder) as (client, _):
        command = [sys.executable, "-m", "sengine", "attach", str(client.address), "--web", "--port", str(free_port())]
        server = await asyncio.create_subprocess_exec(
            *command,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=ENVIRONMENT | {"XDG_CONFIG_HOME": str(folder)},
        )
        try:
            assert server.stderr is not None
            line = await asyncio.wait_for(server.stderr.readline(), PATIENCE_S)
            found = re.search(rb"http://\S+", line)
            assert found is not None, line
            yield found[0].decode()
        finally:
            if server.returncode is None:
                server.terminate()
            await asyncio.wait_for(server.wait(), PATIENCE_S)


async def test_a_browser_session_paints_the_dashboard_and_takes_keys(tmp_path: Path) -> None:
    async with (
        in_browser(tmp_path) as address,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as page,
    ):
        async with page.get(address) as answer:
            assert answer.status == 200
            text = await answer.text()
            assert "sengine" in text
            assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        socket = re.search(r'ws://[^"]+', text)
        assert socket is not None
        async with page.ws_connect(f"{socket[0]}?width=120&height=40") as screen:
            await painted(screen, "momentum_btc")
            await screen.send_json(["stdin", "p"])
            await painted(screen, "is paused")


async def test_without_the_key_nothing_is_served(tmp_path: Path) -> None:
    async with in_browser(tmp_path) as address, aiohttp.ClientSession() as stranger:
        place = address.partition("?")[0]
        for path in ("", "?key=guess", "ws", "static/js/textual.js"):
            async with stranger.get(place + path) as answer:
                assert answer.status == 403
                assert "with its key" in await answer.text()


@pytest.mark.skipif(which("chromium") is None, reason="chromium is not installed")
async def test_a_real_browser_shows_the_dashboard(tmp_path: Path) -> None:
    async with in_browser(tmp_path) as address, chromium(tmp_path / "profile") as browser:
        await browser("Page.navigate", url=address)
        picture = b""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                reply = await browser(
                    "Runtime.evaluate", expression="document.querySelector('.xterm-rows, .xterm-screen canvas') != null"
                )
                shot = await browser("Page.captureScreenshot")
                before, picture = picture, base64.b64decode(shot["data"])
                if reply["result"].get("value") and len(picture) > 40_000 and before:
                    break
                await asyncio.sleep(0.1)
        (tmp_path / "screen.png").write_bytes(picture)


@asynccontextmanager
async def chromium(profile: Path) -> AsyncIterator[Any]:
    """A call into a browser's only page, by the DevTools protocol."""
    process = await asyncio.create_subprocess_exec(
        "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0",
        "--window-size=1280,800", f"--user-data-dir={profile}", "about:blank",
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        async with asyncio.timeout(PATIENCE_S):
            async for line in process.stderr:
                if found := re.search(rb"ws://(\S+?)/devtools", line):
                    break
            assert found is not None
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://{found[1].decode()}/json/list") as answer:
                pages = [each for each in await answer.json() if each["type"] == "page"]
            async with session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0) as socket:

                async def call(method: str, **parameters: Any) -> Any:
                    await socket.send_json({"id": 1, "method": method, "params": parameters})
                    while (reply := await socket.receive_json(timeout=PATIENCE_S)).get("id") != 1:
                        pass
                    return reply["result"]

                yield call
    finally:
        process.kill()
        await process.wait()


async def painted(screen: aiohttp.ClientWebSocketResponse, text: str) -> None:
    """Wait until the terminal's bytes hold a text."""
    seen = b""
    async with asyncio.timeout(PATIENCE_S):
        async for message in screen:
            if message.type is aiohttp.WSMsgType.BINARY:
                seen += message.data
                if text in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode(errors="replace")):
                    return
    raise AssertionError(f"the screen was closed before {text} came")
