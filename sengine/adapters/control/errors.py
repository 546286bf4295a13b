"""How a call to an engine's API can fail. Apart from its client, which takes a while to load."""

from __future__ import annotations

from sengine.errors import SengineError


class UnreachableError(SengineError):
    """No engine answers at the address; a screen waits and tries again."""


class RefusedError(SengineError):
    """The engine answered and refused; the message is its sentence."""
