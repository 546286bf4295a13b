"""Metrics of the risk checks: each limit, and how much of it is used."""

from __future__ import annotations

from collections.abc import Iterator

from sengine.adapters.web.metric_family import Family, Sample
from sengine.engine.risk.limit import Usage
from sengine.runtime.live_engine import LiveEngine


def risk_families(live: LiveEngine) -> Iterator[Family]:
    """A check that has no limit, or whose use is not known now, has no sample."""
    yield Family(
        "sengine_risk_limit",
        "gauge",
        "A risk check's limit, in the check's own unit.",
        (_sample(check, usage.limit) for check, usage in _usages(live) if usage.limit is not None),
    )
    yield Family(
        "sengine_risk_used",
        "gauge",
        "The worst figure right now that a risk check holds against its limit.",
        (_sample(check, usage.used) for check, usage in _usages(live) if usage.used is not None),
    )


def _usages(live: LiveEngine) -> Iterator[tuple[str, Usage]]:
    for check in live.engine.risk.checks:
        yield check.title, check.usage(live.engine.risk_view)


def _sample(check: str, value: float) -> Sample:
    return "", (("check", check),), value
