"""Positions in different currencies have no sum on any way out of a live engine."""

from __future__ import annotations

from io import StringIO
from math import isnan
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from sengine.adapters.web.metrics import exposition
from sengine.cli.status import print_status
from sengine.runtime.live_engine import LiveEngine
from sengine.runtime.status import ServiceStatus
from tests.adapters.served_engine import live_engine, served
from tests.adapters.test_http import get, site
from tests.engine.conftest import Actor, long, quote

REASON = "amounts in JPY (USDJPY) and USD (EURUSD) are not added up"


def traded(*symbols: str) -> LiveEngine:
    """Strategy a buys 1 of each symbol at 101, b of the first alone; the first goes to 119."""
    live = live_engine(
        Actor("a", long(), long(), route="direct"), Actor("b", long(), route="direct", symbols=symbols[:1])
    )
    for at_s, mid in enumerate((100.0, 119.0)):
        for place, symbol in enumerate(symbols):
            live.process(quote(float(at_s), (mid - 1) * 10**place, (mid + 1) * 10**place, symbol))
    return live


async def test_the_api_has_totals_by_currency_and_no_sum(tmp_path: Path) -> None:
    live = traded("EURUSD", "USDJPY")
    async with served(live, tmp_path) as (client, _):
        snapshot, held, one = await client.snapshot(), await client.positions(), await client.positions("b")
    for view in (snapshot, held):
        assert (view.realized_pnl, view.unrealized_pnl, view.not_added_up) == (None, None, REASON)
        assert [(each.currency, each.unrealized_pnl) for each in view.totals] == [("JPY", 180.0), ("USD", 36.0)]
    assert (snapshot.peak_pnl, snapshot.pnl) == (None, None)
    a, b = snapshot.strategies
    assert (a.pnl, a.peak_pnl, a.not_added_up) == (None, None, REASON)
    assert (b.pnl, b.not_added_up) == (18.0, "")
    assert (one.unrealized_pnl, one.not_added_up) == (18.0, "")


async def test_one_currency_is_added_up_as_before(tmp_path: Path) -> None:
    async with served(traded("EURUSD", "GBPUSD"), tmp_path) as (client, _):
        snapshot, history = await client.snapshot(), await client.pnl_history()
    assert (snapshot.pnl, snapshot.not_added_up) == (216.0, "")
    assert set(history.pnl) <= {216.0}


async def test_the_web_has_null_and_the_reason() -> None:
    async with site(traded("EURUSD", "USDJPY")) as (session, url):
        _, positions = await get(session, f"{url}/api/positions")
        _, strategies = await get(session, f"{url}/api/strategies")
    assert (positions["realized_pnl"], positions["unrealized_pnl"]) == (None, None)
    assert positions["not_added_up"] == REASON
    assert [each["currency"] for each in positions["totals"]] == ["JPY", "USD"]
    assert [each["unrealized_pnl"] for each in strategies["strategies"]] == [None, 18.0]


async def test_metrics_are_not_a_number_where_a_strategy_has_several_and_by_currency_for_all() -> None:
    text = (await exposition(traded("EURUSD", "USDJPY"), ServiceStatus("test"))).decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}

    def values(name: str) -> dict[Any, float]:
        return {tuple(sample.labels.values()): sample.value for sample in families[name].samples}

    assert isnan(values("strategy_pnl")["a",])
    assert isnan(values("sengine_unrealized_pnl")["a",])
    assert values("sengine_unrealized_pnl")["b",] == 18.0
    assert values("sengine_currency_pnl") == {
        ("a", "JPY", "realized"): 0.0,
        ("a", "JPY", "unrealized"): 180.0,
        ("a", "USD", "realized"): 0.0,
        ("a", "USD", "unrealized"): 18.0,
        ("b", "USD", "realized"): 0.0,
        ("b", "USD", "unrealized"): 18.0,
    }


async def test_status_says_why_there_is_no_sum(tmp_path: Path) -> None:
    async with served(traded("EURUSD", "USDJPY"), tmp_path) as (client, _):
        snapshot = await client.snapshot()
    out = StringIO()
    print_status(Console(file=out, width=120), snapshot)
    assert f"P&L n/a: {REASON}; " in out.getvalue()
    assert "  JPY +180.00 (realized 0.00, unrealized +180.00)" in out.getvalue()
    assert "+216.00" not in out.getvalue()
