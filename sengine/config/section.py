"""What all sections of the configuration are made of."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from sengine.config.expected import UNIT

Name: TypeAlias = Annotated[str, Meta(min_length=1)]
Port: TypeAlias = Annotated[int, Meta(ge=0, le=65535)]
Positive: TypeAlias = Annotated[float, Meta(gt=0)]
Money: TypeAlias = Annotated[float, Meta(gt=0, extra={UNIT: "quote currency"})]
NotNegative: TypeAlias = Annotated[float, Meta(ge=0)]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every section: immutable, and strict about keys."""
