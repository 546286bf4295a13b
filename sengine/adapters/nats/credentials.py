"""Seeds and credentials files of NATS, read with care: what nats-py does not find in one it looks for without end."""

from __future__ import annotations

import base64
import contextlib
import re
from pathlib import Path
from typing import Final

import nkeys

_MOST_BYTES: Final = 65_536
_TOKEN: Final = re.compile(rb"BEGIN NATS USER JWT-+\s+([A-Za-z0-9_.-]+)\s")
_SEED: Final = re.compile(rb"BEGIN USER NKEY SEED-+\s+([A-Z0-9]+)\s")


class CredentialsFile:
    """The token and the seed of a ``.creds`` file, read again for each login, as such tokens are renewed in place.

    A file that has become unreadable leaves the last good content in force. Raises ``ValueError`` or ``OSError`` when
    there never was any.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._token, self._seed = self._read()

    def token(self) -> bytearray:
        """What ``nats.connect`` wants as ``user_jwt_cb``."""
        with contextlib.suppress(ValueError, OSError):
            self._token, self._seed = self._read()
        return bytearray(self._token)

    def sign(self, nonce: str) -> bytes:
        """What ``nats.connect`` wants as ``signature_cb``."""
        return base64.b64encode(nkeys.from_seed(bytearray(self._seed)).sign(nonce.encode()))

    def _read(self) -> tuple[bytes, bytes]:
        content = _start_of(self._path)
        token, seed = _TOKEN.search(content), _SEED.search(content)
        if token is None or seed is None:
            raise ValueError("it holds no NATS USER JWT and USER NKEY SEED")
        return token[1], _checked(seed[1])


def read_seed(path: str | Path) -> str:
    """The nkey seed in a file. Raises ``ValueError`` or ``OSError``."""
    return _checked(_start_of(Path(path)).strip()).decode()


def _start_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MOST_BYTES)


def _checked(seed: bytes) -> bytes:
    try:
        nkeys.from_seed(bytearray(seed)).wipe()
    except (nkeys.NkeysError, ValueError, LookupError, TypeError):
        raise ValueError("it holds no nkey seed") from None
    return seed
