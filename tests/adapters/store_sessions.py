"""Sessions of a real engine with a real journal, and what a store makes of them, for the store's tests."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from sengine.adapters.journal.journal import Journal
from sengine.adapters.journal.recovery import new_session_after
from sengine.adapters.store.keeper import Store
from sengine.adapters.store.schema import TABLES
from sengine.config.schema import Config, ExecutionConfig, JournalConfig
from sengine.engine.core import Engine
from sengine.engine.outcome import Outcome
from tests.engine.conftest import Actor

Rows = dict[str, list[tuple[Any, ...]]]


def config_with(*, simulated: bool = False, **journal: Any) -> Config:
    execution = ExecutionConfig(target="simulated" if simulated else "127.0.0.1:1")
    return Config(journal=JournalConfig(**{"compress": "none"} | journal), execution=execution)


@contextmanager
def recording(
    folder: Path, engine: Engine, config: Config, session: str = "s-", *, is_killed: bool = False
) -> Iterator[Callable[[Any], Outcome]]:
    """``with recording(...) as process``: events given to ``process`` go through journal and engine as live."""
    folder.mkdir(exist_ok=True)
    journal = Journal(folder, config, engine, session, new_session_after(folder))

    def process(event: Any) -> Outcome:
        journal.event(event)
        outcome = engine.process(event)
        if not outcome.rejected:
            journal.outcome(event, outcome)
        journal.idle()
        return outcome

    try:
        yield process
    finally:
        if is_killed:
            journal._writer._room_until = 0  # a killed writer leaves room behind
            journal._writer.close()
        else:
            journal.sample()
            journal.close()


def play(process: Callable[[Any], Outcome], actors: list[Actor], events: Iterable[tuple[Any, tuple]]) -> list[Outcome]:
    outcomes = []
    for event, said in events:
        for actor, words in zip(actors, said, strict=False):
            actor.answers.clear()
            actor.says(words)
        outcomes.append(process(event))
    return outcomes


def catch_up(path: Path, folder: Path, pieces: int = 1 << 30, **store: Any) -> None:
    """Bring a store on by so many pieces, and leave it as a killed process does: without a word."""
    opened = Store(path, folder, **store)
    while pieces > 0 and opened.advance():
        pieces -= 1
    opened.close()


def rows(path: Path) -> Rows:
    with closing(sqlite3.connect(path)) as connection:
        return {
            table: connection.execute(f"SELECT * FROM {table} ORDER BY segment, offset, n").fetchall()
            for table in TABLES
        }


def query(path: Path, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql, values).fetchall()


def wait_for(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    deadline_s = monotonic() + timeout_s
    while not condition():
        assert monotonic() < deadline_s
        sleep(0.005)


def assert_same_figures(path: Path, engine: Engine, outcomes: list[Outcome]) -> None:
    """The store says what the engine's own books say, and both are the sum of the fills."""
    held = query(path, "SELECT strategy_id, symbol, quantity, average_price, realized_pnl, commission FROM held")
    ours = [
        (each.strategy_id, each.symbol, each.quantity, each.average_price, each.realized_pnl, each.commission)
        for each in engine.portfolio.positions()
    ]
    assert sorted(held) == sorted(ours)
    for strategy_id, symbol, quantity, _, realized_pnl, commission in ours:
        ((bought, earned, paid),) = query(
            path,
            "SELECT total(CASE side WHEN 'buy' THEN quantity ELSE -quantity END), total(realized), total(commission) "
            "FROM fills WHERE strategy_id = ? AND symbol = ?",
            strategy_id,
            symbol,
        )
        assert bought == pytest.approx(quantity, abs=1e-9)
        assert earned - paid == pytest.approx(realized_pnl, abs=1e-9)
        assert paid == pytest.approx(commission, abs=1e-9)
    counts = dict(query(path, "SELECT disposition, count(*) FROM signals GROUP BY 1"))
    assert counts == {str(name): count for name, count in engine.dispositions.items() if count}
    shares = [share for outcome in outcomes for share, _ in outcome.shares]
    assert query(path, "SELECT count(*) FROM fills") == [(len(shares),)]
    orders = [order for outcome in outcomes for order in outcome.orders]
    assert query(path, "SELECT order_id, quantity FROM orders ORDER BY id") == [
        (order.order_id, order.quantity) for order in orders
    ]
    is_open = "status NOT IN ('filled', 'cancelled', 'rejected', 'lost')"
    assert query(path, f"SELECT order_id, filled FROM orders WHERE {is_open} ORDER BY id") == [
        (each.order.order_id, each.filled) for each in sorted(engine.orders.open_orders(), key=_place(orders))
    ]
    parts = query(
        path, "SELECT order_id, strategy_id, quantity, signal_sequence FROM order_parts ORDER BY segment, offset, n"
    )
    assert parts == [
        (order.order_id, part.strategy_id, part.quantity, part.signal_sequence)
        for order in orders
        for part in order.contributions
    ]


def _place(orders: list[Any]) -> Callable[[Any], int]:
    places = {order.order_id: place for place, order in enumerate(orders)}
    return lambda working: places[working.order.order_id]
