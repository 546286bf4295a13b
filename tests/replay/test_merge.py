from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.merge import MergedFeed, merge_feeds
from sengine.domain.events import MarketEvent, TradeEvent


class ListFeed:
    """A feed of trades at the given times; ``sequence`` is the place in the list."""

    def __init__(self, path: str, times: list[int], size_bytes: int = 100) -> None:
        self.path = path
        self.size_bytes = size_bytes
        self.times = times
        self.taken = 0
        self.closed = False

    def __iter__(self) -> Iterator[MarketEvent]:
        for time_ns in self.times:
            self.taken += 1
            yield TradeEvent(self.path, time_ns, 1.0, 1.0, "buy", self.taken)

    def position(self) -> str:
        return f"{self.path}:{self.taken}"

    def fraction_done(self) -> float | None:
        return self.taken / len(self.times) if self.size_bytes else None

    def close(self) -> None:
        self.closed = True


def merged(*times: list[int]) -> list[tuple[int, str, int]]:
    feed = merge_feeds([ListFeed(f"f{n}", each) for n, each in enumerate(times)])
    return [(event.timestamp_ns, event.symbol, event.sequence) for event in feed]


def test_events_come_by_time_and_ties_in_the_order_of_the_files() -> None:
    assert merged([1, 3, 3, 5], [1, 2, 3, 6]) == [
        (1, "f0", 1),
        (1, "f1", 1),
        (2, "f1", 2),
        (3, "f0", 2),
        (3, "f0", 3),
        (3, "f1", 3),
        (5, "f0", 4),
        (6, "f1", 4),
    ]


@given(st.lists(st.lists(st.integers(0, 20)).map(sorted), min_size=1, max_size=5))
def test_merging_sorted_feeds_is_a_stable_sort(times: list[list[int]]) -> None:
    rows = [(time, f"f{n}", at) for n, each in enumerate(times) for at, time in enumerate(each, 1)]
    assert merged(*times) == sorted(rows)


@given(st.lists(st.lists(st.integers(0, 20)), min_size=1, max_size=5))
def test_feeds_that_go_back_in_time_keep_their_own_order_and_lose_nothing(times: list[list[int]]) -> None:
    got = merged(*times)
    for n, each in enumerate(times):
        assert [time for time, name, _ in got if name == f"f{n}"] == each


@given(st.lists(st.lists(st.integers(0, 20)).map(sorted), min_size=2, max_size=4))
def test_position_is_that_of_the_event_in_hand(times: list[list[int]]) -> None:
    feed = merge_feeds([ListFeed(f"f{n}", each) for n, each in enumerate(times)])
    for event in feed:
        assert feed.position() == f"{event.symbol}:{event.sequence}"


def test_single_feed_is_passed_through() -> None:
    feed = ListFeed("f", [1])
    assert merge_feeds([feed]) is feed


def test_nothing_to_merge_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one feed"):
        merge_feeds([])


def test_one_event_a_feed_is_held() -> None:
    feeds = [ListFeed("a", [1, 4, 5]), ListFeed("b", [2, 3, 6])]
    events = iter(MergedFeed(feeds))
    for count, _ in enumerate(islice(events, 4), 1):
        assert sum(feed.taken for feed in feeds) <= count + 1


def test_fraction_done_weighs_files_by_size_and_is_unknown_with_a_pipe() -> None:
    feeds = [ListFeed("big", [1], size_bytes=300), ListFeed("small", [2], size_bytes=100)]
    feed = MergedFeed(feeds)
    assert feed.fraction_done() == 0.0
    feeds[0].taken = 1
    assert feed.fraction_done() == 0.75
    assert MergedFeed([feeds[0], ListFeed("pipe", [1], size_bytes=0)]).fraction_done() is None


def test_closing_closes_all_files() -> None:
    feeds = [ListFeed("a", []), ListFeed("b", [])]
    MergedFeed(feeds).close()
    assert all(feed.closed for feed in feeds)


DAY_NS = 86_400 * 10**9


def test_a_row_far_after_the_next_ones_of_its_file_stays_where_it_is_and_its_file_does_not_wait() -> None:
    far = 10**18
    times = [each[0] for each in merged([1, 5, far, 7, 9], [2, 6, 8, 10])]
    assert times == [1, 2, 5, 6, far, 7, 8, 9, 10]


def test_a_first_row_far_after_the_next_ones_does_not_hold_its_file_up() -> None:
    assert [each[0] for each in merged([10**18, 3, 4], [1, 2, 5])] == [1, 2, 10**18, 3, 4, 5]


def test_files_of_different_weeks_come_one_after_the_other() -> None:
    late = [8 * DAY_NS, 8 * DAY_NS + 1, 20 * DAY_NS]
    assert [each[0] for each in merged(late, [1, 2])] == [1, 2, *late]


def test_position_is_that_of_the_event_in_hand_also_where_a_feed_was_read_ahead() -> None:
    feed = merge_feeds([ListFeed("f0", [1, 10**18, 3, 4, 9 * DAY_NS, 9 * DAY_NS + 5]), ListFeed("f1", [2, 5, 6])])
    for event in feed:
        assert feed.position() == f"{event.symbol}:{event.sequence}"


@given(st.lists(st.lists(st.integers(0, 60)), min_size=1, max_size=4))
def test_whatever_jumps_no_event_is_lost_and_files_keep_their_order(times: list[list[int]]) -> None:
    far = [[each * DAY_NS // 3 for each in file] for file in times]
    got = merged(*far)
    for n, each in enumerate(far):
        assert [time for time, name, _ in got if name == f"f{n}"] == each
