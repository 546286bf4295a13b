"""Where the control API answers: a Unix socket or ``host:port``."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Final

import msgspec

from sengine.config.schema import Config
from sengine.errors import ConfigError

SOCKET_NAME: Final = "engine.sock"
_HOST_PORT: Final = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.%]+)\]|(?P<host>[A-Za-z0-9_.-]+)):(?P<port>\d{1,5})")


class Address(msgspec.Struct, frozen=True):
    """One of the two: ``socket`` is set, or ``host`` and ``port`` are."""

    socket: Path | None = None
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        """As people write it and gRPC takes it."""
        if self.socket is not None:
            return f"unix:{self.socket}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return self.socket is not None or is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether ``host`` is ``localhost`` or a loopback address; a name that would have to be looked up is not."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def parse_address(text: str, place: str = "address") -> Address:
    """``unix:/path``, ``host:port`` or ``[v6]:port``. Raises ``ConfigError`` naming ``place``."""
    scheme, _, path = text.partition(":")
    if scheme == "unix" and path:
        return Address(Path(path.removeprefix("//")).expanduser().absolute())
    match = _HOST_PORT.fullmatch(text)
    if match is None or int(match["port"]) > 65535:
        raise ConfigError([f'{place}: expected unix:/path or host:port, got "{text[:200]}"'])
    return Address(None, match["six"] or match["host"], int(match["port"]))


def configured_address(config: Config) -> Address:
    """``api.listen``, or the default: a socket in the data directory."""
    if config.api.listen:
        return parse_address(config.api.listen, "api.listen")
    return default_address(config.service.data_directory)


def chosen_address(config: Config, address: str = "") -> Address:
    """``address``, as of an option, or what the configuration says."""
    return parse_address(address, "--address") if address else configured_address(config)


def default_address(data_directory: str | Path) -> Address:
    return Address(Path(data_directory).expanduser().absolute() / SOCKET_NAME)
