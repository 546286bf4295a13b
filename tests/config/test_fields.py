from __future__ import annotations

from enum import Enum
from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, field, inspect

from sengine.config import Config, Duration, FieldDescription, describe
from sengine.config.convert import convert
from sengine.config.durations import LONGEST_NS, format_duration, read_duration_ns
from sengine.config.fields import as_written
from sengine.config.risk_schema import ConfidenceFilter, RiskConfig
from sengine.config.schema import StrategyConfig


class Mode(Enum):
    FAST = "fast"


class Node(msgspec.Struct, frozen=True):
    child: Node | None = None


class Parameters(msgspec.Struct, frozen=True):
    window: Annotated[int, Meta(ge=1, description="Ticks in the mean.")]
    every_ns: Duration = field(default=1_500_000_000, name="every")
    pause_ns: Duration | None = 2_000_000_000
    mode: Mode = Mode.FAST
    pairs: list[str] = field(default_factory=lambda: ["A", "B"])
    label: str = ""
    timeouts: tuple[Duration, ...] = (1_000_000_000,)
    modes: list[Mode] | str | None = field(default_factory=lambda: [Mode.FAST])


def test_parameters_are_described_as_they_are_written():
    assert describe(Parameters) == [
        FieldDescription("window", "an integer >= 1", None, "Ticks in the mean."),
        FieldDescription("every", "a duration like 5s, 250ms or 1m", "1500ms", ""),
        FieldDescription("pause_ns", "a duration like 5s, 250ms or 1m, or null", "2s", ""),
        FieldDescription("mode", "fast", "fast", ""),
        FieldDescription("pairs", "a list, each text", '["A", "B"]', ""),
        FieldDescription("label", "text", '""', ""),
        FieldDescription("timeouts", "a list, each a duration like 5s, 250ms or 1m", '["1s"]', ""),
        FieldDescription("modes", "a list, each fast or text, or null", '["fast"]', ""),
    ]


def test_keys_of_sections_and_list_items_have_full_names():
    names = [described.name for described in describe(Config)]
    assert {"nats.topics.fills", "strategies[].id", "risk.filters[drawdown].max_drawdown"} <= set(names)
    assert len(names) == len(set(names))


def test_every_key_of_the_configuration_is_documented():
    assert [described.name for described in describe(Config) if not described.doc] == []


def test_type_that_holds_itself_is_described_once():
    assert describe(Node) == [FieldDescription("child", "a mapping, or null", "null", "")]


def test_what_is_no_struct_has_no_fields():
    assert describe(int) == []


def test_configuration_written_out_reads_back_the_same():
    config = Config(
        strategies=[StrategyConfig(id="a", plugin="momentum", config={"x": [1]}, data=["book"])],
        risk=RiskConfig(filters=[ConfidenceFilter(min_confidence=0.1)], bypass=["drawdown"]),
    )
    written = as_written(config, inspect.type_info(Config))
    assert written["aggregation"] == {"method": "weighted_average", "window_size": "5s"}
    assert convert(written, Config) == (config, [])


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [(0, "0s"), (1, "1ns"), (60_000_000_000, "1m"), (90_000_000_000, "90s"), (250_000_000, "250ms")],
)
def test_duration_is_written_in_its_largest_whole_unit(duration_ns, text):
    assert format_duration(duration_ns) == text


@given(st.integers(0, 10**15) | st.integers(0, 10**9).map(lambda seconds: seconds * 10**9))
def test_written_duration_reads_back(duration_ns):
    assert read_duration_ns(format_duration(duration_ns)) == duration_ns


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()))
def test_any_value_is_a_duration_or_none(value):
    duration_ns = read_duration_ns(value)
    assert duration_ns is None or 0 <= duration_ns <= LONGEST_NS
