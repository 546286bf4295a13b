"""Strategy files that are symbolic links, or lie behind one, as deployments make them: the link is moved, or what it
leads to changes."""

from __future__ import annotations

import os
from pathlib import Path

from sengine.config.schema import StrategyConfig
from tests.integration.engine_process import until
from tests.reloading.conftest import SOURCE, Desk, NewDesk
from tests.reloading.test_watching import becomes, just_watched, watched


def called(name: str) -> str:
    return SOURCE.replace('"first"', f'"{name}"')


def point(link: Path, target: Path) -> None:
    """What ``ln -sfn`` does."""
    new = link.with_name(".new")
    new.symlink_to(target)
    os.replace(new, link)


def releases(folder: Path, *names: str) -> list[Path]:
    made = []
    for name in names:
        made.append(folder / name)
        made[-1].mkdir(parents=True)
        (made[-1] / "mine.py").write_text(called(name))
    return made


async def test_a_folders_link_that_is_moved_is_followed_and_so_are_later_edits(
    new_desk: NewDesk, tmp_path: Path
) -> None:
    first, second, third = releases(tmp_path / "releases", "v1", "v2", "v3")
    link = tmp_path / "strategies"
    link.symlink_to(first)
    async with just_watched(await new_desk(folder=link, load_new=True)) as desk:
        assert desk.live.engine.registry.get("a").spec.source == str(link / "mine.py")
        point(link, second)
        await becomes(desk, "v2")
        (second / "mine.py").write_text(called("edited"))
        await becomes(desk, "edited")
        (second / "fresh.py").write_text(called("fresh"))
        await until(lambda: desk.live.engine.registry.find("fresh") is not None)
        point(link, third)
        await becomes(desk, "v3")


async def test_a_link_further_up_is_followed_too(new_desk: NewDesk, tmp_path: Path) -> None:
    releases(tmp_path / "v1", "strategies")
    releases(tmp_path / "v2", "strategies")
    (tmp_path / "v2" / "strategies" / "mine.py").write_text(called("second"))
    (tmp_path / "current").symlink_to(tmp_path / "v1")
    async with just_watched(await new_desk(folder=tmp_path / "current" / "strategies")) as desk:
        assert desk.name() == "strategies"
        point(tmp_path / "current", tmp_path / "v2")
        await becomes(desk, "second")


async def test_a_folder_that_another_one_takes_the_place_of_is_watched_anew(new_desk: NewDesk, tmp_path: Path) -> None:
    first, second = releases(tmp_path / "app", "strategies", "next")
    async with just_watched(await new_desk(folder=first)) as desk:
        os.rename(first, tmp_path / "app" / "last")
        os.rename(second, first)
        await becomes(desk, "next")
        (first / "mine.py").write_text(called("edited"))
        await becomes(desk, "edited")


async def test_what_a_linked_file_leads_to_is_looked_at(desk: Desk, tmp_path: Path) -> None:
    elsewhere = tmp_path.with_name(f"{tmp_path.name}-elsewhere")
    elsewhere.mkdir()
    real = elsewhere / "real.py"
    real.write_text(called("linked"))
    async with watched(desk):
        point(desk.file, real)
        await becomes(desk, "linked")
        real.write_text(called("edited"))
        await becomes(desk, "edited")


async def test_a_helper_behind_links_is_looked_at(desk: Desk, tmp_path: Path) -> None:
    # As a Kubernetes volume has them: each file a link into a folder that is itself a link.
    elsewhere = tmp_path.with_name(f"{tmp_path.name}-volume")
    for number in (1, 2):
        (elsewhere / f"v{number}").mkdir(parents=True)
        (elsewhere / f"v{number}" / "names.py").write_text(f"NAME = 'of v{number}'\n")
    point(elsewhere / "..data", elsewhere / "v1")
    (desk.folder / "names.py").symlink_to(elsewhere / "..data" / "names.py")
    async with watched(desk):
        desk.write(SOURCE.replace('NAME = "first"', "from names import NAME"))
        await becomes(desk, "of v1")
        point(elsewhere / "..data", elsewhere / "v2")
        await becomes(desk, "of v2")


async def test_a_strategy_outside_of_the_watched_folders_is_looked_at(desk: Desk, tmp_path: Path) -> None:
    (elsewhere,) = releases(tmp_path.with_name(f"{tmp_path.name}-other"), "other")
    desk.strategies[0] = StrategyConfig(id="a", plugin=str(elsewhere / "mine.py"))
    async with watched(desk):
        assert (await desk.reload()).is_done
        await becomes(desk, "other")
        (elsewhere / "mine.py").write_text(called("edited"))
        await becomes(desk, "edited")
