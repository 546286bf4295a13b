"""The lifecycle of a strategy: which state may follow which."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from sengine.errors import LifecycleError


class State(StrEnum):
    UNLOADED = "UNLOADED"
    LOADING = "LOADING"
    INITIALIZED = "INITIALIZED"
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    RELOAD_PENDING = "RELOAD_PENDING"
    SHUTTING_DOWN = "SHUTTING_DOWN"


# A reload ends in the state that it started from: what was paused stays paused.
TRANSITIONS: Final[dict[State, frozenset[State]]] = {
    State.UNLOADED: frozenset({State.LOADING}),
    State.LOADING: frozenset({State.INITIALIZED, State.UNLOADED}),
    State.INITIALIZED: frozenset({State.ACTIVE, State.RELOAD_PENDING, State.SHUTTING_DOWN}),
    State.ACTIVE: frozenset({State.PAUSED, State.RELOAD_PENDING, State.SHUTTING_DOWN, State.UNLOADED}),
    State.PAUSED: frozenset({State.ACTIVE, State.RELOAD_PENDING, State.SHUTTING_DOWN}),
    State.RELOAD_PENDING: frozenset({State.INITIALIZED, State.ACTIVE, State.PAUSED}),
    State.SHUTTING_DOWN: frozenset({State.UNLOADED}),
}


class Lifecycle:
    """The state of one strategy. ``to`` is the only way to change it."""

    __slots__ = ("state", "strategy_id")

    def __init__(self, strategy_id: str) -> None:
        self.strategy_id = strategy_id
        self.state = State.UNLOADED

    def to(self, state: State) -> None:
        """Enter ``state``. Raises ``LifecycleError`` naming both states when the transition is not allowed."""
        allowed = TRANSITIONS[self.state]
        if state not in allowed:
            ways = ", ".join(sorted(allowed))
            raise LifecycleError(
                f"strategy {self.strategy_id} is {self.state} and cannot become {state}; from here it can become {ways}"
            )
        self.state = state
