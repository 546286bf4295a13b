from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from replay.equity import EquityCurve
from replay.monthly import monthly_returns
from replay.price_trail import MAX_POINTS, PriceTrail
from replay.run import ReplayOptions, run_replay
from sengine.config import load_config
from sengine.domain.market import OrderBook, PriceLevel
from sengine.engine.state.markets import Market
from sengine.resources import resource_path

HEADER = "timestamp,symbol,bid_price,bid_qty,ask_price,ask_qty\n"


class Page(HTMLParser):
    """The elements of a page, and the text outside scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self._hidden = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        self._hidden = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.text += data


def report_on(tmp_path: Path, symbol: str = "BTCUSDT", overrides: tuple[str, ...] = ()) -> tuple[str, str]:
    """The page of a small replay, and its digest."""
    market = tmp_path / "market.csv"
    rows = [f'{1_704_153_600 + at},"{symbol}",{100 + at % 37},1,{100.1 + at % 37},1\n' for at in range(400)]
    market.write_text(HEADER + "".join(rows))
    config = load_config(resource_path("configs", "replay.yaml"), overrides=overrides)
    result = run_replay(config, ReplayOptions([market], html_file=tmp_path / "report.html"))
    return (tmp_path / "report.html").read_text(), result.digest


def test_the_page_holds_the_digest_the_figures_and_every_chart(tmp_path: Path) -> None:
    text, digest = report_on(tmp_path)
    page = Page(text)
    assert digest in page.text
    for heading in ("Equity and drawdown", "Trades on price", "Returns by month", "Latency", "Configuration"):
        assert heading in page.text
    assert text.count("Plotly.newPlot(") >= 4
    assert "min_confidence: 0.6" in page.text


def test_the_page_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    page = Page(report_on(tmp_path)[0])
    assert page.links == []
    assert "iframe" not in page.tags


def test_a_symbol_with_markup_is_shown_as_text(tmp_path: Path) -> None:
    text, _ = report_on(tmp_path, "<img src=x onerror=alert(1)>")
    page = Page(text)
    assert "img" not in page.tags
    assert "<img src=x onerror=alert(1)>" in page.text


def test_secrets_of_the_configuration_are_not_on_the_page(tmp_path: Path) -> None:
    text, _ = report_on(tmp_path, overrides=("nats.token=hunter2",))
    assert "hunter2" not in text


def test_the_report_changes_nothing_of_the_run(tmp_path: Path) -> None:
    _, digest = report_on(tmp_path)
    config = load_config(resource_path("configs", "replay.yaml"))
    assert run_replay(config, ReplayOptions([tmp_path / "market.csv"])).digest == digest


def test_a_price_line_is_thinned_and_keeps_its_span() -> None:
    trail = PriceTrail()
    market = Market("A")
    market.mid = 1.0
    market.update_from_book(OrderBook((PriceLevel(0.5, 1.0),), (PriceLevel(1.5, 1.0),)))
    for now_ns in range(20 * MAX_POINTS):
        trail.sample(now_ns, {"A": market})
    times = trail.times_ns["A"]
    assert MAX_POINTS / 2 <= len(times) <= MAX_POINTS
    assert times == sorted(times)
    assert times[0] < 10
    assert times[-1] > 19 * MAX_POINTS


def test_months_end_at_midnight_utc_and_multiply_to_the_whole() -> None:
    curve = EquityCurve()
    day_ns = 86_400 * 1_000_000_000
    january_30 = 1_706_572_800 * 1_000_000_000
    curve.advance(january_30, 0.0, 0.0)
    curve.advance(january_30 + 2 * day_ns, 100.0, 0.0)
    curve.advance(january_30 + 4 * day_ns, 210.0, 0.0)
    curve.finish(210.0, 0.0)
    months = monthly_returns(curve, 1000.0)
    assert [month.name for month in months] == ["2024-01", "2024-02"]
    product = 1.0
    for month in months:
        product *= 1.0 + month.value
    assert product == pytest.approx(1.21)
    assert re.match(r"0\.1", f"{months[0].value:.6f}")
