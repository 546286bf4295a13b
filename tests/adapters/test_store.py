"""The store of records is what the journal says, however it was written, and its figures are the engine's own."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sengine.adapters.store_rebuild import rebuild
from sengine.domain.events import CancelOrder
from sengine.domain.order import Fill, OrderStatus, OrderUpdate
from sengine.errors import EngineError, LifecycleError
from tests.adapters.store_sessions import (
    assert_same_figures,
    catch_up,
    config_with,
    play,
    recording,
    rows,
)
from tests.engine.conftest import Actor, close, engine_with, long, quote, short
from tests.engine.test_random_events import Setting, events_of, happenings, settings_of_an_engine

EXAMPLES = int(os.environ.get("SENGINE_FUZZ", "40"))
slow = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@slow
@given(settings_of_an_engine, happenings, st.booleans(), st.integers(4096, 20_000))
def test_store_of_a_simulated_session_has_the_figures_of_the_engine(
    tmp_path_factory: pytest.TempPathFactory, setting: Setting, happened: list[tuple], market_data: bool, size: int
) -> None:
    folder = tmp_path_factory.mktemp("simulated")
    engine, actors = setting.build()
    config = config_with(simulated=True, market_data=market_data, segment_bytes=size)
    with recording(folder / "journal", engine, config) as take:
        outcomes = play(take, actors, events_of(happened))
    path = folder / "positions.db"
    catch_up(path, folder / "journal")
    assert_same_figures(path, engine, outcomes)


some_fill = st.tuples(
    st.just("fill"), st.integers(0, 5), st.sampled_from([0.1, 0.25, 0.5, 1.0, 3.0]), st.integers(95, 105),
    st.sampled_from([0.0, 0.01]), st.integers(0, 8),
)  # fmt: skip
some_update = st.tuples(st.just("update"), st.integers(0, 5), st.sampled_from(list(OrderStatus)))
some_cancel = st.tuples(st.just("cancel"), st.integers(0, 5))
some_answer = st.sampled_from([None, long(), short(), long(0.8, 0.3), short(0.9, 2.0), close(), [long(), short()]])
some_tick = st.tuples(st.just("tick"), st.integers(95, 105), some_answer, some_answer, some_answer)
news = st.lists(some_tick | some_tick | some_fill | some_fill | some_update | some_cancel, min_size=5, max_size=40)


@slow
@given(news, st.integers(4096, 20_000), st.lists(st.integers(0, 30), max_size=4), st.booleans())
def test_store_written_in_any_pieces_equals_one_made_anew_and_the_engine(
    tmp_path_factory: pytest.TempPathFactory, news: list[tuple], size: int, stops: list[int], market_data: bool
) -> None:
    """Fills twice, of unknown orders, in parts, after the end; and a writer that is killed and started again."""
    folder = tmp_path_factory.mktemp("live")
    actors = [Actor("one"), Actor("two"), Actor("direct", route="direct")]
    engine = engine_with(*actors)
    path, outcomes = folder / "positions.db", []
    config = config_with(segment_bytes=size, market_data=market_data)
    with recording(folder / "journal", engine, config) as take:
        for step, (kind, *what) in enumerate(news):
            event = _event_of(kind, what, step, [order.order_id for each in outcomes for order in each.orders])
            try:
                outcomes += play(take, actors, [(event, tuple(what[1:]) if kind == "tick" else ())])
            except (EngineError, LifecycleError):
                continue
            if step in stops:
                catch_up(path, folder / "journal", pieces=step % 3, at_once=1 + step % 2, chunk_bytes=256)
    catch_up(path, folder / "journal")
    assert_same_figures(path, engine, outcomes)
    anew = folder / "anew.db"
    rebuild(anew, folder / "journal")
    assert rows(path) == rows(anew)


def _event_of(kind: str, what: list[Any], step: int, ids: list[str]) -> Any:
    if kind == "tick":
        return quote(step, what[0] - 1.0, what[0] + 1.0)
    order_id = ids[-1 - what[0]] if what[0] < len(ids) else "nobody-1"
    if kind == "fill":
        _, size, price, commission, number = what
        return Fill(
            order_id, "", "BTC", "buy" if number % 2 else "sell", float(price), size, commission, step, f"f{number}"
        )
    return CancelOrder(order_id) if kind == "cancel" else OrderUpdate(order_id, what[1], step, "for a reason")
