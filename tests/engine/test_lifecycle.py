"""The plan's lifecycle: which state may follow which, and an error that names both when it may not."""

from __future__ import annotations

from itertools import pairwise, product

import pytest

from sengine.engine.strategies.lifecycle import TRANSITIONS, Lifecycle, State
from sengine.errors import LifecycleError

# Written down once more from section 2.3 of the plan. LOADING may fail; a reload ends where it began.
LEGAL = {
    "UNLOADED": ["LOADING"],
    "LOADING": ["INITIALIZED", "UNLOADED"],
    "INITIALIZED": ["ACTIVE", "RELOAD_PENDING", "SHUTTING_DOWN"],
    "ACTIVE": ["PAUSED", "RELOAD_PENDING", "SHUTTING_DOWN", "UNLOADED"],
    "PAUSED": ["ACTIVE", "RELOAD_PENDING", "SHUTTING_DOWN"],
    "RELOAD_PENDING": ["INITIALIZED", "ACTIVE", "PAUSED"],
    "SHUTTING_DOWN": ["UNLOADED"],
}
ALL = list(product(State, State))
ALLOWED = [(before, after) for before, after in ALL if after.value in LEGAL[before.value]]
FORBIDDEN = [pair for pair in ALL if pair not in ALLOWED]


def path_to(state: State) -> list[State]:
    """The shortest legal way from UNLOADED to ``state``."""
    paths = [[State.UNLOADED]]
    while paths[0][-1] is not state:
        path = paths.pop(0)
        paths.extend([*path, after] for after in TRANSITIONS[path[-1]])
    return paths[0]


def at(state: State) -> Lifecycle:
    lifecycle = Lifecycle("rsi_btc")
    for before, after in pairwise(path_to(state)):
        assert lifecycle.state is before
        lifecycle.to(after)
    return lifecycle


def test_a_strategy_begins_unloaded() -> None:
    assert Lifecycle("a").state is State.UNLOADED


@pytest.mark.parametrize(("before", "after"), ALLOWED)
def test_a_legal_transition_is_made(before: State, after: State) -> None:
    lifecycle = at(before)
    lifecycle.to(after)
    assert lifecycle.state is after


@pytest.mark.parametrize(("before", "after"), FORBIDDEN)
def test_an_illegal_transition_names_the_strategy_and_both_states_and_changes_nothing(
    before: State, after: State
) -> None:
    lifecycle = at(before)
    with pytest.raises(LifecycleError) as caught:
        lifecycle.to(after)
    assert str(caught.value).startswith(f"strategy rsi_btc is {before} and cannot become {after}; ")
    assert lifecycle.state is before


def test_the_error_says_what_would_be_possible() -> None:
    with pytest.raises(LifecycleError, match=r"from here it can become INITIALIZED, UNLOADED$"):
        at(State.LOADING).to(State.PAUSED)


def test_the_whole_life_of_the_plan() -> None:
    lifecycle = Lifecycle("a")
    for state in ("LOADING", "INITIALIZED", "ACTIVE", "PAUSED", "SHUTTING_DOWN", "UNLOADED"):
        lifecycle.to(State(state))
