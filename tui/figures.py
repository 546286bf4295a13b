"""Numbers, times and states as the screens write them: short, and as wide as the last time."""

from __future__ import annotations

from sengine.clock import NS_PER_MS, to_datetime

# What the engine did with a signal, in words.
DISPOSITIONS = {
    "passed": "passed",
    "overruled": "overruled",
    "filtered": "filtered",
    "no_change": "no change",
}
STATES = {
    "ACTIVE": "active",
    "PAUSED": "paused",
    "RELOAD_PENDING": "reloading",
    "LOADING": "loading",
    "INITIALIZED": "ready",
    "UNLOADED": "unloaded",
    "SHUTTING_DOWN": "stopping",
}


def money(amount: float | None) -> str:
    """Signed, with two digits: ``+1,234.50``. What rounds to nothing has no sign; what is no sum is ``n/a``."""
    if amount is None:
        return "n/a"
    return "0.00" if abs(amount) < 0.005 else f"{amount:+,.2f}"


def quantity(amount: float) -> str:
    return "0" if amount == 0 else f"{amount:+,.6g}"


def price(amount: float) -> str:
    """As many digits as a price of this size wants; empty for none."""
    if amount == 0:
        return ""
    digits = 2 if abs(amount) >= 1000 else 3 if abs(amount) >= 100 else 4 if abs(amount) >= 1 else 6
    return f"{amount:,.{digits}f}"


def count(number: int) -> str:
    """``12,345`` up to 99,999, then ``123k``, ``1.2M``."""
    if number < 100_000:
        return f"{number:,}"
    if number < 1_000_000:
        return f"{number // 1000}k"
    return f"{number / 1_000_000:.1f}M"


def short(number: float) -> str:
    """A figure of any size in at most six cells: ``0.25``, ``10``, ``250k``, ``1.5M``."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(number) >= size:
            return f"{number / (1e3 if unit == 'k' else size):.3g}{unit}"
    return f"{number:.4g}"


def micros(value_us: float) -> str:
    """A latency in its own unit: ``850ns``, ``17us``, ``1.3ms``, ``2.0s``; empty for none."""
    if value_us <= 0:
        return ""
    if value_us < 1:
        return f"{value_us * 1000:.0f}ns"
    if value_us < 10:
        return f"{value_us:.1f}us"
    if value_us < 1000:
        return f"{value_us:.0f}us"
    if value_us < 1_000_000:
        return f"{value_us / 1000:.1f}ms"
    return f"{value_us / 1_000_000:.1f}s"


def span(seconds: float) -> str:
    """``45s``, ``12m05s``, ``3h04m``, ``2d03h``."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02}h"


def time_of_day(time_ns: int, *, with_ms: bool = False) -> str:
    """UTC; empty for never."""
    if time_ns <= 0:
        return ""
    text = f"{to_datetime(time_ns):%H:%M:%S}"
    return f"{text}.{time_ns // NS_PER_MS % 1000:03}" if with_ms else text


def in_words(reason: str) -> str:
    """``below_min_confidence`` as ``below min confidence``."""
    return reason.replace("_", " ")


def bar(share: float, width: int) -> str:
    """A bar of ``width`` cells, filled to ``share`` in eighths of a cell."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    full, part = divmod(eighths, 8)
    text = "█" * full + (" ▏▎▍▌▋▊▉"[part] if part else "")
    return text + "·" * (width - len(text))
