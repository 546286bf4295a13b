"""How much memory code of a strategy may take in a process that is its own: the kernel refuses more (Linux).

What is limited is data (``RLIMIT_DATA``): what a process may write to and shares with nobody. Address space as a whole
would be the wrong measure, since libraries and gRPC's threads reserve far more of that than they ever use.
"""

from __future__ import annotations

import resource
import sys
from types import TracebackType
from typing import Final

from sengine.errors import PluginError

IS_ENFORCED: Final = sys.platform == "linux"
_MB: Final = 1 << 20
# What the host itself may take beyond the strategy's limit while no code of the strategy runs: its connection, and
# telling what the strategy did.
_RESERVE: Final = 128 * _MB


def too_much(megabytes: int) -> str:
    """What a ``MemoryError`` below such a limit means."""
    return f"it needs more than the {megabytes:,} MB that its process may take (memory_mb)"


class MemoryLimit:
    """``begin`` sets it, for what is taken from then on. ``with limit:`` around each call into the strategy; outside of
    those there is a reserve, once it was needed. ``host_is_up`` when the host has taken what it needs itself, with no
    call in between: that is not the strategy's. ``megabytes`` of 0 is no limit."""

    def __init__(self, megabytes: int = 0) -> None:
        self.megabytes = megabytes
        self._inside = self._outside = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        self._is_set = self._is_strict = False
        self._loaded = 0
        """Bytes of data when the strategy's file had been run."""

    def begin(self) -> None:
        if self.megabytes and IS_ENFORCED:
            self._set(_data_bytes() + self.megabytes * _MB)

    def is_loaded(self) -> None:
        self._loaded = _data_bytes()

    def host_is_up(self) -> None:
        """The first time: gRPC's threads, with megabytes of stack each, start with the listener and the first call."""
        if self._is_set and self._loaded:
            self._set(self._inside[0] + max(0, _data_bytes() - self._loaded))
            self._loaded = 0

    def explained(self, error: BaseException) -> BaseException:
        """``error`` with the limit named, where that is what it, or what it comes from, ran into."""
        if not self._is_set:
            return error
        self._keep_reserve(error)
        told = too_much(self.megabytes)
        if isinstance(error, MemoryError):
            return MemoryError(told).with_traceback(error.__traceback__)
        if isinstance(error, PluginError) and isinstance(error.__cause__, MemoryError):
            return PluginError(f"{error}: {told}")
        return error

    def _keep_reserve(self, error: BaseException) -> None:
        """From the first time on that it is too little, the host gets its reserve back after each call."""
        if not self._is_strict and isinstance(error.__cause__ or error, MemoryError):
            self._is_strict = True
            resource.setrlimit(resource.RLIMIT_DATA, self._outside)

    def __enter__(self) -> None:
        if self._is_strict:
            resource.setrlimit(resource.RLIMIT_DATA, self._inside)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_strict:
            resource.setrlimit(resource.RLIMIT_DATA, self._outside)

    def _set(self, most: int) -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        bound = most + _RESERVE if hard == resource.RLIM_INFINITY else min(most + _RESERVE, hard)
        self._inside, self._outside = (min(most, bound), hard), (bound, hard)
        resource.setrlimit(resource.RLIMIT_DATA, self._inside)
        self._is_set = True


def _data_bytes() -> int:
    """What ``RLIMIT_DATA`` counts, of this process; 0 where it cannot be told."""
    if not IS_ENFORCED:
        return 0
    with open("/proc/self/status", "rb") as status:
        for line in status:
            if line.startswith(b"VmData:"):
                return int(line.split()[1]) * 1024
    return 0
