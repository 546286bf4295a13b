from __future__ import annotations

from pathlib import Path

import pytest

from sengine.config import load_config
from sengine.config.exposed import exposed_secrets


def written(file: Path, text: str, mode: int) -> Path:
    file.write_text(text)
    file.chmod(mode)
    return file


def sentences(file: Path) -> list[str]:
    return exposed_secrets(load_config(file, environment={"TOKEN": "t"}), file)


LOGIN = """
nats: {url: "nats://anna:hunter2@broker:4222", password: hunter2, user: anna}
strategies: [{id: a, plugin: momentum, config: {keys: {api_key: 12345}}}]
"""


def test_secrets_in_a_file_that_others_can_read_are_named_without_being_shown(tmp_path: Path) -> None:
    (sentence,) = sentences(written(tmp_path / "sengine.yaml", LOGIN, 0o644))
    assert "holds nats.url, nats.password, strategies[0].config.keys.api_key and can be read by others" in sentence
    assert "(mode 0644)" in sentence
    assert "hunter2" not in sentence


@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_a_file_of_its_owner_and_group_is_nobody_elses(tmp_path: Path, mode: int) -> None:
    assert sentences(written(tmp_path / "sengine.yaml", LOGIN, mode)) == []


@pytest.mark.parametrize(
    "text",
    ["nats: {token: '${TOKEN}'}", "nats: {token: ''}", "nats: {url: 'nats://broker:4222'}", "strategies: []"],
)
def test_a_file_without_secrets_may_be_read_by_all(tmp_path: Path, text: str) -> None:
    assert sentences(written(tmp_path / "sengine.yaml", text, 0o644)) == []


def test_a_random_seed_is_no_secret_and_a_key_seed_is(tmp_path: Path) -> None:
    text = "strategies: [{id: a, plugin: momentum, config: {seed: %s}}]"
    assert sentences(written(tmp_path / "a.yaml", text % "7", 0o644)) == []
    assert len(sentences(written(tmp_path / "b.yaml", text % "SUAM", 0o644))) == 1


def test_a_strategys_own_file_and_key_files_are_looked_at_too(tmp_path: Path) -> None:
    written(tmp_path / "a.yaml", "api_key: hunter2", 0o644)
    key = written(tmp_path / "engine.key", "key", 0o644)
    text = f"""
plugins: {{config_directory: {tmp_path}}}
strategies: [{{id: a, plugin: momentum}}]
api: {{tls_key: {key}}}
"""
    own, named = sentences(written(tmp_path / "sengine.yaml", text, 0o600))
    assert own.startswith(f"{tmp_path}/a.yaml: holds api_key and can be read by others")
    assert named.startswith(f"{key}: api.tls_key can be read by others")
    key.chmod(0o600)
    assert len(sentences(tmp_path / "sengine.yaml")) == 1
