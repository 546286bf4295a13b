"""The configuration, section by section. Each key's meaning is its ``description``; ``describe(Config)`` lists them.

Durations are attributes in nanoseconds whose names end in ``_ns``; their keys in YAML are without it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from sengine.clock import NS_PER_S
from sengine.config.durations import Duration
from sengine.config.execution_schema import AccountConfig, ExecutionConfig
from sengine.config.market_data_schema import MarketDataConfig
from sengine.config.nats_schema import NatsConfig, NatsFillsConfig, TopicsConfig
from sengine.config.records_schema import JournalConfig, PositionTrackerConfig, RecoveryConfig
from sengine.config.risk_schema import RiskConfig
from sengine.config.section import Name, Port, Section
from sengine.config.strategy_schema import PluginsConfig, StrategyConfig, StrategyId

__all__ = [
    "AccountConfig",
    "AggregationConfig",
    "ApiConfig",
    "Config",
    "ExecutionConfig",
    "HttpConfig",
    "JournalConfig",
    "LoggingConfig",
    "MarketDataConfig",
    "MetricsConfig",
    "NatsConfig",
    "NatsFillsConfig",
    "PluginsConfig",
    "PositionTrackerConfig",
    "RecoveryConfig",
    "RiskConfig",
    "ServiceConfig",
    "StrategyConfig",
    "StrategyId",
    "TopicsConfig",
]


class ServiceConfig(Section, frozen=True):
    """``service``: what this engine is called and where it answers."""

    name: Annotated[Name, Meta(description="Name of this engine in logs and metrics.")] = "strategy-engine"
    port: Annotated[Port, Meta(description="TCP port of HTTP: health checks, metrics, read-only pages.")] = 9092
    metrics_port: Annotated[
        Port | None,
        Meta(description="One more port of health checks and metrics, on loopback; null or service.port: there only."),
    ] = None
    data_directory: Annotated[
        Name, Meta(description="Directory for the socket, the broker's files and the records.")
    ] = "./data"


class AggregationConfig(Section, frozen=True):
    """``aggregation``: how the votes of several strategies become one decision."""

    method: Annotated[
        Literal["majority_vote", "weighted_average", "unanimous", "first_signal"],
        Meta(description="How votes on one symbol are combined."),
    ] = "weighted_average"
    window_size_ns: Annotated[Duration, Meta(gt=0, description="Votes of this age and older no longer count.")] = field(
        default=5 * NS_PER_S, name="window_size"
    )


class LoggingConfig(Section, frozen=True):
    """``logging``: what is logged, and how."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="Least severity that is logged.")
    ] = "info"
    format: Annotated[Literal["json", "console"], Meta(description="json for machines, console for people.")] = "json"


class MetricsConfig(Section, frozen=True):
    """``metrics``: the Prometheus endpoint."""

    enabled: Annotated[bool, Meta(description="Serve metrics.")] = True
    prometheus_port: Annotated[
        Port | None, Meta(description="As service.metrics_port; both may be given, and then both are served.")
    ] = None


class ApiConfig(Section, frozen=True):
    """``api``: where operators and screens reach the engine."""

    listen: Annotated[
        str,
        Meta(description="unix:/path or host:port; empty is a socket in service.data_directory, for its owner only."),
    ] = ""
    token: Annotated[str, Meta(description="Required for host:port; better given as ${VAR}.")] = ""
    tls_cert: Annotated[str, Meta(description="Server certificate file; with tls_key it turns TLS on.")] = ""
    tls_key: Annotated[str, Meta(description="Private key file of tls_cert.")] = ""
    tls_ca: Annotated[str, Meta(description="CA file; clients must then present a certificate it signed.")] = ""


class HttpConfig(Section, frozen=True):
    """``http``: health checks, metrics and the read-only pages; the port is ``service.port``."""

    host: Annotated[Name, Meta(description="Address to listen on; anything but loopback is reachable by others.")] = (
        "127.0.0.1"
    )


class Config(Section, frozen=True):
    """A whole configuration. Every section may be left out; so may every key but the id and file of a strategy."""

    service: ServiceConfig = field(default_factory=ServiceConfig)
    nats: NatsConfig = field(default_factory=NatsConfig)
    market_data: MarketDataConfig = field(default_factory=MarketDataConfig)
    plugins: PluginsConfig = field(default_factory=PluginsConfig)
    strategies: list[StrategyConfig] = field(default_factory=list)
    aggregation: AggregationConfig = field(default_factory=AggregationConfig)
    risk: RiskConfig = field(default_factory=RiskConfig)
    position_tracker: PositionTrackerConfig = field(default_factory=PositionTrackerConfig)
    journal: JournalConfig = field(default_factory=JournalConfig)
    recovery: RecoveryConfig = field(default_factory=RecoveryConfig)
    logging: LoggingConfig = field(default_factory=LoggingConfig)
    metrics: MetricsConfig = field(default_factory=MetricsConfig)
    account: AccountConfig = field(default_factory=AccountConfig)
    execution: ExecutionConfig = field(default_factory=ExecutionConfig)
    api: ApiConfig = field(default_factory=ApiConfig)
    http: HttpConfig = field(default_factory=HttpConfig)

    def __post_init__(self) -> None:
        takes_up = self.journal.enabled and self.position_tracker.persistence
        if self.execution.target == "simulated" and takes_up and not self.journal.market_data:
            raise ValueError(
                "journal.market_data: expected true with execution.target: simulated, which fills orders against "
                "market data, so that a restart can do it again; or set position_tracker.persistence to false to begin "
                "anew each time"
            )
