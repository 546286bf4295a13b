"""Reloads that nobody at these screens has asked for, as when a file was saved: told as they happen."""

from __future__ import annotations

from typing import Final

from sengine.adapters.control.views import ReloadReportView, SnapshotView

MOST_AT_ONCE: Final = 3


class ReloadNews:
    """``take`` gives each report once. Those from before the first snapshot, or asked for by command, are no news: who
    asks for one gets its answer."""

    def __init__(self) -> None:
        self._last_ns: int | None = None

    def collect(self, snapshot: SnapshotView) -> list[tuple[str, str]]:
        """Sentences with their severity."""
        reports = snapshot.reloads
        last_ns = max([report.time_ns for report in reports], default=0)
        since_ns, self._last_ns = self._last_ns, max(self._last_ns or 0, last_ns)
        if since_ns is None:
            return []
        fresh = [each for each in reports if each.time_ns > since_ns and each.trigger != "command"]
        told = [(report.message, _severity(report)) for report in fresh[:MOST_AT_ONCE]]
        if len(fresh) > len(told):
            worst = "error" if any(not report.is_done for report in fresh) else "information"
            told.append((f"{len(fresh) - len(told)} more strategies; see the log", worst))
        return told


def _severity(report: ReloadReportView) -> str:
    if not report.is_done:
        return "error"
    return "warning" if report.what == "rollback" else "information"
