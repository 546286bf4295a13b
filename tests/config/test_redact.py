from __future__ import annotations

import re
from pathlib import Path

import pytest

from sengine.config import load_config
from sengine.config.redact import plain, redacted, with_secrets
from sengine.errors import ConfigError


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


@pytest.mark.parametrize(
    "text",
    ["api: {token: 12345}", "nats: {password: -.5e10}", "nats: {token: '${bad reference hunter2'}"],
)
def test_a_mistake_in_a_secret_is_told_without_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / "sengine.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"expected .*, got what is not shown") as told:
        load_config(file)
    assert not re.search("12345|5e10|hunter2", str(told.value))


def test_numbers_are_secrets_too_where_they_are_called_so() -> None:
    shown = plain({"api_key": 12345, "seed": 7, "window_ns": 5, "token": True, "accounts": [{"secret": 9}]})
    assert shown == {"api_key": "***", "seed": 7, "window_ns": 5, "token": True, "accounts": [{"secret": "***"}]}


def test_what_comes_back_from_a_form_keeps_the_secrets_that_were_left_alone() -> None:
    actual = {"api_key": "hunter2", "url": "nats://a:b@c", "window": 5, "of": [{"secret": 9}]}
    assert with_secrets(plain(actual), actual) == actual
    changed = {"api_key": "new", "url": "nats://***@d", "window": 6, "of": [{"secret": "***"}]}
    assert with_secrets(changed, actual) == {
        "api_key": "new",
        "url": "nats://***@d",
        "window": 6,
        "of": [{"secret": 9}],
    }
    assert with_secrets({"name": "***"}, {"name": "plain"}) == {"name": "***"}
