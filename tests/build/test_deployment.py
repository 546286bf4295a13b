"""What deploys sengine is sound: the container's recipe, its companions, the systemd unit."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sengine.assembly import catalog, check_strategies
from sengine.config import load_config
from tests.patience import PATIENCE_S

BUILD = Path(__file__).resolve().parents[2] / "build"
COMPOSE = yaml.safe_load((BUILD / "compose.yaml").read_text())
CONTEXT = re.findall(r"^!(.+)$", (BUILD.parent / ".dockerignore").read_text(), re.MULTILINE)
HADOLINT = shutil.which("hadolint") or shutil.which("hadolint", path=str(Path(sys.executable).parent))


@pytest.mark.skipif(HADOLINT is None, reason="no hadolint here")
def test_the_dockerfile_has_nothing_a_linter_objects_to() -> None:
    assert HADOLINT is not None
    linted = subprocess.run(
        [HADOLINT, BUILD / "Dockerfile"], capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert (linted.returncode, linted.stdout) == (0, "")


def test_the_image_copies_what_there_is_and_runs_as_nobody_special() -> None:
    text = (BUILD / "Dockerfile").read_text()
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (BUILD.parent / source).exists(), source
            # What .dockerignore leaves out is not there for the builder.
            assert any(source == kept or source.startswith(f"{kept}/") for kept in CONTEXT), source
    assert re.search(r"^USER \d+:\d+$", text, re.MULTILINE)
    assert "HEALTHCHECK" in text
    assert all(":" in image for image in re.findall(r"^FROM (\S+)", text, re.MULTILINE))


def test_the_image_holds_the_compiled_engine_and_no_compiler() -> None:
    builder, image = (BUILD / "Dockerfile").read_text().rsplit("\nFROM ", 1)
    assert "SENGINE_COMPILED=1" in builder
    assert "requirements/compile.txt" in builder
    assert "gcc" not in image


def test_every_file_that_compose_mounts_is_here_and_every_image_is_pinned() -> None:
    for name, service in COMPOSE["services"].items():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (BUILD / source).exists(), f"{name}: {source}"
            else:
                assert source in COMPOSE["volumes"], f"{name}: {source}"
        image = service.get("image", "")
        assert image == "sengine" or re.search(r":v?\d+\.\d+\.\d+", image), image


def test_only_loopback_of_the_host_reaches_what_compose_publishes() -> None:
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_engine_of_compose_has_a_sound_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATS_TOKEN", "secret")
    config = load_config(BUILD / "compose" / "sengine.yaml")
    assert check_strategies(config, catalog(config)) == []


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "sengine.service"
    text = (BUILD / "sengine.service").read_text()
    # It looks for the program and the manual page, which are not installed here.
    text = text.replace("/usr/local/bin/sengine", "/bin/true").replace("Documentation=man:sengine(1)\n", "")
    unit.write_text(text)
    checked = subprocess.run(
        ["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert [line for line in checked.stderr.splitlines() if unit.name in line] == []
