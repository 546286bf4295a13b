"""Structured logging to standard error: one JSON object a line, or coloured columns for a person."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import orjson
import structlog

from sengine.printable import printable, printable_json, printable_lines


def configure_logging(level: str, form: Literal["json", "console"]) -> None:
    """Set up structlog for this process. ``level`` is debug, info, warning or error."""
    processors: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    if form == "json":
        processors.append(structlog.processors.JSONRenderer(serializer=_json))
    else:
        processors += [_printable, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        # The stream as it is: what comes here is escaped, and the colours are ours.
        logger_factory=structlog.WriteLoggerFactory(getattr(sys.stderr, "rich_proxied_file", sys.stderr)),
        # A reload may change the level, and a cached logger would keep the old one.
        cache_logger_on_first_use=False,
    )


def _printable(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """What strategies, venues and messages say, as a terminal can be shown it."""
    trace = fields.pop("exception", None)
    shown: dict[str, Any] = {printable(name, 100): _shown(value) for name, value in fields.items()}
    return shown if trace is None else shown | {"exception": printable_lines(str(trace))}


def _shown(value: Any) -> Any:
    return value if isinstance(value, int | float) else printable(value if isinstance(value, str) else str(value))


def _json(fields: dict[str, object], **_: object) -> str:
    try:
        text = orjson.dumps(fields, default=str).decode()
    except (TypeError, ValueError):
        # Half a character, as of a file's name, or a key that is no text.
        text = orjson.dumps({printable(str(name)): _shown(value) for name, value in fields.items()}).decode()
    return printable_json(text)
