"""``nats``: the message broker, its subjects and how to log in."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, field

from sengine.config.section import Name, Section

AUTO: Final = "auto"
EMBEDDED: Final = "embedded"
OWN_DURABLE: Final = "sengine"
"""The durable consumer of fills at the embedded broker."""


class TopicsConfig(Section, frozen=True):
    """``nats.topics``: subjects the engine subscribes to; ``*`` stands for the symbol."""

    market_data: Annotated[Name, Meta(description="Subject of order books.")] = "market_data.*.orderbook"
    trades: Annotated[Name, Meta(description="Subject of trades.")] = "market_data.*.trades"
    bars: Annotated[Name, Meta(description="Subject of finished bars.")] = "market_data.*.bars"
    fills: Annotated[Name, Meta(description="Subject of the engine's own fills.")] = "fills"


class NatsFillsConfig(Section, frozen=True):
    """``nats.fills``: how the engine's own fills are delivered."""

    durable: Annotated[
        str,
        Meta(
            description="Name of a JetStream durable consumer for fills; empty uses a plain subscription. "
            "auto: durable with the embedded broker, plain with your own."
        ),
    ] = AUTO


class NatsConfig(Section, frozen=True):
    """``nats``: the message broker that market data and fills come from."""

    url: Annotated[Name, Meta(description="Address of the NATS server; embedded starts one beside the engine.")] = (
        "embedded"
    )
    topics: TopicsConfig = field(default_factory=TopicsConfig)
    fills: NatsFillsConfig = field(default_factory=NatsFillsConfig)
    user: Annotated[str, Meta(description="User name.")] = ""
    password: Annotated[str, Meta(description="Password of user; better given as ${VAR}.")] = ""
    token: Annotated[str, Meta(description="Authentication token; better given as ${VAR}.")] = ""
    nkey_seed_file: Annotated[str, Meta(description="File with an nkey seed.")] = ""
    credentials_file: Annotated[str, Meta(description="Credentials file (.creds).")] = ""
    tls_ca: Annotated[str, Meta(description="CA certificate file; any TLS file turns TLS on.")] = ""
    tls_cert: Annotated[str, Meta(description="Client certificate file for mutual TLS.")] = ""
    tls_key: Annotated[str, Meta(description="Private key file of tls_cert.")] = ""
    overload: Annotated[
        Literal["queue", "conflate"],
        Meta(description="When behind: queue keeps all up to pending_limit; conflate keeps each symbol's newest book."),
    ] = "queue"
    pending_limit: Annotated[
        int, Meta(ge=1, description="Messages that may wait per subscription; beyond it they are dropped and counted.")
    ] = 500_000
    max_message_bytes: Annotated[
        int, Meta(ge=256, description="Larger market data messages are refused undecoded and counted.")
    ] = 262_144

    @property
    def durable(self) -> str:
        """The durable consumer that fills come through; empty where they are a plain subscription."""
        if self.fills.durable != AUTO:
            return self.fills.durable
        return OWN_DURABLE if self.url == EMBEDDED else ""
