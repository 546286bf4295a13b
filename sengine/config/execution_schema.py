"""``execution`` and ``account``: where orders go, and the money that they are made with."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from sengine.config.section import Money, Name, NotNegative, Positive, Section


class AccountConfig(Section, frozen=True):
    """``account``: the money that returns and drawdowns are shares of."""

    initial_capital: Annotated[
        Money,
        Meta(description="The account's capital. The drawdown check takes it for each strategy's."),
    ] = 100_000.0


class ExecutionConfig(Section, frozen=True):
    """``execution``: where orders go, and the simulated market of replay and paper trading."""

    target: Annotated[
        Name,
        Meta(
            description="paper starts the paper execution service; simulated fills inside the engine; "
            "host:port or unix:/path is your own service."
        ),
    ] = "paper"
    token: Annotated[
        str, Meta(description="Sent to your own service as authorization: Bearer TOKEN; better given as ${VAR}.")
    ] = ""
    tls_ca: Annotated[str, Meta(description="CA file of your service's certificate; any TLS file turns TLS on.")] = ""
    tls_cert: Annotated[str, Meta(description="Client certificate file for mutual TLS.")] = ""
    tls_key: Annotated[str, Meta(description="Private key file of tls_cert.")] = ""
    insecure: Annotated[
        bool, Meta(description="Allow plain text to a service on another machine; else that is refused.")
    ] = False
    deadline_ms: Annotated[
        Positive, Meta(description="An order without an answer for this long has an unknown outcome.")
    ] = 1000.0
    retry_for_ms: Annotated[
        NotNegative, Meta(description="After a broken connection, an order is sent again only while younger than this.")
    ] = 2000.0
    fill_grace_ms: Annotated[
        Positive,
        Meta(description="Fills that the service speaks of and that have not come after this long are asked for."),
    ] = 2000.0
    max_fill_deviation: Annotated[
        Positive,
        Meta(
            description="A fill whose price is further from the last one, as a share of it, waits for a person; "
            "0.5 is 50 %."
        ),
    ] = 0.5
    max_overfill: Annotated[
        float,
        Meta(
            ge=1,
            description="How many times its quantity an order may be filled; a fill beyond that waits for a person.",
        ),
    ] = 5.0
    queue_limit: Annotated[
        int, Meta(ge=1, description="Orders that may wait to be sent; beyond it they are rejected.")
    ] = 1000
    reject_pause: Annotated[
        int,
        Meta(
            ge=0,
            description="After so many rejections in a row a strategy's orders on that symbol pause, for 1 s at first, "
            "60 s at most; 0: never.",
        ),
    ] = 5
    lockstep: Annotated[
        bool,
        Meta(
            description="Wait for each market order's fills before the next tick; with those alone, live equals replay."
        ),
    ] = False
    cancel_on_shutdown: Annotated[bool, Meta(description="Cancel resting orders when the engine stops.")] = True
    latency_ms: Annotated[NotNegative, Meta(description="An order meets the first book this much later.")] = 0.0
    commission_bps: Annotated[NotNegative, Meta(description="Charged on each fill's notional, in 1/10000.")] = 0.0
    slippage_bps: Annotated[NotNegative, Meta(description="Worsens each market fill's price, in 1/10000.")] = 0.0
    depth: Annotated[
        Literal["touch", "walk"],
        Meta(description="touch: all at the best price; walk: through the levels of the book."),
    ] = "touch"
