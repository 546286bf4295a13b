"""How many connections our gRPC servers hold, and for how long: on a port any account of the machine may open them."""

from __future__ import annotations

from typing import Final

MOST_CONNECTIONS: Final = 64
CONNECTION_BOUNDS: Final = (
    ("grpc.max_allowed_incoming_connections", MOST_CONNECTIONS),
    # One that never says what it speaks.
    ("grpc.server_handshake_timeout_ms", 5_000),
    # One without a call; clients of ours connect again with their next one.
    ("grpc.max_connection_idle_ms", 60_000),
)
