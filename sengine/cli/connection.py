"""Which engine a command is for: the options that say so, declared once, and a question put to that engine."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar, get_type_hints

import typer

if TYPE_CHECKING:
    from sengine.adapters.control.client import ControlClient
    from sengine.config import Config

R = TypeVar("R")

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class EngineAt(NamedTuple):
    """What the command line says of the engine. The fields are the options; a command gets them as one value."""

    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="The engine's configuration, which says where it answers.")
    ] = None
    address: Annotated[
        str, typer.Option("--address", metavar="ADDRESS", help="unix:/path or host:port of the engine.")
    ] = ""
    token: Annotated[
        str,
        typer.Option("--token", envvar="SENGINE_API_TOKEN", show_envvar=True, help="Token, when the engine wants one."),
    ] = ""
    tls_ca: Annotated[
        Path | None, typer.Option("--tls-ca", help="Who signed the engine's certificate; turns TLS on.")
    ] = None
    tls_cert: Annotated[Path | None, typer.Option("--tls-cert", help="This client's certificate, for mutual TLS.")] = (
        None
    )
    tls_key: Annotated[Path | None, typer.Option("--tls-key", help="Private key of --tls-cert.")] = None

    def settings(self) -> Config:
        """The engine's configuration, as far as this command knows it."""
        from sengine.cli.finding import running_config

        return running_config(self.config)

    def client(self, settings: Config) -> ControlClient:
        from sengine.adapters.control.client import ControlClient

        files = {"tls_ca": self.tls_ca, "tls_cert": self.tls_cert, "tls_key": self.tls_key}
        return ControlClient.of_config(settings, self.address, self.token, **files)

    def ask(self, question: Callable[[ControlClient], Awaitable[R]]) -> R:
        """The engine's answer. Raises ``UnreachableError`` or ``RefusedError``."""
        import asyncio

        settings = self.settings()

        async def conversation() -> R:
            async with self.client(settings) as client:
                return await question(client)

        return asyncio.run(conversation())


_OPTIONS = {
    name: inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=EngineAt._field_defaults[name], annotation=annotation
    )
    for name, annotation in get_type_hints(EngineAt, include_extras=True).items()
}


def for_engine(command: Callable[..., None]) -> Callable[..., None]:
    """The command for Typer: with the options of ``EngineAt`` in place of its first parameter, which gets them.

    An option that the command declares itself, under the same name, is its own.
    """
    hints = get_type_hints(command, include_extras=True)
    own = [
        parameter.replace(annotation=hints[parameter.name], kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in list(inspect.signature(command).parameters.values())[1:]
    ]
    added = [option for name, option in _OPTIONS.items() if name not in hints]
    # Typer takes arguments in the order of parameters; JSON output is told last.
    parameters = sorted([*own, *added], key=lambda parameter: parameter.name == "as_json")

    @functools.wraps(command)
    def run(**given: Any) -> None:
        at = EngineAt(**{name: given[name] for name in EngineAt._fields})
        command(at, **{parameter.name: given[parameter.name] for parameter in own})

    del run.__wrapped__
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def report(reply: Any, as_json: bool) -> None:
    """What an engine answered: its sentence, or all of it as JSON."""
    if as_json:
        print_json(reply)
    else:
        typer.echo(reply.message)


def print_json(view: Any) -> None:
    import msgspec
    import orjson

    from sengine.printable import printable_json

    typer.echo(printable_json(orjson.dumps(msgspec.to_builtins(view), option=orjson.OPT_INDENT_2).decode()))
