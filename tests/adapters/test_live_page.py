from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from sengine.adapters.web import live_page
from sengine.adapters.web.http import HttpServer
from sengine.adapters.web.live_page import MAX_READERS
from sengine.domain.events import KillSwitch, PauseStrategy
from sengine.runtime.live_engine import LiveEngine
from sengine.runtime.status import ServiceStatus
from tests.adapters.browser import CHROMIUM, open_tab
from tests.adapters.served_engine import live_engine
from tests.engine.conftest import Actor, long, quote
from tests.patience import PATIENCE_S

MARKUP = "<img src=x onerror=document.title='owned'>"
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")


@asynccontextmanager
async def page_of(live: LiveEngine) -> AsyncIterator[str]:
    server = HttpServer(live, ServiceStatus("desk", strategies_are_loaded=True))
    url = await server.start()
    try:
        yield url
    finally:
        await server.stop()


def trading_engine() -> LiveEngine:
    live = live_engine(Actor("buyer", long(), long(), long()))
    live.process(quote(1, symbol="BTCUSDT"))
    return live


async def test_the_page_and_its_parts_come_from_the_engine_and_may_load_nothing_else() -> None:
    async with page_of(live_engine()) as url, aiohttp.ClientSession() as session:
        for path, kind in (("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript")):
            async with session.get(url + path) as answer:
                assert (answer.status, answer.content_type) == (200, kind)
                assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
                text = await answer.text()
                assert "https://" not in text
                assert "innerHTML" not in text


async def test_the_stream_begins_with_a_snapshot_and_past_signals_and_goes_on() -> None:
    live = trading_engine()
    async with page_of(live) as url, aiohttp.ClientSession() as session, session.get(f"{url}/events") as stream:
        assert stream.content_type == "text/event-stream"
        name, snapshot = await next_event(stream)
        assert name == "snapshot"
        assert snapshot["service"]["name"] == "desk"
        name, signals = await next_event(stream)
        assert name == "signals"
        assert [each["symbol"] for each in signals] == ["BTCUSDT"]
        assert (await next_event(stream))[0] == "snapshot"


async def test_a_page_too_many_is_refused_and_a_closed_one_makes_room() -> None:
    async with page_of(live_engine()) as url, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        streams = [await session.get(f"{url}/events") for _ in range(MAX_READERS)]
        async with session.get(f"{url}/events") as refused:
            assert refused.status == 503
            assert "open already" in (await refused.json())["error"]
        streams.pop().close()
        async with asyncio.timeout(PATIENCE_S):
            while True:
                async with session.get(f"{url}/events") as again:
                    if again.status == 200:
                        break
        for stream in streams:
            stream.close()


async def next_event(stream: aiohttp.ClientResponse) -> tuple[str, object]:
    async with asyncio.timeout(PATIENCE_S):
        name = (await stream.content.readline()).decode().removeprefix("event: ").strip()
        data = json.loads((await stream.content.readline()).decode().removeprefix("data: "))
        await stream.content.readline()
    return name, data


@needs_browser
async def test_a_browser_shows_what_trades_and_why_a_signal_was_refused() -> None:
    live = trading_engine()
    live.process(KillSwitch("drill"))
    live.process(quote(2, symbol="BTCUSDT"))
    async with page_of(live) as url, open_tab(url) as tab:
        text = await tab.until("document.querySelectorAll('#signals tr').length == 2 && document.body.innerText")
        assert "kill switch: drill" in text
        assert "kill_switch: the kill switch is pulled: drill" in text
        assert "buyer" in text
        assert await tab.evaluate("document.querySelectorAll('#latency-picture rect').length") > 4
        assert tab.complaints == []


@needs_browser
async def test_a_browser_follows_the_engine() -> None:
    live = trading_engine()
    async with page_of(live) as url, open_tab(url) as tab:
        await tab.until("document.querySelectorAll('#signals tr').length == 1")
        live.process(quote(3, symbol="ETHUSDT"))
        await tab.until("document.getElementById('signals').innerText.includes('ETHUSDT')")
        live.process(PauseStrategy("buyer", "lunch"))
        await tab.until("document.getElementById('strategies').innerText.includes('paused: lunch')")


@needs_browser
async def test_strings_with_markup_are_shown_as_text() -> None:
    live = trading_engine()
    live.process(quote(3, symbol=MARKUP))
    live.process(PauseStrategy("buyer", MARKUP))
    async with page_of(live) as url, open_tab(url) as tab:
        await tab.until(f"document.getElementById('signals').innerText.includes({json.dumps(MARKUP)})")
        await tab.until(f"document.getElementById('strategies').innerText.includes({json.dumps(MARKUP)})")
        assert await tab.evaluate("document.images.length") == 0
        assert "owned" not in await tab.evaluate("document.title")


@needs_browser
async def test_a_phone_needs_not_scroll_sideways() -> None:
    async with page_of(trading_engine()) as url, open_tab(url, width=390, height=800) as tab:
        await tab.until("document.querySelectorAll('#strategies tr').length == 1")
        assert await tab.evaluate("document.documentElement.scrollWidth") <= 390


async def test_a_reader_that_never_reads_is_dropped_and_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_page, "WRITE_WITHIN_S", 0.2)
    monkeypatch.setattr(live_page, "_INTERVAL_S", 0.001)
    live = trading_engine()
    async with page_of(live) as url:
        place = url.removeprefix("http://").split(":")
        idle = []
        for _ in range(MAX_READERS):
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.setblocking(False)
            await asyncio.get_running_loop().sock_connect(connection, (place[0], int(place[1])))
            await asyncio.get_running_loop().sock_sendall(
                connection, b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"
            )
            idle.append(connection)
        async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE_S):
            while True:
                async with session.get(f"{url}/events") as stream:
                    if stream.status == 200:
                        assert (await next_event(stream))[0] == "snapshot"
                        break
                await asyncio.sleep(0.05)
        for connection in idle:
            connection.close()
    assert "a reader of the page was dropped: it did not read" in [line.event for line in live.logs.history]
