"""``sengine attach`` in a real terminal to an engine on the network, and where there is no terminal."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from sengine.config.schema import ApiConfig
from tests.adapters.conftest import certificates
from tests.adapters.served_engine import live_engine, served
from tests.engine.conftest import Actor
from tests.integration.engine_process import ENVIRONMENT
from tests.patience import PATIENCE_S
from tests.tui.terminal import Terminal, needs_tmux

__all__ = ["certificates"]


@needs_tmux
async def test_screens_attach_over_the_network_with_token_and_tls_and_say_what_is_missing(
    tmp_path: Path, certificates: Path
) -> None:
    api = ApiConfig(
        listen="127.0.0.1:0",
        token="s3cret",
        tls_cert=str(certificates / "engine.pem"),
        tls_key=str(certificates / "engine.key"),
    )
    async with served(live_engine(Actor("momentum_btc")), tmp_path, api) as (client, _):
        with Terminal(tmp_path, 120, 40) as terminal:
            attach = f"{sys.executable} -m sengine attach {client.address} --tls-ca {certificates / 'ca.pem'}"
            terminal.run(f"{attach}; echo left=$?")
            # Waiting is the thread's: this loop serves the engine.
            await asyncio.to_thread(terminal.until, "wants a token, and it is missing; give --token", "left=1")
            terminal.run(f"clear; SENGINE_API_TOKEN=s3cret {attach}; echo left=$?")
            await asyncio.to_thread(terminal.until, "no market data yet", "momentum_btc", str(client.address))
            terminal.keys("p")
            await asyncio.to_thread(terminal.until, "paused")
            terminal.keys("q")
            await asyncio.to_thread(terminal.until, "left=0")


@pytest.mark.parametrize(
    ("command", "instead"),
    [
        (["attach"], "`sengine status` shows the engine once"),
        (["replay", "market.csv", "--tui"], "without --tui it prints its result"),
    ],
)
def test_without_a_terminal_there_is_a_sentence_and_no_screen(command: list[str], instead: str, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "sengine", *command],
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert ran.returncode == 2
    assert "wants a terminal, and this is none" in ran.stderr
    assert instead in ran.stderr
    assert "`sengine run --no-tui`" in ran.stderr
    assert "\x1b" not in ran.stdout
