"""``sengine prover``: proves new strategy code for an engine that started it. Not for people."""

from __future__ import annotations


def prover() -> None:
    """Prove new strategy code; requests come on standard input."""
    from sengine.service.reload.prover import serve

    serve()
