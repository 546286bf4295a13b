"""The command that puts other limits into force."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sengine.engine.risk.limits import AnyLimit


class ChangeLimits(msgspec.Struct, frozen=True):
    """Command: these limits instead of those in force.

    What would let more pass is refused unless ``allow_loosening``.
    """

    # Journals have had them under this name since before a limit and its check were two things.
    limits: Sequence[AnyLimit] = msgspec.field(name="checks")
    bypass: Sequence[str] = ()
    allow_loosening: bool = False
