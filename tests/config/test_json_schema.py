from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sengine.config import describe, load_config
from sengine.config.json_schema import DIALECT, json_schema
from sengine.config.schema import Config
from sengine.errors import ConfigError
from sengine.resources import resource_path
from tests.config.schema_check import schema_mistakes

CONFIGS = ("sengine.yaml", "demo.yaml", "replay.yaml", "templates/project/sengine.yaml")


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    # As a file holds it: through JSON and back.
    return json.loads(json.dumps(json_schema()))


def keys(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key of the configuration with its schema, at any depth."""
    for name, below in schema.get("properties", {}).items():
        yield name, below
        yield from keys(below)
    for below in (*([schema["items"]] if "items" in schema else []), *schema.get("anyOf", ())):
        yield from keys(below)


def found(text: str, schema: dict[str, Any]) -> list[str]:
    return list(schema_mistakes(yaml.safe_load(text), schema, schema))


@pytest.mark.parametrize("name", CONFIGS)
def test_a_packaged_configuration_fits_the_schema(name: str, schema: dict[str, Any]) -> None:
    assert found(Path(resource_path("configs", name)).read_text(), schema) == []


@pytest.mark.parametrize(
    "text",
    [
        "agregation: {}",
        "aggregation: {method: average}",
        "aggregation: {window_size: 0}",
        "aggregation: {window_size: 5 parsecs}",
        "execution: {commission_bps: -1}",
        "execution: {commission_bps: much}",
        "service: {port: 70000}",
        "service: {port: 1.5}",
        "service: {name: ''}",
        "strategies: [{plugin: momentum}]",
        "strategies: [{id: 'no spaces', plugin: momentum}]",
        "strategies: [{id: a, plugin: momentum, symbols: []}]",
        "strategies: {a: momentum}",
        "risk: {filters: [{type: drawdawn}]}",
        "risk: {filters: [{type: trading_hours, open: '8', close: '17:00'}]}",
        "risk: {filters: [{type: drawdown, max_drawdown: 2}]}",
        "risk: {filters: [{type: drawdown, max_loss: 2}]}",
        "risk: {filters: [{type: max_order_quantity}]}",
        "metrics: {enabled: 'yes'}",
    ],
)
def test_what_the_loader_refuses_the_schema_refuses(text: str, schema: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text(text)
    with pytest.raises(ConfigError):
        load_config(tmp_path / "wrong.yaml", environment={})
    assert found(text, schema)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "risk:\nstrategies:\n",
        "execution: {commission_bps: '${BPS}'}",
        "aggregation: {method: '${METHOD:-unanimous}', window_size: '${WINDOW:-2s}'}",
        "aggregation: {window_size: 2.5}",
        "plugins: {resume_after: null, unload_after: 0}",
        "strategies: [{id: '${NAME:-a}', plugin: momentum, route: vote, data: [book, bar], config: {any: [1]}}]",
    ],
)
def test_what_the_loader_takes_the_schema_takes(text: str, schema: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(text)
    load_config(tmp_path / "good.yaml", environment={"BPS": "2", "METHOD": "unanimous"})
    assert found(text, schema) == []


def test_the_schema_names_its_dialect(schema: dict[str, Any]) -> None:
    assert schema["$schema"] == DIALECT == "https://json-schema.org/draft/2020-12/schema"


def test_the_schema_has_every_key_that_is_described(schema: dict[str, Any]) -> None:
    described = {each.name.rpartition(".")[2] for each in describe(Config)}
    assert described <= {name for name, _ in keys(schema)}


def test_every_key_says_what_it_means_what_it_takes_and_its_default(schema: dict[str, Any]) -> None:
    for name, below in keys(schema):
        if "const" in below:
            continue
        assert below["description"], name
        assert "properties" in below or "x-expected" in below, name
    size = schema["properties"]["aggregation"]["properties"]["window_size"]
    assert (size["default"], size["x-unit"]) == ("5s", "as written; a bare number is seconds")
    execution = schema["properties"]["execution"]["properties"]
    assert execution["latency_ms"]["x-unit"] == "milliseconds"
    assert execution["depth"]["anyOf"][0] == {"enum": ["touch", "walk"]}
    assert schema["properties"]["account"]["properties"]["initial_capital"]["x-unit"] == "quote currency"


def test_secrets_are_marked_and_nothing_else_is(schema: dict[str, Any]) -> None:
    assert {name for name, below in keys(schema) if below.get("writeOnly")} == {"token", "password"}
