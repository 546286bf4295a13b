from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sengine.clock import epoch_to_ns
from sengine.domain.epoch_numbers import are_all_taken, market_time_ns

MOMENT_NS = 1_704_187_800_000_000_000  # 2024-01-02T09:30:00Z


def refusal(cell: object) -> str:
    with pytest.raises(ValueError, match=r"^expected a timestamp, got ") as caught:
        market_time_ns(cell)  # type: ignore[arg-type]
    return str(caught.value)


@pytest.mark.parametrize(
    ("cell", "seems", "became"),
    [
        (20240102, "the date 2024-01-02 written as a number", "1970-08-23T06:15:02Z"),
        (20240102.0, "the date 2024-01-02 written as a number", "1970-08-23T06:15:02Z"),
        (202401020930, "the date 2024-01-02T09:30:00 written as a number", "1976-05-31T14:30:20Z"),
        (20240102093000, "the date 2024-01-02T09:30:00 written as a number", None),
        (20240102093000123, "the date 2024-01-02T09:30:00 written as a number", None),
        (45293.4, "a spreadsheet's day (2024-01-02T09:36:00Z)", "1970-01-01T12:34:53Z"),
        (34_200, "seconds of a day (9:30:00)", "1970-01-01T09:30:00Z"),
        (34_200_000, "milliseconds of a day (9:30:00)", "1971-01-31T20:00:00Z"),
        (638_397_846_000_000_000, "ticks of .NET (2024-01-02T09:30:00Z)", "1990-03-25T"),
        (133_486_614_000_000_000, "a Windows file time (2024-01-02T09:30:00Z)", "1974-03-25T"),
        (-1, "", "1969-12-31T23:59:59Z"),
        (-1_704_187_800_000, "", "1915-12-31T14:30:00Z"),
        (100_000_000, "", "1973-03-03T09:46:40Z"),
    ],
)
def test_what_is_no_epoch_number_is_refused_with_what_it_seems_and_would_have_become(
    cell: float, seems: str, became: str | None
) -> None:
    for form in (cell, f" {cell} ", Decimal(str(cell))):
        sentence = refusal(form)
        assert str(cell) in sentence or str(Decimal(str(cell))) in sentence
        assert seems in sentence
        assert f"it would be {became}" in sentence if became else "it is no epoch number" in sentence
        assert "Write times as ISO 8601" in sentence


@pytest.mark.parametrize("cell", ["0", 7, 9_999.9, 1_704_187_800, 1_704_187_800_000, MOMENT_NS, "1704187800.5"])
def test_counts_from_zero_and_times_from_1980_on_are_taken(cell: str | float) -> None:
    assert market_time_ns(cell) == epoch_to_ns(Decimal(str(cell)))


def test_earlier_dates_are_taken_where_they_are_written_as_dates() -> None:
    assert market_time_ns("1970-08-23T06:15:02Z") == 20_240_102 * 10**9
    assert market_time_ns("1962-01-02") < 0


@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2099, 12, 31)),
    st.sampled_from(["%Y%m%d", "%Y%m%d%H%M", "%Y%m%d%H%M%S"]),
)
def test_no_written_out_date_is_ever_taken_for_an_epoch_number(moment: datetime, form: str) -> None:
    assert "written as a number" in refusal(moment.strftime(form))


@given(st.datetimes(datetime(1980, 1, 1), datetime(2099, 12, 31)))
def test_no_day_of_a_spreadsheet_is_ever_taken_for_an_epoch_number(moment: datetime) -> None:
    days = (moment - datetime(1899, 12, 30)).total_seconds() / 86_400
    assert "a spreadsheet's day" in refusal(days)


@given(st.datetimes(datetime(1991, 1, 1), datetime(2261, 12, 31)), st.sampled_from([1, 10**3, 10**6, 10**9]))
def test_every_epoch_number_of_1991_to_2261_is_taken_in_any_unit(moment: datetime, unit_ns: int) -> None:
    count = int(moment.replace(tzinfo=UTC).timestamp()) * 10**9 // unit_ns
    assert market_time_ns(count) == count * unit_ns


@given(st.integers(0, 2**64), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_column_that_is_taken_as_a_whole_has_no_cell_that_is_refused(low: int, span: int, within: int) -> None:
    if are_all_taken(low, low + span):
        cell = low + min(span, within)
        assert market_time_ns(cell) == epoch_to_ns(cell)
