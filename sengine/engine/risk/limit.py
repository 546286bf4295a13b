"""What every limit of risk is made of, and what a check says of it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from math import inf
from typing import Any, ClassVar

import msgspec


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """Why a check said no: which one, a stable code for metrics and tables, and a sentence with the values.

    ``disables`` asks for the strategy to be paused until a person resumes it.
    """

    check: str
    code: str
    reason: str
    disables: bool = False


class Usage(msgspec.Struct, frozen=True):
    """A limit and the worst figure against it right now, ``None`` where there is no such figure; whose it is."""

    limit_name: str = ""
    limit: float | None = None
    used: float | None = None
    used_by: str = ""


class Reducing(StrEnum):
    """Whether an order passes a check because it makes a position smaller."""

    PASSES = "passes"
    CLOSING_PASSES = "passes where it opens nothing on the other side"
    IS_CHECKED = "is checked as any other"


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all limits. ``strategy`` and ``symbol`` say what it applies to; "" is all. ``label`` tells limits of one
    name apart.
    """

    strategy: str = ""
    symbol: str = ""
    label: str = ""

    name: ClassVar[str]
    codes: ClassVar[Mapping[str, str]]
    """Stable reason codes, and when each is given."""
    reducing: ClassVar[Reducing]
    source: ClassVar[str]
    """The rule or recommendation that asks for it."""
    looser_above: ClassVar[tuple[str, ...]] = ()
    """Limits that let more pass when they are larger."""
    looser_below: ClassVar[tuple[str, ...]] = ()

    @property
    def title(self) -> str:
        """What it is called in refusals, metrics and on screens."""
        return self.label or self.name

    def loosened_in(self, other: Limit) -> list[str]:
        """What ``other``, of the same name and scope, sets wider, as ``max_position 10 -> 20``."""
        return [
            f"{name} {_shown(getattr(self, name))} -> {_shown(getattr(other, name))}"
            for name in self.__struct_fields__
            if name != "label" and self._is_looser(name, getattr(self, name), getattr(other, name))
        ]

    def _is_looser(self, name: str, before: Any, after: Any) -> bool:
        if before == after:
            return False
        if name in self.looser_above:
            # A limit that is not set does not limit.
            return _or(after, inf) > _or(before, inf)
        if name in self.looser_below:
            return _or(after, -inf) < _or(before, -inf)
        # What cannot be compared is not known to be as strict.
        return True


def _or(limit: float | None, unset: float) -> float:
    return unset if limit is None else limit


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else "none" if value is None else str(value)
