"""Which file a strategy's name means."""

from __future__ import annotations

from pathlib import Path

import pytest

from sengine.errors import PluginError
from sengine.plugins.catalog import Catalog


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    own, packaged = tmp_path / "own", tmp_path / "packaged"
    for folder, names in ((own, ["rsi", "my_pairs"]), (packaged, ["rsi", "momentum", "market_maker"])):
        folder.mkdir()
        for name in names:
            (folder / f"{name}.py").write_text("")
    return own, packaged


def test_the_users_folder_comes_before_the_examples(folders: tuple[Path, Path]) -> None:
    own, packaged = folders
    catalog = Catalog([own, packaged])
    assert catalog.find("rsi") == own / "rsi.py"
    assert catalog.find("momentum") == packaged / "momentum.py"
    assert Catalog([packaged, own]).find("rsi") == packaged / "rsi.py"


def test_files_are_listed_once_by_stem(folders: tuple[Path, Path]) -> None:
    own, packaged = folders
    assert Catalog([own, packaged, own]).files() == {
        "my_pairs": own / "my_pairs.py",
        "rsi": own / "rsi.py",
        "market_maker": packaged / "market_maker.py",
        "momentum": packaged / "momentum.py",
    }


def test_tests_private_files_and_others_are_no_strategies(folders: tuple[Path, Path]) -> None:
    own, _ = folders
    for name in ("test_rsi.py", "_shared.py", ".hidden.py", "conftest.py", "notes.txt"):
        (own / name).write_text("")
    assert set(Catalog([own]).files()) == {"rsi", "my_pairs"}


@pytest.mark.parametrize("name", ["momentum", "momentum.py", "momentum.so"])
def test_a_name_is_a_file_name_or_its_stem(folders: tuple[Path, Path], name: str) -> None:
    assert Catalog(folders).find(name) == folders[1] / "momentum.py"


def test_a_path_is_a_path(folders: tuple[Path, Path], tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.py"
    elsewhere.write_text("")
    assert Catalog(folders).find(str(elsewhere)) == elsewhere
    missing = tmp_path / "missing.py"
    with pytest.raises(PluginError, match="does not exist"):
        Catalog(folders).find(str(missing))


def test_an_unknown_name_suggests_the_nearest_and_names_the_folders(folders: tuple[Path, Path]) -> None:
    with pytest.raises(PluginError) as caught:
        Catalog(folders).find("momentun")
    assert str(caught.value) == f'no strategy "momentun" in {folders[0]}, {folders[1]}; did you mean "momentum"?'


def test_a_name_that_is_near_to_nothing_is_answered_with_what_there_is(folders: tuple[Path, Path]) -> None:
    with pytest.raises(PluginError, match=r"; there is: my_pairs, rsi, market_maker, momentum$"):
        Catalog(folders).find("zzz")


def test_a_folder_that_is_not_there_is_an_empty_one(tmp_path: Path) -> None:
    catalog = Catalog([tmp_path / "nowhere"])
    assert catalog.files() == {}
    with pytest.raises(PluginError, match="there is: none"):
        catalog.find("rsi")


def test_links_stay_in_paths_and_steps_up_from_them_are_taken_as_the_system_does(tmp_path: Path) -> None:
    real = tmp_path / "releases" / "one"
    real.mkdir(parents=True)
    (real / "rsi.py").write_text("")
    (tmp_path / "releases" / "other.py").write_text("")
    link = tmp_path / "current"
    link.symlink_to(real)
    assert Catalog([link]).find("rsi") == link / "rsi.py"
    assert Catalog([]).find(f"{real}/../one/rsi.py") == real / "rsi.py"
    assert Catalog([]).find(f"{link}/../other.py") == tmp_path / "releases" / "other.py"
