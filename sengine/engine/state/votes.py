"""Who voted what on which symbol, and when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sengine.domain.signal import StampedSignal


class VoteBook:
    """One live vote per strategy and symbol. A vote counts while its age is below ``window_ns``; ``method`` is one of
    ``sengine.engine.signals.aggregation.METHODS``."""

    def __init__(self, method: str, window_ns: int) -> None:
        self.method = method
        self.window_ns = window_ns
        self._votes: dict[str, dict[str, StampedSignal]] = {}

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

    def fresh(self, symbol: str, now_ns: int) -> Sequence[StampedSignal]:
        """The votes on a symbol that count now; stale ones are dropped for good."""
        votes = self._votes.get(symbol)
        if not votes:
            return ()
        newest_stale_ns = now_ns - self.window_ns
        fresh = [vote for vote in votes.values() if vote.timestamp_ns > newest_stale_ns]
        if len(fresh) < len(votes):
            self._votes[symbol] = {vote.strategy_id: vote for vote in fresh}
        return fresh

    def restore(self, votes: Iterable[StampedSignal]) -> None:
        """Put a checkpoint's votes back."""
        for vote in votes:
            self.cast(vote)

    def live(self) -> Sequence[StampedSignal]:
        """Every vote on the book in the order they were given, stale ones that no decision has dropped yet included."""
        return sorted(
            (vote for votes in self._votes.values() for vote in votes.values()), key=lambda vote: vote.sequence
        )
