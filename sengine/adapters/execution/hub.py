"""The running engine as the adapters of order execution need it."""

from __future__ import annotations

from typing import Any, Protocol

from sengine.domain.events import Event
from sengine.engine.core import Engine


class Hub(Protocol):
    """What is needed of ``sengine.runtime.live_engine.LiveEngine``."""

    engine: Engine

    def process(self, event: Event) -> Any: ...

    def say(self, level: str, event: str, **fields: Any) -> None: ...
