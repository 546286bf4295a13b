"""Files that change, as editors change them, and what the running strategies make of it."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner
from watchfiles.main import FileChange

from sengine.cli import app
from sengine.config import load_config
from sengine.errors import ConfigError
from sengine.service.reload.watching import Watcher
from tests.integration.engine_process import until
from tests.reloading.conftest import SOURCE, Desk, NewDesk

SECOND = SOURCE.replace('"first"', '"second"')


@asynccontextmanager
async def just_watched(desk: Desk) -> AsyncIterator[Desk]:
    """The watcher at work."""
    watcher = Watcher(desk.reloading, [desk.folder], desk.settings)
    task = asyncio.create_task(watcher.run())
    desk.tick(10)
    try:
        yield desk
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def watched(desk: Desk) -> AsyncIterator[Desk]:
    """The watcher at work, which has already seen a file change."""
    async with just_watched(desk):
        desk.write(SOURCE.replace('"first"', '"ready"'))
        await becomes(desk, "ready")
        yield desk


async def becomes(desk: Desk, name: str) -> None:
    await until(lambda: desk.name() == name, what=f"{name} (it is {desk.name()})")


async def test_an_edit_in_place_is_taken(desk: Desk) -> None:
    async with watched(desk):
        desk.write(SECOND)
        await becomes(desk, "second")
        assert desk.facts.reloads.of("a")[-1].trigger == "file"


async def test_a_file_moved_over_the_old_one_is_taken(desk: Desk) -> None:
    async with watched(desk):
        swap = desk.folder / ".mine.py.swp"
        swap.write_text(SECOND)
        os.replace(swap, desk.file)
        await becomes(desk, "second")


async def test_a_file_put_aside_and_written_anew_is_taken(desk: Desk) -> None:
    async with watched(desk):
        os.rename(desk.file, desk.folder / "mine.py~")
        desk.write(SECOND)
        await becomes(desk, "second")


async def test_a_file_written_in_pieces_is_taken_when_it_is_whole(desk: Desk) -> None:
    async with watched(desk):
        failures = sum(not report.is_done for report in desk.facts.reloads.of("a"))
        half = SECOND.index("return None") - 9
        for end in (10, half, len(SECOND)):
            with desk.file.open("w") as file:
                file.write(SECOND[:end])
            await asyncio.sleep(0.12)
        await becomes(desk, "second")
        assert sum(not report.is_done for report in desk.facts.reloads.of("a")) == failures


async def test_a_broken_file_is_reported_once_and_the_next_edit_is_taken(desk: Desk) -> None:
    async with watched(desk):
        version = desk.version
        desk.write(SOURCE.replace("import", "import ("))
        await until(lambda: not desk.facts.reloads.of("a")[-1].is_done)
        report = desk.facts.reloads.of("a")[-1]
        assert (report.where, desk.version) == (f"{desk.file}:2", version)
        assert report.reason.startswith("syntax error")
        desk.write(SECOND)
        await becomes(desk, "second")


async def test_a_changed_helper_reloads_who_imports_it(desk: Desk) -> None:
    async with watched(desk):
        desk.write("NAME = 'of the helper'\n", "names.py")
        desk.write(SOURCE.replace('NAME = "first"', "from names import NAME"))
        await becomes(desk, "of the helper")
        desk.write("NAME = 'of the changed helper'\n", "names.py")
        await becomes(desk, "of the changed helper")


async def test_a_helper_that_comes_late_is_waited_for(desk: Desk) -> None:
    async with watched(desk):
        desk.write(SOURCE.replace('NAME = "first"', "from names import NAME"))
        await until(lambda: not desk.facts.reloads.of("a")[-1].is_done)
        desk.write("NAME = 'late'\n", "names.py")
        await becomes(desk, "late")


async def test_touching_a_file_reloads_nothing(desk: Desk) -> None:
    async with watched(desk):
        count = len(desk.facts.reloads.of("a"))
        desk.file.touch()
        (desk.folder / "other.py").write_text("x = 1\n")
        await asyncio.sleep(0.5)
        assert len(desk.facts.reloads.of("a")) == count


async def test_a_new_file_is_loaded_where_that_is_wanted(new_desk: NewDesk) -> None:
    desk = await new_desk(load_new=True)
    async with watched(desk):
        desk.write("def helper(): pass\n", "helper.py")
        desk.write(SOURCE, "fresh.py")
        await until(lambda: desk.live.engine.registry.find("fresh") is not None)
        assert desk.live.engine.registry.find("helper") is None


async def test_a_new_file_that_could_not_be_loaded_is_tried_again_when_another_changes(new_desk: NewDesk) -> None:
    desk = await new_desk(load_new=True)

    def complaints() -> int:
        return sum("fresh not loaded" in line.event for line in desk.live.logs.history)

    async with watched(desk):
        desk.write(SOURCE.replace('NAME = "first"', "from names import NAME"), "fresh.py")
        await until(lambda: complaints() == 1)
        assert "names" in desk.facts.reloads.of("fresh")[-1].reason
        desk.write("x = 1\n", "other.py")
        desk.write("NAME = missing\n", "names.py")
        await until(lambda: complaints() == 2)
        desk.write("NAME = 'late'\n", "names.py")
        await until(lambda: desk.live.engine.registry.find("fresh") is not None)
        assert complaints() == 2


async def test_a_new_file_that_fails_again_after_an_edit_of_its_own_is_reported_again(new_desk: NewDesk) -> None:
    desk = await new_desk(load_new=True)
    async with watched(desk):
        desk.write(f"{SOURCE}oops", "fresh.py")
        await until(lambda: len(desk.facts.reloads.of("fresh")) == 1)
        desk.write(f"{SOURCE}oops # again", "fresh.py")
        await until(lambda: len(desk.facts.reloads.of("fresh")) == 2)


async def test_a_deleted_file_unloads_its_strategy_after_a_grace_period(new_desk: NewDesk) -> None:
    desk = await new_desk(unload_after_ns=400_000_000)
    async with watched(desk):
        desk.file.unlink()
        await asyncio.sleep(0.2)
        desk.write(SECOND)
        await becomes(desk, "second")
        await asyncio.sleep(0.5)
        assert desk.live.engine.registry.find("a") is not None
        desk.file.unlink()
        await until(lambda: desk.live.engine.registry.find("a") is None)
        assert desk.said("strategy a unloaded")


async def test_a_strategys_own_configuration_is_taken(desk: Desk, tmp_path: Path) -> None:
    main = tmp_path / "main.yaml"
    settings = {"directory": str(tmp_path), "config_directory": str(tmp_path / "configs")}
    main.write_text(yaml.safe_dump({"plugins": settings, "strategies": [{"id": "a", "plugin": "mine"}]}))
    desk.config_file = main
    async with watched(desk):
        own = tmp_path / "configs" / "a.yaml"
        own.parent.mkdir()
        own.write_text("size: 2.0\n")
        await until(lambda: desk.running().size == 2.0)  # type: ignore[attr-defined]
        own.write_text("size: [")
        await until(lambda: desk.said("configuration not reloaded"))
        own.write_text("size: 9.5\n")
        await until(lambda: desk.running().size == 9.5)  # type: ignore[attr-defined]
        assert desk.facts.reloads.of("a")[-1].what == "parameters"


async def test_a_change_before_the_watch_stands_is_taken(desk: Desk) -> None:
    async with just_watched(desk):
        desk.write(SECOND)
        await becomes(desk, "second")


async def test_a_folder_that_comes_late_is_watched_from_its_first_file_on(new_desk: NewDesk, tmp_path: Path) -> None:
    desk = await new_desk(load_new=True)
    late = tmp_path / "elsewhere" / "late"
    watcher = Watcher(desk.reloading, [late], desk.settings)
    task = asyncio.create_task(watcher.run())
    try:
        for number in range(3):
            late.mkdir(parents=True)
            for name in (f"first{number}", f"second{number}"):
                (late / f"{name}.py").write_text(SOURCE)
                await until(lambda name=name: desk.live.engine.registry.find(name) is not None, what=name)
            shutil.rmtree(late)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_folder_within_that_comes_with_its_files_is_looked_through(desk: Desk) -> None:
    async with watched(desk):
        desk.write(SOURCE.replace('NAME = "first"', "from names.of import NAME"))
        await until(lambda: not desk.facts.reloads.of("a")[-1].is_done)
        (desk.folder / "names").mkdir()
        desk.write("", "names/__init__.py")
        desk.write("NAME = 'from a folder'\n", "names/of.py")
        await becomes(desk, "from a folder")


async def test_where_the_system_gives_out_no_watches_files_are_looked_at(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_watches(*folders: Path, **options: object) -> AsyncGenerator[set[FileChange]]:
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr("sengine.service.reload.watching.awatch", no_watches)
    async with watched(desk):
        desk.write(SECOND)
        await becomes(desk, "second")


async def test_what_is_there_at_the_start_is_not_new(new_desk: NewDesk) -> None:
    desk = await new_desk(load_new=True)
    desk.write(SOURCE, "resting.py")
    async with watched(desk):
        assert desk.live.engine.registry.find("resting") is None


def test_own_parameters_come_over_the_files_and_under_overrides(tmp_path: Path) -> None:
    main, configs = tmp_path / "main.yaml", tmp_path / "configs"
    configs.mkdir()
    (configs / "a.yaml").write_text("size: 2\nname: own\n")
    strategy = {"id": "a", "plugin": "mine", "config": {"size": 1, "name": "main", "kept": True}}
    settings = {"config_directory": str(configs)}
    main.write_text(yaml.safe_dump({"plugins": settings, "strategies": [strategy, {"id": "b", "plugin": "mine"}]}))
    config = load_config(main, environment={}, overrides=["strategies.a.config.name=set"])
    assert config.strategies[0].config == {"size": 2, "name": "set", "kept": True}
    assert config.strategies[1].config == {}


TYPED = """
import msgspec
from sengine.strategy import BaseStrategy

