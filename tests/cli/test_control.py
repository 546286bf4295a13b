"""The commands as processes of their own, against a served engine."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson

from sengine.adapters.control.server import ControlServer
from sengine.config.schema import ApiConfig
from tests.adapters.served_engine import (
    Service,
    live_engine,
    served,
    within,
)
from tests.engine.conftest import Actor, fill, long, quote


async def sengine(*arguments: object, token: str = "") -> tuple[int, str, str]:
    """Exit code, standard output and standard error of one command."""
    environment = {**os.environ, "COLUMNS": "120", "NO_COLOR": "1", "SENGINE_API_TOKEN": token}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "sengine",
        *map(str, arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    out, err = await within(30, process.communicate())
    return process.returncode or 0, out.decode(), err.decode()


async def test_status_shows_what_trades_what_it_earns_and_its_health(tmp_path: Path) -> None:
    live = live_engine(Actor("alpha", long(), ValueError("broken")), Actor("beta"))
    async with served(live, tmp_path) as (client, _):
        live.process(quote(1.0))
        live.process(quote(2.0, 109.0, 111.0))
        await client.pause("beta", "lunch")
        await client.kill("fat finger")
        config = tmp_path / "config.yaml"
        config.write_text(f"service: {{data_directory: {tmp_path}}}\n")
        (code, out, err), (_, text, _) = await asyncio.gather(
            sengine("status", "-c", config), sengine("status", "--json", "--address", client.address)
        )
    assert (code, err) == (0, "")
    for part in ("test-engine", "ready", "KILL SWITCH PULLED: fat finger", "+9.00", "alpha", "PAUSED", "lunch", "BTC"):
        assert part in out
    assert "ValueError: broken" in out
    assert "max_position 10, used 1 by alpha BTC" in out
    view = orjson.loads(text)
    assert view["kill_reason"] == "fat finger"
    assert view["positions"][0]["quantity"] == 1.0


async def test_commands_do_what_they_say_and_refusals_exit_with_1(tmp_path: Path) -> None:
    live = live_engine(Actor("a"))
    async with served(live, tmp_path) as (client, _):

        def run(*arguments: object) -> Awaitable[tuple[int, str, str]]:
            return sengine(*arguments, "--address", client.address)

        assert await run("pause", "a", "--reason", "lunch") == (0, "strategy a is paused: lunch\n", "")
        again, unknown = await asyncio.gather(run("pause", "a"), run("reload", "nobody"))
        assert again[0] == 1
        assert again[2].startswith("sengine: strategy a is PAUSED and cannot become PAUSED")
        assert unknown == (1, "", 'sengine: there is no strategy "nobody"; loaded: a\n')
        resumed, killed = await asyncio.gather(run("resume", "a"), run("kill", "--reason", "test", "--json"))
        assert resumed[1] == "strategy a is active\n"
        assert orjson.loads(killed[1])["message"].startswith("kill switch pulled: test")
        assert live.engine.kill_reason == "test"
        rearmed, reloaded = await asyncio.gather(run("rearm"), run("reload", "a", "--json"))
        assert rearmed[0] == 0
        assert live.engine.kill_reason == ""
        assert orjson.loads(reloaded[1])["message"] == "strategy a was read again"


async def test_stop_waits_until_the_engine_no_longer_answers(tmp_path: Path) -> None:
    live = live_engine()
    service = Service(live)
    server = ControlServer(live, service, ApiConfig(), tmp_path)
    stopping = asyncio.create_task(stop_when_asked(service, server.stop))
    address = await server.start()
    assert await sengine("stop", "--address", address) == (0, "the engine has stopped\n", "")
    await within(5, stopping)
    code, _, err = await sengine("stop", "--address", address)
    assert (code, err) == (1, f"sengine: no engine answers on {address}; start one with `sengine run`\n")


async def stop_when_asked(service: Service, stop: Callable[[], Awaitable[None]]) -> None:
    await service.was_stopped.wait()
    await stop()


async def test_the_token_comes_from_the_environment_or_the_option(tmp_path: Path) -> None:
    api = ApiConfig(listen="127.0.0.1:0", token="s3cret")
    async with served(live_engine(), tmp_path, api, "s3cret") as (client, _):
        results = await asyncio.gather(
            sengine("status", "--address", client.address),
            sengine("status", "--address", client.address, token="s3cret"),
            sengine("status", "--address", client.address, "--token", "s3cret"),
        )
    assert [code for code, _, _ in results] == [1, 0, 0]
    assert "wants a token, and it is missing; give --token or set SENGINE_API_TOKEN" in results[0][2]


async def test_a_bad_address_is_bad_usage() -> None:
    code, _, err = await sengine("status", "--address", "nonsense")
    assert (code, err) == (2, 'sengine: --address: expected unix:/path or host:port, got "nonsense"\n')


async def test_flatten_says_what_it_would_do_and_does_it_only_when_told_to(tmp_path: Path) -> None:
    live = live_engine(Actor("a", [long(size=2.0), long(limit_price=90.0)], route="direct"))
    async with served(live, tmp_path) as (client, _):
        live.process(quote(1.0))
        asked = await sengine("flatten", "--address", client.address)
        assert (asked[0], asked[1]) == (2, "")
        assert "This cancels 1 order, sells 2 BTC." in asked[2]
        assert "nothing was done: without a terminal to ask on, give --yes" in asked[2]
        assert live.engine.portfolio.quantity("a", "BTC") == 2.0
        done = await sengine("flatten", "--yes", "--strategy", "a", "--json", "--address", client.address)
        assert orjson.loads(done[1]) == {
            "message": "cancels 1 order, sells 2 BTC",
            "cancels": ["2"],
            "trades": [{"symbol": "BTC", "side": "sell", "quantity": 2.0, "strategy_ids": ["a"]}],
            "crosses": [],
        }
        assert live.engine.portfolio.quantity("a", "BTC") == 0.0
        again = await sengine("flatten", "--address", client.address)
        assert again == (0, "nothing to flatten: no position is held and no order rests there\n", "")


async def test_cancel_names_the_order(tmp_path: Path) -> None:
    live = live_engine(Actor("a", long(limit_price=90.0), route="direct"))
    async with served(live, tmp_path) as (client, _):
        live.process(quote(1.0))
        assert await sengine("cancel", "1", "--address", client.address) == (0, "order 1 is being cancelled\n", "")
        code, _, err = await sengine("cancel", "1", "--address", client.address)
    assert (code, err) == (1, 'sengine: no order "1" is open\n')


async def test_fills_that_wait_are_shown_booked_and_refused(tmp_path: Path) -> None:
    live = live_engine(Actor("a", long(size=2.0)), fills=False)
    async with served(live, tmp_path) as (client, _):

        def run(*arguments: object) -> Awaitable[tuple[int, str, str]]:
            return sengine("fills", *arguments, "--address", client.address)

        assert await run() == (0, "no fill waits for you\n", "")
        live.process(quote(1.0))
        for number in (1, 2):
            live.process(fill("1", 1.0, 999.0, fill_id=f"f{number}"))
        code, out, _ = await run("--json")
        assert (code, [each["fill_id"] for each in orjson.loads(out)]) == (0, ["f1", "f2"])
        (_, shown, _), (_, status, _) = await asyncio.gather(run(), sengine("status", "--address", client.address))
        assert all("f2" in each and "`sengine fills accept ID`" in each for each in (shown, status))
        assert "a fill waits for you: f1, buy 1 BTC at 999" in status
        assert (await run("accept", "f1"))[:2] == (0, "fill f1 is booked\n")
        assert (await run("refuse", "f2"))[:2] == (0, "fill f2 is refused; it is not booked\n")
        assert live.engine.portfolio.quantity("a", "BTC") == 1.0
        assert await run("accept", "f2") == (1, "", 'sengine: no fill "f2" waits for you; those that do: none\n')
        assert (
            (await run("accept"))[0] == (await run("accept", "--all"))[0] == (await run("refuse", "x", "--all"))[0] == 2
        )
        for number in range(60):
            live.process(fill("1", 1.0, 999.0, fill_id=f"g{number}"))
        assert (await run("refuse", "--all"))[:2] == (0, "60 fills are refused; they are not booked\n")
        assert not live.engine.held_fills
