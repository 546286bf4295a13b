"""The configuration, section by section. Each key's meaning is its ``description``; ``describe(Config)`` lists them.

Durations are attributes in nanoseconds whose names end in ``_ns``; their keys in YAML are without it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, field

from sengine.clock import NS_PER_S
from sengine.config.durations import Duration
from sengine.config.expected import WORDS
from sengine.config.risk_schema import RiskConfig
from sengine.config.section import Name, NotNegative, Port, Positive, Section

StrategyId: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"\A[A-Za-z0-9_.-]{1,64}\Z",
        extra={WORDS: "1 to 64 letters, digits, dots, dashes or underscores"},
    ),
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


class TopicsConfig(Section, frozen=True):
    """``nats.topics``: subjects the engine subscribes to; ``*`` stands for the symbol."""

    market_data: Annotated[Name, Meta(description="Subject of order books.")] = "market_data.*.orderbook"
    trades: Annotated[Name, Meta(description="Subject of trades.")] = "market_data.*.trades"
    bars: Annotated[Name, Meta(description="Subject of finished bars.")] = "market_data.*.bars"
    fills: Annotated[Name, Meta(description="Subject of the engine's own fills.")] = "fills"


class NatsFillsConfig(Section, frozen=True):
    """``nats.fills``: how the engine's own fills are delivered."""

    durable: Annotated[
        str, Meta(description="Name of a JetStream durable consumer for fills; empty uses a plain subscription.")
    ] = ""


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


class PluginsConfig(Section, frozen=True):
    """``plugins``: where strategies come from, and how many of their errors are borne."""

    directory: Annotated[Name, Meta(description="Directory of the strategy files.")] = "./strategies"
    config_directory: Annotated[Name, Meta(description="Directory of configurations of single strategies.")] = (
        "./configs/strategies"
    )
    hot_reload: Annotated[
        bool, Meta(description="Reload a strategy when its file, its helpers or its own configuration change.")
    ] = True
    debounce_ms: Annotated[
        int, Meta(ge=1, le=10_000, description="Changes of files within this time are taken together.")
    ] = 100
    load_new: Annotated[
        bool, Meta(description="Load a strategy file that appears, with its defaults on every symbol.")
    ] = False
    unload_after_ns: Annotated[
        Duration,
        Meta(ge=0, description="Unload a strategy whose file has been gone for this long; 0 leaves it running."),
    ] = field(default=0, name="unload_after")
    warmup_ticks: Annotated[
        int, Meta(ge=0, description="Recent ticks of each symbol that a new version is proved and warmed up on.")
    ] = 500
    rollback_ticks: Annotated[
        int, Meta(ge=0, description="Ticks within which an error of a new version brings back the old one.")
    ] = 100
    proof_timeout_ms: Annotated[
        Positive, Meta(description="New code that takes longer than this to prove itself is refused.")
    ] = 5000.0
    max_errors: Annotated[
        int, Meta(ge=1, description="A strategy is paused at this many errors within reset_after.")
    ] = 10
    reset_after_ns: Annotated[
        Duration, Meta(gt=0, description="Errors older than this no longer count towards max_errors.")
    ] = field(default=60 * NS_PER_S, name="reset_after")
    tick_budget_us: Annotated[
        Positive, Meta(description="A call of on_tick that takes longer is counted as over its budget.")
    ] = 500.0
    tick_timeout_ms: Annotated[
        float,
        Meta(ge=1, le=60_000, description="A call of on_tick or on_fill is interrupted after this; it is then paused."),
    ] = 50.0
    setup_timeout_ms: Annotated[
        float,
        Meta(ge=1, le=600_000, description="Time limit of initialize, hot_reload and shutdown."),
    ] = 10_000.0
    resume_after_ns: Annotated[
        Duration | None,
        Meta(description="A strategy that was paused for its errors resumes after this; null: a person does it."),
    ] = field(default=None, name="resume_after")
    stalled_after_ns: Annotated[
        Duration, Meta(gt=0, description="An active strategy without a tick for this long is shown as stalled.")
    ] = field(default=60 * NS_PER_S, name="stalled_after")
    remote_restart_after_ns: Annotated[
        Duration, Meta(gt=0, description="A strategy's own process that owes an answer for longer is started again.")
    ] = field(default=30 * NS_PER_S, name="remote_restart_after")
    watchdog_after_ns: Annotated[
        Duration, Meta(gt=0, description="A call that cannot be interrupted is reported after this.")
    ] = field(default=2 * NS_PER_S, name="watchdog_after")
    watchdog_restart: Annotated[
        bool, Meta(description="End a process that such a call holds up, and start the engine again.")
    ] = False