class Parameters(msgspec.Struct, frozen=True):
    size: float = 1.0
    other: int = 1

class Typed(BaseStrategy):
    parameters = Parameters

    def on_tick(self, data):
        return None

def create_strategy():
    return Typed("typed")
"""


def test_a_mistake_in_a_strategys_own_file_names_that_file_and_key(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(TYPED)
    configs = tmp_path / "configs"
    configs.mkdir()
    main, own = tmp_path / "main.yaml", configs / "a.yaml"
    own.write_text("size: big\n")
    settings = {"directory": str(tmp_path), "config_directory": str(configs)}
    strategy = {"id": "a", "plugin": "mine", "config": {"other": "many"}}
    main.write_text(yaml.safe_dump({"plugins": settings, "strategies": [strategy]}))
    checked = CliRunner().invoke(app, ["config", "check", str(main)])
    assert isinstance(checked.exception, ConfigError)
    assert list(checked.exception.mistakes) == [
        f'{own}: size: expected a number, got "big"',
        f'{main}: strategies.a.config.other: expected an integer, got "many"',
    ]


async def test_a_reload_with_a_mistake_in_a_strategys_own_file_names_it(desk: Desk, tmp_path: Path) -> None:
    desk.write(TYPED)
    assert (await desk.reload()).is_done
    main, configs = tmp_path / "main.yaml", tmp_path / "configs"
    configs.mkdir()
    (configs / "a.yaml").write_text("size: big\n")
    settings = {"directory": str(tmp_path), "config_directory": str(configs)}
    main.write_text(yaml.safe_dump({"plugins": settings, "strategies": [{"id": "a", "plugin": "mine"}]}))
    desk.config_file = main
    report = await desk.reload()
    assert not report.is_done
    assert f'{configs / "a.yaml"}: size: expected a number, got "big"' in report.reason
