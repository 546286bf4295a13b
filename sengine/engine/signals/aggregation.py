"""From votes to a decision. The four methods are pure functions; ``VoteBook`` keeps who voted what, and when.

Sums are ``math.fsum``, so the order in which votes arrived can never change a decision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import fsum
from typing import Final

from sengine.domain.signal import Direction, StampedSignal

LONG_ABOVE: Final = 0.3
SHORT_BELOW: Final = -0.3
_LONG: Final = Direction.LONG
_SHORT: Final = Direction.SHORT


class Decision:
    """What the votes on a symbol add up to. Direction NONE trades nothing."""

    __slots__ = ("confidence", "direction")

    def __init__(self, direction: Direction, confidence: float) -> None:
        self.direction = direction
        self.confidence = confidence

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Decision) and (self.direction, self.confidence) == (other.direction, other.confidence)

    __hash__ = None  # type: ignore[assignment]


Votes = Sequence[StampedSignal]
_UNDECIDED: Final = Decision(Direction.NONE, 0.0)


def mean_confidence(votes: Votes) -> float:
    return min(1.0, fsum([vote.confidence for vote in votes]) / len(votes))


def majority_vote(votes: Votes) -> Decision:
    """The direction with the largest sum of confidences; a tie is NONE."""
    by_direction: dict[Direction, list[float]] = {}
    for vote in votes:
        by_direction.setdefault(vote.direction, []).append(vote.confidence)
    totals = {direction: fsum(parts) for direction, parts in by_direction.items()}
    largest = max(totals.values())
    winners = [direction for direction, total in totals.items() if total == largest]
    direction = winners[0] if len(winners) == 1 else Direction.NONE
    return Decision(direction, mean_confidence(votes))


def weighted_average(votes: Votes) -> Decision:
    """LONG = +1, SHORT = -1, CLOSE = 0, weighted by confidence; beyond +-0.3 a side, between them CLOSE."""
    if len(votes) == 1 and votes[0].confidence > 0.0:
        # A lone vote's average is its own value; what follows would say the same.
        return Decision(votes[0].direction, votes[0].confidence)
    confidences: list[float] = []
    sided: list[float] = []
    for vote in votes:
        confidences.append(vote.confidence)
        if vote.direction is _LONG:
            sided.append(vote.confidence)
        elif vote.direction is _SHORT:
            sided.append(-vote.confidence)
    weight = fsum(confidences)
    if weight == 0.0:
        return Decision(Direction.NONE, 0.0)
    value = fsum(sided) / weight
    if value > LONG_ABOVE:
        direction = _LONG
    elif value < SHORT_BELOW:
        direction = _SHORT
    else:
        direction = Direction.CLOSE
    return Decision(direction, min(1.0, weight / len(votes)))


def unanimous(votes: Votes) -> Decision:
    """The direction that all share, else NONE with confidence 0."""
    direction = votes[0].direction
    if any(vote.direction is not direction for vote in votes):
        return Decision(Direction.NONE, 0.0)
    return Decision(direction, mean_confidence(votes))


def first_signal(votes: Votes) -> Decision:
    """The oldest vote's direction and confidence; of equally old ones, the one that was given first."""
    oldest = min(votes, key=lambda vote: (vote.timestamp_ns, vote.sequence))
    return Decision(oldest.direction, oldest.confidence)


METHODS: Final[dict[str, Callable[[Votes], Decision]]] = {
    "majority_vote": majority_vote,
    "weighted_average": weighted_average,
    "unanimous": unanimous,
    "first_signal": first_signal,
}


class VoteBook:
    """One live vote per strategy and symbol. A vote counts while its age is below ``window_ns``."""

    def __init__(self, method: str, window_ns: int) -> None:
        self._votes: dict[str, dict[str, StampedSignal]] = {}
        self.change(method, window_ns)

    def change(self, method: str, window_ns: int) -> None:
        """Decide this way from now on."""
        self._aggregate = METHODS[method]
        self.method = method
        self.window_ns = window_ns

    def cast(self, signal: StampedSignal) -> None:
        """Record a vote; it replaces this strategy's earlier one on the symbol."""
        self._votes.setdefault(signal.symbol, {})[signal.strategy_id] = signal

    def withdraw(self, strategy_id: str) -> None:
        """Forget all votes of a strategy that no longer takes part."""
        for votes in self._votes.values():
            votes.pop(strategy_id, None)

    def withdraw_on(self, strategy_id: str, symbol: str) -> None:
        """Forget a strategy's vote on one symbol."""
        self._votes.get(symbol, {}).pop(strategy_id, None)

    def forget(self, symbol: str) -> None:
        """Forget all votes on a symbol, whose times were wrong."""
        self._votes.pop(symbol, None)

    def decide(self, symbol: str, now_ns: int) -> Decision:
        """Aggregate the fresh votes on ``symbol``; stale ones are dropped for good. No fresh vote gives NONE."""
        votes = self._votes.get(symbol)
        if not votes:
            return _UNDECIDED
        newest_stale_ns = now_ns - self.window_ns
        fresh = [vote for vote in votes.values() if vote.timestamp_ns > newest_stale_ns]
        if len(fresh) < len(votes):
            self._votes[symbol] = {vote.strategy_id: vote for vote in fresh}
        return self._aggregate(fresh) if fresh else _UNDECIDED

    def restore(self, votes: Iterable[StampedSignal]) -> None:
        """Put a checkpoint's votes back."""
        for vote in votes:
            self.cast(vote)

    def live(self) -> Sequence[StampedSignal]:
        """Every vote on the book in the order they were given, stale ones that no decision has dropped yet included."""
        return sorted(
            (vote for votes in self._votes.values() for vote in votes.values()), key=lambda vote: vote.sequence
        )