class StrategyConfig(Section, frozen=True):
    """One item of ``strategies``: a strategy file, the symbols it gets and its parameters.

    Raises ``ValueError`` where neither ``plugin`` nor ``module`` is given, or both and they differ, and where an
    ``address`` is given that does not go with the rest.
    """

    id: Annotated[StrategyId, Meta(description="Name of this running strategy, unique in the engine.")]
    plugin: Annotated[
        str, Meta(description="Strategy file in plugins.directory, with or without .py. Required, as this or module.")
    ] = ""
    type: Annotated[
        Literal["python", "grpc"],
        Meta(description="python: inside the engine; grpc: in its own process, in any language."),
    ] = "python"
    module: Annotated[
        str, Meta(description="Synonym of plugin. With type: grpc the engine starts and restarts its process.")
    ] = ""
    address: Annotated[
        str, Meta(description="With type: grpc, instead of a file: unix:/path or host:port of a running strategy.")
    ] = ""
    port: Annotated[
        Port | None,
        Meta(description="With type: grpc and a file: TCP port of its process on loopback; null is a Unix socket."),
    ] = None
    max_signal_age_ms: Annotated[
        Positive, Meta(description="With type: grpc: signals that answer an older tick than this are refused.")
    ] = 500.0
    token: Annotated[
        str, Meta(description="Sent to address as `authorization: Bearer TOKEN`; better given as ${VAR}.")
    ] = ""
    tls_ca: Annotated[
        str, Meta(description="CA certificate file; turns TLS on. Required for an address beyond this machine.")
    ] = ""
    tls_cert: Annotated[str, Meta(description="Client certificate file for mutual TLS with address.")] = ""
    tls_key: Annotated[str, Meta(description="Private key file of tls_cert.")] = ""
    symbols: Annotated[
        list[Name], Meta(min_length=1, description='Symbols the strategy is called for; "*" is every symbol.')
    ] = field(default_factory=lambda: ["*"])
    config: Annotated[dict[str, Any], Meta(description="The strategy's own parameters.")] = field(default_factory=dict)
    enabled: Annotated[bool, Meta(description="false leaves the strategy out.")] = True
    route: Annotated[
        Literal["vote", "direct"] | None,
        Meta(description="vote: signals are aggregated; direct: they are orders; null: the strategy's own default."),
    ] = None
    default_size: Annotated[Positive, Meta(description="Size of a signal that gives none.")] = 1.0
    data: Annotated[
        list[Literal["book", "trade", "bar"]] | None,
        Meta(description="Events that call on_tick; null: the strategy's own default."),
    ] = None

    def __post_init__(self) -> None:
        if self.type == "grpc" and self.address:
            if self.plugin or self.module:
                raise ValueError('expected "address" or "module", found both; a strategy has one process')
            return
        if self.address:
            raise ValueError('"address" is for a strategy in its own process; add "type: grpc"')
        if not self.plugin and not self.module:
            raise ValueError('expected "plugin", the name of the strategy\'s file, found neither "plugin" nor "module"')
        if self.plugin and self.module and self.plugin.removesuffix(".py") != self.module.removesuffix(".py"):
            raise ValueError(
                f'"plugin" and "module" are synonyms, but "{self.plugin}" and "{self.module}" differ; give one of them'
            )

    @property
    def plugin_name(self) -> str:
        """The strategy's file name as written, with or without its suffix."""
        return self.plugin or self.module


class AggregationConfig(Section, frozen=True):
    """``aggregation``: how the votes of several strategies become one decision."""

    method: Annotated[
        Literal["majority_vote", "weighted_average", "unanimous", "first_signal"],
        Meta(description="How votes on one symbol are combined."),
    ] = "weighted_average"
    window_size_ns: Annotated[Duration, Meta(gt=0, description="Votes of this age and older no longer count.")] = field(
        default=5 * NS_PER_S, name="window_size"
    )


class PositionTrackerConfig(Section, frozen=True):
    """``position_tracker``: whether positions outlive the process, and the file that can be asked for them."""

    persistence: Annotated[
        bool,
        Meta(description="Take positions up again at a start, and keep records for sengine history; from the journal."),
    ] = True
    db_path: Annotated[
        str, Meta(description="SQLite file of the records; empty is positions.db in service.data_directory.")
    ] = ""
    snapshot_every_ns: Annotated[Duration, Meta(gt=0, description="How often P&L is recorded.")] = field(
        default=10 * NS_PER_S, name="snapshot_every"
    )
    retain_for_ns: Annotated[
        Duration,
        Meta(ge=0, description="Rows older than this go, but for open orders and held positions; 0 keeps all."),
    ] = field(default=0, name="retain_for")


class JournalConfig(Section, frozen=True):
    """``journal``: the record of all that the engine took in and sent, in ``journal`` in ``service.data_directory``."""

    enabled: Annotated[bool, Meta(description="Keep a journal; without one a restart knows nothing of before.")] = True
    durability: Annotated[
        Literal["os", "fsync"],
        Meta(description="os: what was sent survives the process; fsync: and a power cut, at a disk's time an order."),
    ] = "os"
    market_data: Annotated[
        bool,
        Meta(description="Record market data too; verify, simulated fills and exact warm-up of strategies need it."),
    ] = True
    segment_bytes: Annotated[
        int, Meta(ge=4096, description="Size at which the next file is begun, with a checkpoint in it.")
    ] = 64 << 20
    retain_bytes: Annotated[
        int, Meta(ge=0, description="Oldest files go when all together are larger; 0 keeps them all.")
    ] = 4 << 30
    retain_for_ns: Annotated[Duration, Meta(ge=0, description="Files older than this go; 0 keeps them all.")] = field(
        default=7 * 86_400 * NS_PER_S, name="retain_for"
    )
    compress: Annotated[Literal["zstd", "none"], Meta(description="How finished files are compressed.")] = "zstd"


class RecoveryConfig(Section, frozen=True):
    """``recovery``: how a start takes up what an earlier one left in the journal."""

    on_mismatch: Annotated[
        Literal["halt", "adopt"],
        Meta(
            description="When the execution service's record does not fit ours: halt pulls the kill switch and waits "
            "for a person; adopt says so and goes on."
        ),
    ] = "halt"
    warmup_events: Annotated[
        int, Meta(ge=0, description="Recorded events shown again to strategies that declare no state, about this many.")
    ] = 1_000_000


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


class AccountConfig(Section, frozen=True):
    """``account``: the money that returns and drawdowns are shares of."""

    initial_capital: Annotated[
        Positive,
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
    queue_limit: Annotated[
        int, Meta(ge=1, description="Orders that may wait to be sent; beyond it they are rejected.")
    ] = 1000
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
