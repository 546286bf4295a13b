"""The configuration read again: what it has dropped goes, and nothing that it never had."""

from __future__ import annotations

from sengine.config.schema import StrategyConfig
from tests.reloading.conftest import SOURCE, Desk


def loaded(desk: Desk) -> set[str]:
    return {runtime.strategy_id for runtime in desk.live.engine.registry}


async def test_only_what_an_earlier_configuration_had_is_unloaded(desk: Desk) -> None:
    path = desk.write(SOURCE, "fresh.py")
    await desk.reloading.load(StrategyConfig(id="by_file", plugin=str(path)), "file")
    await desk.reloading.load(StrategyConfig(id="by_hand", plugin="fresh"))
    desk.strategies.append(StrategyConfig(id="b", plugin="fresh"))
    await desk.reloading.bring_all("SIGHUP")
    assert loaded(desk) == {"a", "b", "by_file", "by_hand"}
    del desk.strategies[0]
    await desk.reloading.bring_all("SIGHUP")
    assert loaded(desk) == {"b", "by_file", "by_hand"}
    desk.strategies[0] = StrategyConfig(id="b", plugin="fresh", enabled=False)
    await desk.reloading.bring_all("SIGHUP")
    assert loaded(desk) == {"by_file", "by_hand"}


async def test_what_came_by_hand_and_was_then_configured_goes_with_its_configuration(desk: Desk) -> None:
    desk.write(SOURCE, "fresh.py")
    by_hand = StrategyConfig(id="by_hand", plugin="fresh")
    await desk.reloading.load(by_hand)
    desk.strategies.append(by_hand)
    await desk.reloading.reload("by_hand")
    desk.strategies.remove(by_hand)
    await desk.reloading.bring_all("SIGHUP")
    assert loaded(desk) == {"a"}
