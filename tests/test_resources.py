from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

import sengine.resources
from sengine.errors import SengineError
from sengine.resources import ResourceError, resource_path, resource_root

CHECKOUT = Path(__file__).resolve().parent.parent


def installed_at(package: Path) -> ModuleType:
    """The module as it is when ``package`` is where the sengine package was installed."""
    package.mkdir(parents=True)
    copy = Path(shutil.copy(sengine.resources.__file__, package))
    spec = importlib.util.spec_from_file_location("installed_resources", copy)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    path.write_text("x: 1\n")
    return path


def test_checkout_keeps_resources_at_its_top() -> None:
    assert resource_root() == CHECKOUT
    assert resource_path("configs") == CHECKOUT / "configs"
    assert resource_path("strategies").is_dir()


def test_wheel_keeps_resources_inside_the_package(tmp_path: Path) -> None:
    module = installed_at(tmp_path / "site-packages" / "sengine")
    config = write(tmp_path / "site-packages" / "sengine" / "_data" / "configs" / "replay.yaml")
    assert module.resource_path("configs", "replay.yaml") == config


def test_wheel_does_not_take_a_folder_of_another_package(tmp_path: Path) -> None:
    module = installed_at(tmp_path / "site-packages" / "sengine")
    write(tmp_path / "site-packages" / "sengine" / "_data" / "strategies" / "momentum.py")
    write(tmp_path / "site-packages" / "configs" / "replay.yaml")
    with pytest.raises(module.ResourceError):
        module.resource_path("configs", "replay.yaml")


def test_executable_keeps_resources_where_it_unpacks_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "_MEIPASS", str(tmp_path), raising=False)
    strategy = write(tmp_path / "sengine" / "_data" / "strategies" / "momentum.py")
    assert resource_path("strategies", "momentum.py") == strategy


def test_missing_resource_names_the_path_and_the_next_step() -> None:
    with pytest.raises(ResourceError) as raised:
        resource_path("configs", "no-such.yaml")
    assert isinstance(raised.value, SengineError)
    assert str(raised.value) == (
        f"{CHECKOUT / 'configs' / 'no-such.yaml'}: expected this file to ship with sengine, found none; "
        "install sengine again, or restore the file in the checkout"
    )


@pytest.mark.parametrize("parts", [("..",), ("configs", "..", "..", "etc"), ("/etc/passwd",)])
def test_parts_that_lead_out_of_the_resources_are_refused(parts: tuple[str, ...]) -> None:
    with pytest.raises(ResourceError, match="leads out of"):
        resource_path(*parts)
