from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from sengine.adapters.web.http import HttpServer
from sengine.adapters.web.listener import MOST_CONNECTIONS, Listener
from sengine.domain.events import Shutdown
from sengine.errors import SengineError
from sengine.runtime.live_engine import LiveEngine
from sengine.runtime.status import ServiceStatus
from tests.adapters.served_engine import Stats, live_engine
from tests.engine.conftest import Actor, long, quote, short
from tests.patience import PATIENCE_S


@asynccontextmanager
async def site(
    live: LiveEngine, facts: ServiceStatus | None = None, **rest: Any
) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    facts = facts or ServiceStatus("test-engine", strategies_are_loaded=True)
    server = HttpServer(live, facts, **rest)
    url = await server.start()
    try:
        async with aiohttp.ClientSession() as session:
            yield session, url
    finally:
        await server.stop()


async def get(session: aiohttp.ClientSession, url: str, **rest: Any) -> tuple[int, Any]:
    async with session.get(url, **rest) as answer:
        return answer.status, await answer.json()


async def test_it_listens_on_loopback_by_default() -> None:
    async with site(live_engine()) as (_, url):
        assert url.startswith("http://127.0.0.1:")
        assert not url.endswith(":0")


async def test_health_is_ok_as_soon_as_the_loop_runs() -> None:
    async with site(live_engine(), ServiceStatus("test-engine")) as (session, url):
        status, body = await get(session, f"{url}/health")
    assert status == 200
    assert body["status"] == "ok"
    assert body["service"] == "test-engine"
    assert body["uptime_s"] >= 0


async def test_ready_says_what_is_missing_until_nothing_is() -> None:
    live = live_engine()
    stats = Stats()
    facts = ServiceStatus("test-engine", feed=stats)
    async with site(live, facts) as (session, url):
        stats.state = "reconnecting"
        assert await get(session, f"{url}/ready") == (
            503,
            {
                "status": "not ready",
                "reasons": ["strategies are still being loaded", "the broker is not connected: reconnecting"],
            },
        )
        facts.strategies_are_loaded, stats.state = True, "connected"
        assert (await get(session, f"{url}/ready"))[1]["reasons"] == ["no strategy is loaded"]
        live.engine.registry.load(Actor("a").spec)
        assert await get(session, f"{url}/ready") == (200, {"status": "ready", "reasons": []})
        live.process(Shutdown())
        assert (await get(session, f"{url}/ready"))[0] == 503


async def test_signals_are_a_list_of_what_the_plan_says_oldest_first() -> None:
    live = live_engine(Actor("a", long(0.8), short(0.1)))
    live.process(quote(1_723_161_255.5))
    live.process(quote(1_723_161_256.0))
    async with site(live) as (session, url):
        first, second = (await get(session, f"{url}/api/signals"))[1]
    assert list(first)[:7] == [
        "timestamp", "strategy_id", "symbol", "direction", "confidence", "filtered", "filter_reason",
    ]  # fmt: skip
    assert list(first.values())[:7] == ["2024-08-08T23:54:15.500000000Z", "a", "BTC", "LONG", 0.8, False, ""]
    assert list(second.values())[:6] == ["2024-08-08T23:54:16.000000000Z", "a", "BTC", "SHORT", 0.1, True]
    assert second["filter_reason"] == second["reason"] != ""
    assert (first["disposition"], second["disposition"], second["check"]) == ("passed", "filtered", "confidence")
    assert datetime.fromisoformat(first["timestamp"]).timestamp() == 1_723_161_255.5
    assert first["timestamp_ns"] == 1_723_161_255_500_000_000


async def test_the_newest_signals_are_found_by_strategy_and_disposition() -> None:
    live = live_engine(Actor("a", long(0.8), short(0.1), short(0.2)), Actor("b", short(0.3)))
    for second in range(3):
        live.process(quote(float(second)))
    async with site(live) as (session, url):
        every = (await get(session, f"{url}/api/signals"))[1]
        assert [(each["strategy_id"], each["confidence"]) for each in every] == [
            ("a", 0.8),
            ("b", 0.3),
            ("a", 0.1),
            ("a", 0.2),
        ]
        query = {"limit": "1", "strategy": "a", "disposition": "filtered"}
        (one,) = (await get(session, f"{url}/api/signals", params=query))[1]
        assert (one["check"], one["confidence"]) == ("confidence", 0.2)
        assert (await get(session, f"{url}/api/signals?strategy=nobody"))[1] == []


