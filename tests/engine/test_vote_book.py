"""Who voted what, and when: one live vote a strategy and symbol, fresh while younger than the window."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sengine.domain.signal import Direction
from sengine.engine.signals.aggregation import METHODS, Decision, decide
from sengine.engine.state.votes import VoteBook
from tests.engine.conftest import S, ns, vote

NONE, LONG, SHORT = Direction.NONE, Direction.LONG, Direction.SHORT


def test_a_symbol_without_votes_is_undecided() -> None:
    assert decide(VoteBook("majority_vote", 5 * S), "BTC", 0) == Decision(NONE, 0.0)


def test_a_new_vote_replaces_the_strategys_earlier_one() -> None:
    votes = VoteBook("majority_vote", 5 * S)
    votes.cast(vote("a", "LONG", 0.9, 0.0, 1))
    votes.cast(vote("a", "SHORT", 0.5, 1.0, 2))
    assert decide(votes, "BTC", ns(1.0)) == Decision(SHORT, 0.5)
    assert [each.sequence for each in votes.live()] == [2]


def test_a_chatty_strategy_does_not_outvote_the_rest() -> None:
    votes = VoteBook("majority_vote", 5 * S)
    for sequence in range(10):
        votes.cast(vote("chatty", "LONG", 0.5, 0.0, sequence))
    votes.cast(vote("quiet", "SHORT", 0.75, 0.0, 11))
    assert decide(votes, "BTC", 0).direction is SHORT


def test_votes_on_other_symbols_do_not_count() -> None:
    votes = VoteBook("majority_vote", 5 * S)
    votes.cast(vote("a", "LONG", 0.5, symbol="BTC"))
    votes.cast(vote("a", "SHORT", 0.9, symbol="ETH"))
    assert decide(votes, "BTC", 0) == Decision(LONG, 0.5)
    assert decide(votes, "ETH", 0) == Decision(SHORT, 0.9)


@pytest.mark.parametrize(("age_ns", "expected"), [(5 * S - 1, LONG), (5 * S, NONE), (5 * S + 1, NONE)])
def test_a_vote_counts_while_its_age_is_below_the_window(age_ns: int, expected: Direction) -> None:
    votes = VoteBook("majority_vote", 5 * S)
    votes.cast(vote("a", "LONG", at_s=1.0))
    assert decide(votes, "BTC", ns(1.0) + age_ns).direction is expected


def test_a_stale_vote_is_gone_for_good() -> None:
    votes = VoteBook("majority_vote", 5 * S)
    votes.cast(vote("old", "LONG", 0.9, 0.0, 1))
    votes.cast(vote("new", "SHORT", 0.5, 4.0, 2))
    assert decide(votes, "BTC", ns(5.0)) == Decision(SHORT, 0.5)
    assert [each.strategy_id for each in votes.live()] == ["new"]
    assert decide(votes, "BTC", ns(9.0)) == Decision(NONE, 0.0)
    assert list(votes.live()) == []


def test_a_strategy_that_leaves_takes_its_votes_on_all_symbols_along() -> None:
    votes = VoteBook("majority_vote", 5 * S)
    for symbol in ("BTC", "ETH"):
        votes.cast(vote("a", "LONG", 0.9, symbol=symbol))
        votes.cast(vote("b", "SHORT", 0.5, symbol=symbol))
    votes.withdraw("a")
    votes.withdraw("nobody")
    assert [(each.strategy_id, each.symbol) for each in votes.live()] == [("b", "BTC"), ("b", "ETH")]
    assert decide(votes, "ETH", 0).direction is SHORT


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=40)
@given(
    cast=st.lists(
        st.tuples(
            st.sampled_from("abc"), st.sampled_from(["LONG", "SHORT", "CLOSE"]), st.floats(0, 1), st.integers(0, 6)
        ),
        max_size=8,
    )
)
def test_only_the_last_fresh_vote_of_each_strategy_decides(
    method: str, cast: list[tuple[str, str, float, int]]
) -> None:
    book, last = VoteBook(method, 3 * S), {}
    for sequence, (author, direction, confidence, at_s) in enumerate(cast):
        last[author] = vote(author, direction, confidence, at_s, sequence)
        book.cast(last[author])
    fresh = [each for each in last.values() if 6 * S - each.timestamp_ns < 3 * S]
    expected = METHODS[method](fresh) if fresh else Decision(NONE, 0.0)
    assert decide(book, "BTC", 6 * S) == expected
    assert sorted(each.sequence for each in book.live()) == sorted(each.sequence for each in fresh)
