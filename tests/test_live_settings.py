from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from sengine.assembly import build_engine, catalog
from sengine.config import Config, load_config
from sengine.errors import ConfigError
from sengine.runtime.live_engine import LiveEngine
from sengine.runtime.logging import configure_logging
from sengine.runtime.status import ServiceStatus
from sengine.service.reload.strategies import Reloading
from sengine.service.settings import LiveSettings, differences


class Bounds:
    """A gateway that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def send(self, order: object, received_ns: int = 0) -> None: ...

    def cancel(self, order_id: str) -> None: ...

    def change_bounds(self, execution: Any) -> None:
        self.told.append(execution)


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def config_of(*overrides: str) -> Config:
    return load_config(None, overrides=overrides, environment={})


def started(config: Config) -> LiveEngine:
    live = LiveEngine(build_engine(config, None, ""))
    live.gateway = Bounds()
    return live


def said(live: LiveEngine, words: str) -> list[dict[str, Any]]:
    return [record.fields for record in live.logs.history if words in record.event]


def test_the_vote_changes_at_once_and_the_change_is_told() -> None:
    live = started(config_of())
    settings = LiveSettings(live, config_of())

    settings.apply(config_of("aggregation.method=unanimous", "aggregation.window_size=2s"))

    assert (live.engine.votes.method, live.engine.votes.window_ns) == ("unanimous", 2_000_000_000)
    assert said(live, "settings changed") == [
        {"aggregation.method": "weighted_average -> unanimous", "aggregation.window_size": "5000000000 -> 2000000000"}
    ]
    settings.apply(settings.in_force)
    assert len(said(live, "settings changed")) == 1


def test_the_gateways_bounds_change_and_its_target_does_not() -> None:
    live = started(config_of())
    settings = LiveSettings(live, config_of())

    settings.apply(config_of("execution.deadline_ms=50", "execution.target=127.0.0.1:1"))

    assert isinstance(live.gateway, Bounds)
    (bounds,) = live.gateway.told
    assert (bounds.deadline_ms, bounds.target) == (50.0, "paper")
    assert settings.in_force.execution.deadline_ms == 50.0


def test_the_level_of_logging_changes_for_loggers_that_are_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("error", "json")
    logger = structlog.get_logger("sengine.test")
    logger.info("too soft")
    LiveSettings(started(config_of()), config_of("logging.level=error")).apply(config_of("logging.level=info"))
    logger.info("loud enough")

    printed = capsys.readouterr().err
    assert "too soft" not in printed
    assert "loud enough" in printed


async def test_what_waits_for_a_restart_is_named_by_its_keys() -> None:
    before = config_of()
    now = [before]
    live = started(before)
    reloading = Reloading(live, ServiceStatus("test"), catalog(before), before, lambda: now[0])
    now[0] = config_of("nats.overload=conflate", "execution.depth=walk", "aggregation.method=unanimous")
    await reloading.bring_all("SIGHUP")

    assert said(live, "next start") == [{"of": "nats.overload, execution.depth"}]
    now[0] = before
    await reloading.bring_all("SIGHUP")
    assert len(said(live, "next start")) == 1
    assert live.engine.votes.method == "weighted_average"


async def test_a_wrong_configuration_changes_nothing() -> None:
    live = started(config_of())

    def read() -> Config:
        raise ConfigError(["aggregation.method: expected one of these", "logging.level: expected one of those"])

    await Reloading(live, ServiceStatus("test"), catalog(config_of()), config_of(), read).bring_all("SIGHUP")

    assert len(said(live, "configuration not reloaded")) == 2
    assert live.engine.votes.method == "weighted_average"


def test_differences_are_keys_as_they_are_written() -> None:
    found = differences("", config_of(), config_of("plugins.reset_after=30s", "service.name=other"))

    assert [key for key, _, _ in found] == ["service.name", "plugins.reset_after"]
