"""``sengine strategy-host``: one Python strategy in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sengine.cli.strategy_folder import DEFAULT_DIRECTORY, DirectoryOption, known_strategies

if TYPE_CHECKING:
    from collections.abc import Callable

    from sengine.adapters.remote.host_server import StrategyServer


def strategy_host(
    strategy: Annotated[str, typer.Argument(metavar="MODULE_OR_FILE", help="Strategy, as in module:, or its file.")],
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT|unix:/PATH", help="Where engines call; port 0 takes any free one.")
    ] = "127.0.0.1:0",
    directory: DirectoryOption = DEFAULT_DIRECTORY,
    tls_cert: Annotated[str, typer.Option(metavar="FILE", help="Server certificate; with --tls-key: TLS.")] = "",
    tls_key: Annotated[str, typer.Option(metavar="FILE", help="Private key of --tls-cert.")] = "",
    tls_ca: Annotated[
        str, typer.Option(metavar="FILE", help="CA; engines must then present a certificate it signed.")
    ] = "",
    memory_mb: Annotated[
        int, typer.Option(metavar="MB", min=0, help="Megabytes that the strategy may take; 0: no limit (Linux).")
    ] = 0,
    address_file: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the address there.")] = None,
    sources_file: Annotated[Path | None, typer.Option("--sources-file", hidden=True)] = None,
    tell_output: Annotated[int, typer.Option("--tell-output", hidden=True, metavar="LINES")] = 0,
    die_with_parent: Annotated[bool, typer.Option("--die-with-parent", hidden=True)] = False,
) -> None:
    """Host a Python strategy for engines that reach it with `type: grpc` and `address:`.

    With `isolation: process` the engine starts this by itself. STRATEGY_HOST_TOKEN, when set, is asked of every caller.

    Example: `sengine strategy-host momentum --listen 127.0.0.1:50051`
    """
    import faulthandler
    import os
    import signal
    import sys
    from contextlib import nullcontext
    from functools import partial

    import uvloop

    from sengine.adapters.containment.forks import forks_forbidden
    from sengine.adapters.containment.strategy_output import StrategyOutput
    from sengine.adapters.remote.host_output import line_writer
    from sengine.adapters.remote.host_server import TOKEN_VARIABLE, HostSecurity, StrategyServer
    from sengine.adapters.remote.host_service import EventClock
    from sengine.adapters.remote.process import write_sources
    from sengine.adapters.transport.memory_limit import MemoryLimit
    from sengine.adapters.transport.processes import watch_parent
    from sengine.assembly import host_spec
    from sengine.cli.console import unfiltered
    from sengine.engine.strategies.guard import Guard
    from sengine.errors import PluginError
    from sengine.plugins.loader import load_plugin

    if die_with_parent:
        watch_parent()
    if sys.__stderr__ is not None:
        # Tells there where a strategy is that does not answer.
        faulthandler.register(signal.SIGUSR2, file=sys.__stderr__)
    file = known_strategies(directory).find(strategy)
    clock, announce = EventClock(), partial(print, file=sys.stdout, flush=True)
    # Whatever is printed here is the strategy's; the engine that started this reads it and says whose.
    telling = StrategyOutput(lambda: "it", clock.now_ns, line_writer(unfiltered(sys.stdout)), per_second=tell_output)
    with telling if tell_output else nullcontext(), forks_forbidden(Guard()):
        memory = MemoryLimit(memory_mb)
        memory.begin()
        try:
            with memory:
                loaded = load_plugin(file)
            memory.is_loaded()
        except PluginError as error:
            raise memory.explained(error) from error
        if sources_file is not None:
            write_sources(sources_file, loaded.sources)
        security = HostSecurity(os.environ.get(TOKEN_VARIABLE, ""), tls_cert, tls_key, tls_ca)
        server = StrategyServer(lambda *request: host_spec(loaded, *request), listen, security, memory, clock)
        uvloop.run(_serve(server, f"{loaded.plugin.name} {loaded.version}", address_file, announce))


async def _serve(server: StrategyServer, name: str, address_file: Path | None, announce: Callable[[str], None]) -> None:
    import asyncio
    import gc
    import signal

    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    try:
        address = await server.start()
        announce(f"strategy {name} at {address}")
        if address_file is not None:
            # Readers see all of it or nothing.
            whole = address_file.with_name(address_file.name + ".new")
            whole.write_text(address + "\n", "utf-8")
            whole.replace(address_file)
        # What is loaded stays; looking through it again and again would hold up ticks.
        gc.freeze()
        await asked.wait()
    finally:
        await server.stop()
