"""How commands find the engine that runs: by the configuration that it was started with, or as the user's demo."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from sengine.config import Config


def configuration_file(given: Path | None) -> Path:
    """What `sengine run` takes: the given file, sengine.yaml or configs/sengine.yaml here, or the packaged one."""
    from sengine.resources import resource_path

    return given or own_configuration() or resource_path("configs", "sengine.yaml")


def own_configuration() -> Path | None:
    """The configuration of the project in this folder, if it is one."""
    return next((file for file in (Path("sengine.yaml"), Path("configs/sengine.yaml")) if file.is_file()), None)


def running_config(given: Path | None, overrides: Sequence[str] = ()) -> Config:
    """The configuration of the engine that a command is for.

    Without a file it is that of `sengine run` in this directory, or of the user's running demo where no such engine
    runs. A file that nobody named and that cannot be read is no reason to leave a running engine alone: the defaults
    say where it answers. Raises ``ConfigError``.
    """
    import msgspec

    from sengine.config import load_config
    from sengine.errors import ConfigError
    from sengine.service.data_directory import is_in_use

    if given is not None:
        return load_config(given, overrides=overrides)
    try:
        config = load_config(configuration_file(None), overrides=overrides)
    except ConfigError as error:
        config = load_config(None, overrides=overrides)
        typer.echo(f"sengine: {error}; looking for the engine where the defaults have it", err=True)
    if config.api.listen or is_in_use(config.service.data_directory):
        return config
    demo = _demo_directory()
    if demo is None:
        return config
    service = msgspec.structs.replace(config.service, data_directory=str(demo))
    return msgspec.structs.replace(config, service=service)


@contextmanager
def findable_demo(directory: str | Path) -> Iterator[None]:
    """While the demo runs in this data directory, commands without an address find it."""
    record = _demo_record()
    try:
        record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        record.write_text(str(directory), "utf-8")
    except OSError as error:
        typer.echo(f"sengine: {record}: {error.strerror}; other commands need --address to find the demo", err=True)
    try:
        yield
    finally:
        if _recorded() == str(directory):  # a second demo has put itself there otherwise
            record.unlink(missing_ok=True)


def _demo_directory() -> Path | None:
    from sengine.service.data_directory import is_in_use

    recorded = _recorded()
    return Path(recorded) if recorded and is_in_use(recorded) else None


def _recorded() -> str:
    try:
        return _demo_record().read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _demo_record() -> Path:
    import platformdirs

    return platformdirs.user_state_path("sengine") / "demo"
