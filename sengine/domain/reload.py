"""What a reload did, step by step, for logs, the API and screens."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class ReloadStep(msgspec.Struct, frozen=True):
    """One step. ``note`` says what there is to know of it, or why it failed."""

    name: str
    is_done: bool
    took_ms: float
    note: str = ""


class SignalComparison(msgspec.Struct, frozen=True):
    """The answers of the new version beside the running one's on the same ``ticks``. Both were told before what the
    strategy holds, as they are by a fill, and given the state that the running one declares.

    ``first_difference`` is a sentence, empty where there is none. ``held`` says what both held meanwhile, in words.
    """

    ticks: int
    same: int
    differ: int
    first_difference: str = ""
    held: str = ""

    @property
    def in_words(self) -> str:
        """``498 of 500 recent ticks answered as before, holding nothing``."""
        return f"{self.same} of {self.ticks} recent ticks answered as before, {self.held}"


class ReloadReport(msgspec.Struct, frozen=True):
    """One reload. ``what`` is ``code``, ``parameters``, ``load``, ``unload`` or ``rollback``; ``trigger`` who asked:
    ``command``, ``file``, ``SIGHUP`` or ``engine``. Where it failed, ``reason`` says why and ``where`` at which
    ``file:line``, and the old version runs on in the state it was in.

    ``lost`` says which windows are shorter than they were before, in words; empty where none is, or nobody can tell.

    ``on_tick_p50_us`` and ``on_tick_p99_us`` are the new version's on trial. ``swap_pause_us`` is how long ticks waited
    for the swap, ``longest_stall_us`` the longest that the engine's loop was held up while the new version was made.
    """

    strategy_id: str
    what: str
    trigger: str
    time_ns: int
    is_done: bool
    old_version: str
    new_version: str
    message: str
    reason: str = ""
    where: str = ""
    steps: Sequence[ReloadStep] = ()
    compared: SignalComparison | None = None
    on_tick_p50_us: float = 0.0
    on_tick_p99_us: float = 0.0
    swap_pause_us: float = 0.0
    longest_stall_us: float = 0.0
    took_ms: float = 0.0
    lost: str = ""

    @property
    def lost_sentence(self) -> str:
        """For the end of a message."""
        return f"; it remembers less than before: {self.lost}" if self.lost else ""

    @property
    def place(self) -> str:
        """``where`` without its folders, for a sentence."""
        return self.where.rpartition("/")[2]
