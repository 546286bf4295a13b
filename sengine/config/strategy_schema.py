"""``plugins`` and ``strategies``: where strategies come from, how they are watched, and which ones run."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, field

from sengine.clock import NS_PER_S
from sengine.config.durations import Duration
from sengine.config.expected import WORDS
from sengine.config.section import Name, Port, Positive, Section

StrategyId: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"\A[A-Za-z0-9_.-]{1,64}\Z",
        extra={WORDS: "1 to 64 letters, digits, dots, dashes or underscores"},
    ),
]


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
    slow_budget_ns: Annotated[
        Duration,
        Meta(
            gt=0,
            description="Time in a minute for calls over tick_timeout that cannot be cut; more pauses the strategy.",
        ),
    ] = field(default=NS_PER_S, name="slow_budget")
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
    ``address`` or an ``isolation`` is given that does not go with the rest.
    """

    id: Annotated[StrategyId, Meta(description="Name of this running strategy, unique in the engine.")]
    plugin: Annotated[
        str, Meta(description="Strategy file in plugins.directory, with or without .py. Required, as this or module.")
    ] = ""
    type: Annotated[
        Literal["python", "grpc"],
        Meta(description="python: inside the engine; grpc: in its own process, in any language."),
    ] = "python"
    isolation: Annotated[
        Literal["none", "process"],
        Meta(description="process: the file runs in a process of its own, which may crash, hang or eat memory."),
    ] = "none"
    memory_mb: Annotated[
        int,
        Meta(
            ge=16,
            le=1_048_576,
            description="Megabytes that it may take in a process of its own, and that new code may take in its proof.",
        ),
    ] = 1024
    module: Annotated[
        str, Meta(description="Synonym of plugin. With type: grpc the engine starts and restarts its process.")
    ] = ""
    address: Annotated[
        str, Meta(description="With type: grpc, instead of a file: unix:/path or host:port of a running strategy.")
    ] = ""
    port: Annotated[
        Port | None,
        Meta(description="With a process of its own: its TCP port on loopback; null is a Unix socket."),
    ] = None
    max_signal_age_ms: Annotated[
        Positive,
        Meta(description="With a process of its own: a signal that answers an older tick than this is refused."),
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
            if self.isolation == "process":
                raise ValueError('"isolation: process" starts a process for a file; remove it, or "address"')
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
    def is_apart(self) -> bool:
        """Whether it runs in a process of its own: ``isolation: process``, or ``type: grpc``, which is the same with a
        file and the only way with an address."""
        return self.isolation == "process" or self.type == "grpc"

    @property
    def plugin_name(self) -> str:
        """The strategy's file name as written, with or without its suffix."""
        return self.plugin or self.module
