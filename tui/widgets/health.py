"""Market data feed and execution: states, rates, lag, queues, and everything that was lost."""

from __future__ import annotations

from rich.text import Text

from sengine.adapters.control.views import LatencyView
from tui import figures
from tui.frame import Frame
from tui.themes import Palette
from tui.widgets.panel import DrawnPanel

_GOOD = ("connected", "none", "ready")


class HealthPanel(DrawnPanel):
    NAME = "health"
    NUMBER = 7
    TITLE = "Health"

    def summary(self, frame: Frame) -> str:
        snapshot = frame.snapshot
        return "[$success]ready[/]" if snapshot.is_ready else "[b $warning]not ready[/]"

    def draw(self, frame: Frame, width: int, height: int) -> Text:
        snapshot, palette = frame.snapshot, frame.palette
        feed, gateway = snapshot.feed, snapshot.gateway
        figure, bad = palette.text, palette.down
        lost = feed.dropped + feed.oversized + sum(feed.malformed.values())
        refused = sum(snapshot.rejected.values())
        left: list[tuple[str, str, str]] = [
            ("feed", feed.state, _state(feed.state, palette)),
            ("rate", f"{frame.history.ticks_per_s:,.0f} ticks/s", figure),
            ("lag", _both(feed.lag), figure),
            ("queue", figures.count(feed.pending), palette.warn if feed.pending > 1000 else figure),
            ("gaps", figures.count(sum(snapshot.gaps.values())), bad if sum(snapshot.gaps.values()) else palette.dim),
            ("lost", figures.count(lost), bad if lost else palette.dim),
            ("refused", figures.count(refused), _trouble(refused, palette)),
            ("reconnects", figures.count(feed.reconnects), _trouble(feed.reconnects, palette)),
        ]
        right: list[tuple[str, str, str]] = [
            ("execution", gateway.state, _state(gateway.state, palette)),
            ("sent", figures.count(gateway.sent), figure),
            ("ack", _both(gateway.ack), figure),
            ("queue", figures.count(gateway.queue_depth), palette.warn if gateway.queue_depth > 100 else figure),
            ("rejected", figures.count(gateway.rejected), _trouble(gateway.rejected, palette)),
            ("unknown", figures.count(gateway.unknown), bad if gateway.unknown else palette.dim),
            ("dropped", figures.count(gateway.dropped), bad if gateway.dropped else palette.dim),
            ("retried", figures.count(gateway.retried), _trouble(gateway.retried, palette)),
        ]
        text = Text(no_wrap=True, end="")
        for reason in snapshot.not_ready_because:
            text.append(f"! {reason}\n", palette.warn)
        half = width // 2
        for one, other in zip(left, right, strict=True):
            _append(text, one, half, palette)
            _append(text, other, width - half, palette)
            text.append("\n")
        if sum(snapshot.anomalies.values()):
            text.append("anomalies: ", palette.label)
            text.append(", ".join(f"{figures.in_words(k)} {n}" for k, n in snapshot.anomalies.items() if n), bad)
        return text


def _append(text: Text, entry: tuple[str, str, str], width: int, palette: Palette) -> None:
    label, figure, style = entry
    names = 12 if width >= 27 else 10
    text.append(f"{label:{names}.{names - 1}}" if len(label) >= names else f"{label:{names}}", palette.label)
    room = max(1, width - names - 1)
    text.append(f"{figure[:room]:{room}} ", style)


def _both(view: LatencyView) -> str:
    """Median and 99th percentile."""
    return f"{figures.micros(view.p50_us) or '-'}/{figures.micros(view.p99_us) or '-'}"


def _state(state: str, palette: Palette) -> str:
    return palette.up if state in _GOOD else palette.down


def _trouble(number: int, palette: Palette) -> str:
    return palette.warn if number else palette.dim
