"""From votes to a decision, by one of four methods. They are pure functions.

Sums are ``math.fsum``, so the order in which votes arrived can never change a decision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import fsum
from typing import Final

from sengine.domain.signal import Direction, StampedSignal
from sengine.engine.state.votes import VoteBook
from sengine.printable import a_few

LONG_ABOVE: Final = 0.3
SHORT_BELOW: Final = -0.3
_MOST_NAMED: Final = 5
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


def decide(votes: VoteBook, symbol: str, now_ns: int) -> Decision:
    """Aggregate the fresh votes on ``symbol``. No fresh vote gives NONE."""
    fresh = votes.fresh(symbol, now_ns)
    return METHODS[votes.method](fresh) if fresh else _UNDECIDED


def outcome_in_words(votes: VoteBook, symbol: str, decision: Decision, now_ns: int) -> str:
    """``the vote is LONG 0.70: LONG of momentum against CLOSE of stopper``: what a signal that it overruled lost to."""
    by_direction: dict[str, list[str]] = {}
    for vote in sorted(votes.fresh(symbol, now_ns), key=lambda each: each.strategy_id):
        by_direction.setdefault(str(vote.direction), []).append(vote.strategy_id)
    won = str(decision.direction)
    in_order = sorted(by_direction.items(), key=lambda each: (each[0] != won, each[0]))
    sides = [f"{direction} of {a_few(names, _MOST_NAMED)}" for direction, names in in_order]
    outcome = f"{won} {decision.confidence:.2f}" if decision.direction is not Direction.NONE else "undecided"
    return f"the vote is {outcome}: {' against '.join(sides)}"
