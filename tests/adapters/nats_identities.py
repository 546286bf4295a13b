"""Keys and signed tokens as an operator of NATS makes them: operator, account and user, with real signatures."""

from __future__ import annotations

import base64
import json
import os
from time import time
from typing import Any

import nkeys

OPERATOR = nkeys.PREFIX_BYTE_OPERATOR
ACCOUNT = nkeys.PREFIX_BYTE_ACCOUNT
USER = nkeys.PREFIX_BYTE_USER

_UNLIMITED = {"subs": -1, "data": -1, "payload": -1}


class Identity:
    """A key pair; ``seed`` is the secret half."""

    def __init__(self, kind: int) -> None:
        self.seed = bytes(nkeys.encode_seed(os.urandom(32), kind))
        self._pair = nkeys.from_seed(bytearray(self.seed))
        self.public = self._pair.public_key.decode()

    def vouch_for(self, other: Identity, kind: str, **claims: Any) -> str:
        """A token that says who ``other`` is, signed by this identity."""
        body = {
            "jti": other.public,
            "iat": int(time()),
            "iss": self.public,
            "name": kind,
            "sub": other.public,
            "nats": {"type": kind, "version": 2, **claims},
        }
        signed = _text({"typ": "JWT", "alg": "ed25519-nkey"}) + b"." + _text(body)
        return (signed + b"." + _base64(self._pair.sign(signed))).decode()


class Nation:
    """An operator with one account, and what a nats-server must know of them."""

    def __init__(self) -> None:
        self.operator, self.account = Identity(OPERATOR), Identity(ACCOUNT)
        limits = _UNLIMITED | {"imports": -1, "exports": -1, "wildcards": True, "conn": -1, "leaf": -1}
        self.settings = {
            "operator": self.operator.vouch_for(self.operator, "operator"),
            "resolver": "MEMORY",
            "resolver_preload": {self.account.public: self.operator.vouch_for(self.account, "account", limits=limits)},
        }

    def credentials_of(self, user: Identity) -> str:
        """A credentials file as ``nsc`` writes it."""
        token = self.account.vouch_for(user, "user", pub={}, sub={}, **_UNLIMITED)
        return (
            f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{user.seed.decode()}\n------END USER NKEY SEED------\n"
        )


def _text(claims: dict[str, Any]) -> bytes:
    return _base64(json.dumps(claims, separators=(",", ":")).encode())


def _base64(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")
