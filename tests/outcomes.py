"""Outcomes as tests write them down."""

from __future__ import annotations

from typing import Any

from sengine.engine.outcome import Outcome


def outcome_of(**what: Any) -> Outcome:
    """An outcome in which this happened, as ``outcome_of(orders=[order])``."""
    outcome = Outcome()
    for name, value in what.items():
        setattr(outcome, name, value)
    return outcome