async def test_a_signal_that_lost_the_vote_was_not_filtered() -> None:
    live = live_engine(Actor("a", long(0.9)), Actor("b", short(0.1)))
    live.process(quote(0.0))
    async with site(live) as (session, url):
        answer = (await get(session, f"{url}/api/signals"))[1]
    (lost,) = [each for each in answer if each["strategy_id"] == "b"]
    assert (lost["disposition"], lost["filtered"], lost["filter_reason"]) == ("overruled", False, "")


async def test_a_strategy_has_the_plans_count_and_time_of_its_signals() -> None:
    live = live_engine(Actor("a", long()), Actor("b"))
    live.process(quote(1_723_161_255.0))
    async with site(live) as (session, url):
        a, b = (await get(session, f"{url}/api/strategies"))[1]["strategies"]
    assert (a["signal_count"], a["last_signal_time"]) == (1, "2024-08-08T23:54:15.000000000Z")
    assert (b["signal_count"], b["last_signal_time"]) == (0, None)
    assert a.keys() >= {"strategy_id", "is_active", "position", "unrealized_pnl", "realized_pnl"}


async def test_strategies_and_positions_are_pages() -> None:
    live = live_engine(Actor("a", long()), Actor("b"))
    live.process(quote(1.0))
    async with site(live) as (session, url):
        body = (await get(session, f"{url}/api/strategies"))[1]
        assert [(each["strategy_id"], each["state"]) for each in body["strategies"]] == [
            ("a", "ACTIVE"),
            ("b", "ACTIVE"),
        ]
        body = (await get(session, f"{url}/api/positions"))[1]
        assert [(each["symbol"], each["quantity"]) for each in body["positions"]] == [("BTC", 1.0)]
        assert body["unrealized_pnl"] == -1.0
        assert (await get(session, f"{url}/api/positions?strategy=b"))[1]["positions"] == []


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/api/signals?limit=0", 'limit: expected an integer from 1 to 1000, got "0"'),
        ("/api/signals?limit=1001", "limit: expected"),
        ("/api/signals?limit=ten", "limit: expected"),
        ("/api/signals?limit=%C2%B2", "limit: expected"),
        ("/api/signals?limit=" + "9" * 1000, "limit: expected"),
        ("/api/signals?limit=1&limit=2", "limit: expected once"),
        ("/api/signals?disposition=lost", "disposition: expected one of passed, overruled, filtered, no_change"),
        ("/api/signals?colour=red", 'no query parameter "colour"; expected limit, strategy, disposition'),
        ("/api/strategies?limit=1", "this page takes none"),
        ("/api/positions?strategy=nobody", 'strategy: there is no strategy "nobody"'),
    ],
)
async def test_a_bad_query_is_400_with_a_sentence(path: str, sentence: str) -> None:
    async with site(live_engine(Actor("a"))) as (session, url):
        status, body = await get(session, url + path)
    assert status == 400
    assert sentence in body["error"]


