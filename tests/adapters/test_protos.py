from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROTOS = sorted(path.relative_to(ROOT) for path in ROOT.glob("sengine/proto/*.proto"))


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("grpc_tools")
    out = tmp_path_factory.mktemp("protos")
    flags = [f"--{kind}_out={out}" for kind in ("python", "pyi", "grpc_python")]
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", *flags, *map(str, PROTOS)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)
    return out


@pytest.mark.parametrize("proto", PROTOS, ids=lambda path: path.stem)
def test_committed_code_is_what_make_protos_generates(proto: Path, generated: Path) -> None:
    endings = ["_pb2.py", "_pb2.pyi"]
    if "\nservice " in (ROOT / proto).read_text():
        endings.append("_pb2_grpc.py")
    for ending in endings:
        name = proto.with_name(proto.stem + ending)
        assert (ROOT / name).read_text() == (generated / name).read_text(), f"{name} is stale: run `make protos`"


def test_every_field_of_the_execution_protocol_is_explained() -> None:
    lines = (ROOT / "sengine/proto/execution.proto").read_text().splitlines()
    rpcs = [place for place, line in enumerate(lines) if line.strip().startswith("rpc ")]
    assert rpcs
    assert all(lines[place - 1].strip().startswith("//") for place in rpcs)
