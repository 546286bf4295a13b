"""Benchmarks report their figures here; ``make bench`` puts them into docs/benchmarks.md."""

from __future__ import annotations

import faulthandler
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

FIGURES = Path(__file__).parents[2] / ".benchmarks" / "figures.json"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """A benchmark takes its time: the limit of pyproject's faulthandler_timeout is for tests."""
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(scope="session")
def _figures() -> Iterator[dict[str, Any]]:
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    yield figures
    FIGURES.parent.mkdir(exist_ok=True)
    FIGURES.write_text(json.dumps(figures, indent=1))


@pytest.fixture
def figure(_figures: dict[str, Any], request: pytest.FixtureRequest) -> Callable[..., None]:
    """``figure(name, value, unit, at_most=...)`` (or ``at_least``) records a row and fails on a missed target."""

    def record(
        name: str,
        value: float,
        unit: str,
        *,
        at_most: float | None = None,
        at_least: float | None = None,
        note: str = "",
    ) -> None:
        bound = f"<= {at_most:g}" if at_most is not None else f">= {at_least:g}" if at_least is not None else ""
        file = Path(request.node.fspath).name
        _figures[f"{file}::{name}"] = {
            "name": name, "value": value, "unit": unit, "target": bound, "note": note, "file": file,
        }  # fmt: skip
        print(f"{name}: {value:.4g} {unit} (target {bound})")
        assert at_most is None or value <= at_most, f"{name}: {value:.4g} {unit}, expected at most {at_most:g}"
        assert at_least is None or value >= at_least, f"{name}: {value:.4g} {unit}, expected at least {at_least:g}"

    return record


@pytest.fixture(scope="session")
def sample_csv(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """A generated market of the given number of quotes."""
    from replay.sample import write_sample

    folder = tmp_path_factory.mktemp("market")

    def make(ticks: int) -> Path:
        path = folder / f"{ticks}.csv"
        if not path.exists():
            write_sample(path, ticks, ["BTCUSDT"], seed=1)
        return path

    return make
