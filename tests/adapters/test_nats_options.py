from __future__ import annotations

from pathlib import Path

import pytest

from sengine.adapters.nats.options import connect_options
from sengine.config.schema import NatsConfig
from sengine.errors import ConfigError


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    config = NatsConfig(
        password="x", tls_cert=str(tmp_path / "none.pem"), nkey_seed_file=str(tmp_path / "empty"), token="t"
    )
    with pytest.raises(ConfigError) as caught:
        connect_options(config)

    told = caught.value.mistakes
    assert len(told) == 5
    assert any(mistake.startswith("nats.tls_cert") and "No such file" in mistake for mistake in told)
    assert any(mistake.startswith("nats.nkey_seed_file") and "empty" in mistake for mistake in told)
    assert any(mistake.startswith("nats.tls_key") for mistake in told)
    assert any(mistake.startswith("nats.user") for mistake in told)
    assert any("one way to log in" in mistake for mistake in told)


def test_certificates_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate")

    with pytest.raises(ConfigError, match="PEM"):
        connect_options(NatsConfig(tls_ca=str(tmp_path / "ca.pem")))


def test_nothing_configured_is_no_option() -> None:
    assert connect_options(NatsConfig()) == {}
