"""``position_tracker``, ``journal`` and ``recovery``: what outlives the process."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from sengine.clock import NS_PER_S
from sengine.config.durations import Duration
from sengine.config.section import Section


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
    retain_bytes: Annotated[
        int, Meta(ge=0, description="The oldest of these rows go when all together are larger; 0 keeps all.")
    ] = 4 << 30


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
        int,
        Meta(
            ge=4096,
            description="Size at which the next file is begun, with a checkpoint in it; at least twice the "
            "checkpoint's.",
        ),
    ] = 64 << 20
    retain_bytes: Annotated[
        int, Meta(ge=0, description="Oldest files go when all together are larger; 0 keeps them all.")
    ] = 4 << 30
    retain_for_ns: Annotated[
        Duration, Meta(ge=0, description="Files older than this by the times in their records go; 0 keeps them all.")
    ] = field(default=7 * 86_400 * NS_PER_S, name="retain_for")
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
