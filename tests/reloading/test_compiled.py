"""Compiled strategies in a running engine: a changed one goes the whole way of a reload, as a source does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.integration.engine_process import until
from tests.reloading.conftest import SOURCE, Desk
from tests.reloading.test_watching import watched

COMPILER = next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), None)
pytestmark = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")


def with_mypyc(source: str, folder: Path) -> Path:
    (folder / "mine.py").write_text(source)
    environment = os.environ | {"MYPYC_OPT_LEVEL": "0"}
    command = [sys.executable, "-m", "mypyc", "mine.py"]
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, timeout=110)
    (extension,) = folder.glob("mine.*.so")
    return extension


def with_cython(source: str, folder: Path) -> Path:
    (folder / "mine.py").write_text(source)
    command = [sys.executable, "-m", "cython", "-3", "mine.py", "-o", "mine.c"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=110)
    extension = folder / f"mine{sysconfig.get_config_var('EXT_SUFFIX')}"
    include = sysconfig.get_path("include")
    assert COMPILER is not None
    command = [COMPILER, "-O0", "-shared", "-fPIC", f"-I{include}", "mine.c", "-o", str(extension)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=110)
    return extension


@pytest.fixture(params=["mypyc", "cython"])
def compiled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    if find_spec({"mypyc": "mypyc", "cython": "Cython"}[request.param]) is None:
        pytest.skip(f"needs {request.param}")
    build = with_mypyc if request.param == "mypyc" else with_cython

    def compile_mine(name: str) -> Path:
        return build(SOURCE.replace('"first"', f'"{name}"'), tmp_path_factory.mktemp(name))

    return compile_mine


async def test_a_changed_extension_is_proved_and_swapped_in_and_half_of_one_is_not(
    desk: Desk, compiled: Callable[..., Path]
) -> None:
    first, second = compiled("compiled"), compiled("again")
    place = desk.folder / first.name
    async with watched(desk):
        shutil.copy(first, place)
        # It stands before the source of the same name.
        await until(lambda: desk.name() == "compiled", what="the first extension")
        running = desk.running()
        shutil.copy(second, place)
        await until(lambda: desk.name() == "again", what="the second extension")
        desk.tick(5)
        report = desk.facts.reloads.of("a")[-1]
        assert (report.is_done, report.trigger) == (True, "file")
        assert report.compared is not None
        assert report.compared.differ == 0
        assert desk.running().mids == [float(mid) for mid in range(2, desk.step + 2)]  # type: ignore[attr-defined]
        assert (running.name, len(running.mids)) == ("compiled", desk.step - 5)  # type: ignore[attr-defined]
        version = desk.version
        place.write_bytes(first.read_bytes()[:4000])
        await until(lambda: not desk.facts.reloads.of("a")[-1].is_done)
        assert (desk.version, desk.name()) == (version, "again")
        shutil.copy(first, place)
        await until(lambda: desk.name() == "compiled", what="the first extension again")


async def test_without_its_extension_a_strategy_goes_back_to_the_source_beside_it(
    desk: Desk, compiled: Callable[..., Path]
) -> None:
    first = compiled("compiled")
    place = desk.folder / first.name
    async with watched(desk):
        shutil.copy(first, place)
        await until(lambda: desk.name() == "compiled", what="the extension")
        place.unlink()
        await until(lambda: desk.name() == "ready", what="the source")
        assert all(report.is_done for report in desk.facts.reloads.of("a"))


async def test_an_extension_that_crashes_leaves_nothing_in_the_temporary_folder(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    assert COMPILER is not None
    source = desk.write("void *PyInit_mine(void) { return *(void *volatile *)0; }\n", "mine.c")
    extension = desk.folder / f"mine{sysconfig.get_config_var('EXT_SUFFIX')}"
    subprocess.run([COMPILER, "-shared", "-fPIC", str(source), "-o", str(extension)], check=True, timeout=60)
    report = await desk.reload()
    assert "crashed the interpreter" in report.reason
    assert list(temporary.iterdir()) == []