async def test_unknown_pages_are_404_and_name_the_known_ones() -> None:
    async with site(live_engine()) as (session, url):
        status, body = await get(session, f"{url}/api/orders")
    assert status == 404
    assert "/api/positions" in body["error"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_it_is_read_only(method: str) -> None:
    async with site(live_engine()) as (session, url):
        for path in ("/health", "/api/positions", "/nowhere"):
            async with session.request(method, url + path) as answer:
                assert answer.status == 405
                assert answer.headers["Allow"] == "GET, HEAD"


async def test_head_answers_like_get_without_a_body() -> None:
    async with site(live_engine()) as (session, url), session.head(f"{url}/health") as answer:
        assert answer.status == 200
        assert await answer.read() == b""


async def test_large_headers_lines_and_bodies_are_refused() -> None:
    async with site(live_engine()) as (session, url):
        assert (await get_status(session, url, headers={"X-Flood": "x" * 10_000})) == 400
        assert (await get_status(session, f"{url}?{'x' * 10_000}")) == 400
        many = {f"X-Flood-{number}": "x" for number in range(200)}
        assert (await get_status(session, url, headers=many)) == 400
        async with session.post(url, data=b"x" * 1_000_000) as answer:
            assert answer.status == 405


async def get_status(session: aiohttp.ClientSession, url: str, **rest: Any) -> int:
    async with session.get(url, **rest) as answer:
        return answer.status


async def test_a_page_of_another_name_cannot_read_a_loopback_address() -> None:
    async with site(live_engine()) as (session, url):
        assert await get_status(session, f"{url}/api/positions", headers={"Host": "evil.example:9092"}) == 403
        for host in ("localhost:9092", "127.0.0.1", "[::1]:9092"):
            assert await get_status(session, f"{url}/api/positions", headers={"Host": host}) == 200


async def test_metrics_can_be_left_out() -> None:
    async with site(live_engine(), metrics=False) as (session, url):
        assert await get_status(session, f"{url}/metrics") == 404


async def test_a_taken_port_says_so() -> None:
    async with site(live_engine()) as (_, url):
        second = HttpServer(live_engine(), ServiceStatus("x"), port=int(url.rpartition(":")[2]))
        with pytest.raises(SengineError, match=f"cannot listen on {url}: .*service.port"):
            await second.start()


async def test_a_stopped_server_no_longer_answers() -> None:
    server = HttpServer(live_engine(), ServiceStatus("x"))
    url = await server.start()
    await server.stop()
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await asyncio.wait_for(get_status(session, f"{url}/health"), PATIENCE_S)


async def test_a_port_for_monitoring_has_health_and_metrics_and_no_positions() -> None:
    async with site(live_engine(), pages=False) as (session, url):
        for page in ("/health", "/ready", "/metrics"):
            assert await get_status(session, url + page) in (200, 503)
        status, body = await get(session, f"{url}/api/positions")
    assert status == 404
    assert "/api" not in body["error"]


async def test_a_taken_port_for_monitoring_names_its_own_key() -> None:
    async with site(live_engine()) as (_, url):
        port = int(url.rpartition(":")[2])
        second = HttpServer(live_engine(), ServiceStatus("x"), port=port, place="service.metrics_port")
        with pytest.raises(SengineError, match=r"set service\.metrics_port to a free address"):
            await second.start()


async def test_idle_connections_of_anybody_are_bounded_and_keep_nobody_out() -> None:
    live = live_engine()
    async with site(live) as (session, url):
        port = int(url.rpartition(":")[2])
        held = []
        try:
            for _ in range(3 * MOST_CONNECTIONS):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"GET /health HTTP/1.1\r\nHost: local")
                held.append((reader, writer))
                assert await get_status(session, f"{url}/health", headers={"Connection": "close"}) == 200
            ended = 0
            for reader, _ in held[: 2 * MOST_CONNECTIONS]:
                with contextlib.suppress(ConnectionError):
                    assert await asyncio.wait_for(reader.read(1), PATIENCE_S) == b""
                ended += 1
            assert ended == 2 * MOST_CONNECTIONS
        finally:
            for _, writer in held:
                writer.close()
    told = [line.event for line in live.logs.history]
    assert told == [
        f"{MOST_CONNECTIONS} HTTP connections are open and no more are held: the oldest idle one was closed"
    ]


async def test_where_all_connections_are_at_work_the_next_one_is_turned_away() -> None:
    async def never(_: web.BaseRequest) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    runner = web.ServerRunner(web.Server(never))
    await runner.setup()
    assert runner.server is not None
    listener = Listener(runner.server, lambda each: True, lambda *_, **__: None, most=2)
    port = await listener.start("127.0.0.1", 0)
    try:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(held[2][0].read(1), PATIENCE_S) == b""
        held[0][1].write(b"GET / HTTP/1.1\r\n\r\n")
        await held[0][1].drain()
        for _, writer in held:
            writer.close()
    finally:
        await listener.stop()
        await runner.cleanup()


MALFORMED = (
    b"GARBAGE\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 9000 + b"\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"\x1b]0;title\x07 / HTTP/1.1\r\n\r\n",
)


async def test_malformed_requests_are_one_line_however_many_come(capfd: pytest.CaptureFixture[str]) -> None:
    live = live_engine()
    async with site(live) as (session, url):
        host, port = url.removeprefix("http://").split(":")
        for sent in MALFORMED * 5:
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(sent)
            writer.write_eof()
            answer = await asyncio.wait_for(reader.read(), PATIENCE_S)
            assert answer == b"" or answer.startswith(b"HTTP/1.")
            assert b" 200 " not in answer[:20]
            writer.close()
        assert (await get(session, f"{url}/health"))[0] == 200
    (line,) = live.logs.history
    assert (line.level, line.event) == ("warning", "a malformed HTTP request was refused")
    assert "Traceback" not in "".join(capfd.readouterr())
    assert "\x1b" not in str(line.fields)
