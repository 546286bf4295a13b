from __future__ import annotations

from pathlib import Path

from sengine.config import load_config
from sengine.config.redact import redacted


def test_secrets_are_left_out_wherever_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "sengine.yaml"
    file.write_text(
        """
nats: {url: "nats://anna:hunter2@broker:4222", password: hunter2, token: hunter2}
api: {listen: "127.0.0.1:7000", token: hunter2}
strategies:
  - {id: a, plugin: momentum, config: {exchange_api_key: hunter2, nested: {secret: hunter2}, long_window: 20}}
"""
    )
    shown = redacted(load_config(file))
    assert "hunter2" not in repr(shown)
    assert shown["nats"]["url"] == "nats://***@broker:4222"
    assert shown["strategies"][0]["config"]["long_window"] == 20


def test_the_rest_is_shown_as_it_is_written() -> None:
    shown = redacted(load_config(None))
    assert (shown["nats"]["password"], shown["nats"]["url"]) == ("", "embedded")
    confidence = shown["risk"]["filters"][0]
    assert (confidence["type"], confidence["min_confidence"]) == ("confidence", 0.6)
    assert shown["aggregation"]["window_size"] == "5s"
