from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sengine.clock import (
    NS_PER_MS,
    NS_PER_S,
    NS_PER_US,
    epoch_to_ns,
    epoch_unit_ns,
    format_timestamp,
    parse_duration_ns,
    parse_timestamp_ns,
    to_datetime,
)

MOMENT_NS = 1_723_161_255_088_169_167  # 2024-08-08T23:54:15.088169167Z
ANY_NS = st.integers(-(2**63) + 1, 2**63 - 1)


@pytest.mark.parametrize(
    "text",
    [
        "2024-08-08T23:54:15.088169167Z",
        "2024-08-08T23:54:15.088169167z",
        "2024-08-08 23:54:15.088169167",
        "2024-08-08T23:54:15,088169167",
        "  2024-08-08T23:54:15.088169167 Z ",
        "2024-08-08T23:54:15.088169167999Z",
        "2024-08-09T01:54:15.088169167+02:00",
        "2024-08-09T05:24:15.088169167+0530",
        "2024-08-08T20:54:15.088169167-03",
        "1723161255088169167",
        "1723161255.088169167",
        "1723161255088.169167",
        "1723161255088169.167",
        "1.723161255088169167e9",
    ],
)
def test_one_moment_in_many_ways(text: str) -> None:
    assert parse_timestamp_ns(text) == MOMENT_NS


@pytest.mark.parametrize(
    ("text", "expected_ns"),
    [
        ("2024-08-08", 1_723_075_200 * NS_PER_S),
        ("2024-08-08T23:54", 1_723_161_240 * NS_PER_S),
        ("1970-01-01T00:00:00.5Z", NS_PER_S // 2),
        ("1969-12-31T23:59:59.25Z", -3 * NS_PER_S // 4),
        ("0", 0),
        ("-1.5", -3 * NS_PER_S // 2),
        ("+7", 7 * NS_PER_S),
    ],
)
def test_short_and_early_timestamps(text: str, expected_ns: int) -> None:
    assert parse_timestamp_ns(text) == expected_ns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "nan",
        "inf",
        "0x10",
        "1_000",
        "2024-13-01",
        "2024-02-30T00:00:00Z",
        "2024-08-08T25:00:00Z",
        "2024-08-08T23:54:15+99:99",
        "2024-08-08T23:54:15 Europe/Paris",
        "08/08/2024",
        "٢٠٢٤-08-08",
        "0001-01-01",
        "9999-12-31T23:59:59Z",
        "9" * 25,
        "1e40",
        "1e99",
    ],
)
def test_what_is_no_timestamp_is_a_value_error_that_shows_it(text: str) -> None:
    with pytest.raises(ValueError, match="expected a timestamp") as caught:
        parse_timestamp_ns(text)
    assert text[:4] in str(caught.value) or "E+" in str(caught.value)


@given(st.text(max_size=40))
def test_no_text_is_more_than_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert -(2**63) < parse_timestamp_ns(text) < 2**63


@given(ANY_NS)
def test_what_is_formatted_parses_to_the_same_moment(time_ns: int) -> None:
    assert parse_timestamp_ns(format_timestamp(time_ns)) == time_ns


def test_text_has_all_nine_digits() -> None:
    assert format_timestamp(MOMENT_NS) == "2024-08-08T23:54:15.088169167Z"
    assert format_timestamp(0) == "1970-01-01T00:00:00.000000000Z"
    assert format_timestamp(-1) == "1969-12-31T23:59:59.999999999Z"


@given(ANY_NS, st.integers(-23, 23))
def test_any_offset_names_the_same_moment(time_ns: int, hours: int) -> None:
    whole_ns = time_ns - time_ns % NS_PER_US
    if abs(whole_ns) < 2**63:
        there = to_datetime(whole_ns).astimezone(timezone(timedelta(hours=hours)))
        assert parse_timestamp_ns(there.isoformat()) == whole_ns


@pytest.mark.parametrize(
    ("number", "unit_ns"),
    [
        (1_723_161_255, NS_PER_S),
        (9_223_372_036, NS_PER_S),
        (100_000_000_000, NS_PER_MS),
        (1_723_161_255_088, NS_PER_MS),
        (1_723_161_255_088_169, NS_PER_US),
        (1_723_161_255_088_169_167, 1),
        (-1_723_161_255_088, NS_PER_MS),
    ],
)
def test_the_unit_of_an_epoch_number_is_told_by_its_size(number: int, unit_ns: int) -> None:
    assert epoch_unit_ns(number) == unit_ns
    assert epoch_to_ns(number) == number * unit_ns


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1e300, 2**63, -(2**64)])
def test_an_epoch_number_that_is_no_moment_is_a_value_error(number: float) -> None:
    with pytest.raises(ValueError, match="expected a timestamp"):
        epoch_to_ns(number)


def test_a_float_of_seconds_keeps_the_digits_that_it_shows() -> None:
    assert epoch_to_ns(1723161255.088169) == 1_723_161_255_088_169_000


def test_a_datetime_holds_microseconds() -> None:
    assert to_datetime(MOMENT_NS) == datetime(2024, 8, 8, 23, 54, 15, 88_169, UTC)
    assert to_datetime(-1) == datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC)


@pytest.mark.parametrize(
    ("value", "expected_ns"),
    [
        ("5s", 5 * NS_PER_S),
        ("250ms", 250 * NS_PER_MS),
        ("1.5m", 90 * NS_PER_S),
        ("2h", 7_200 * NS_PER_S),
        ("1d", 86_400 * NS_PER_S),
        ("3us", 3 * NS_PER_US),
        ("7ns", 7),
        (" 5 s ", 5 * NS_PER_S),
        (5, 5 * NS_PER_S),
        (0.1, 100 * NS_PER_MS),
        (0, 0),
    ],
)
def test_a_duration_has_a_unit_or_is_seconds(value: str | float, expected_ns: int) -> None:
    assert parse_duration_ns(value) == expected_ns


@pytest.mark.parametrize("value", ["", "5", "5 weeks", "-5s", "s", "1e3s", True, -1, float("nan"), float("inf"), 1e12])
def test_what_is_no_duration_is_a_value_error_that_shows_it(value: str | float) -> None:
    with pytest.raises(ValueError, match="expected a duration like 5s, 250ms or 1m"):
        parse_duration_ns(value)
