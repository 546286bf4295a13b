"""Structured logging to standard error: one JSON object a line, or coloured columns for a person."""

from __future__ import annotations

import logging
import sys
from typing import Literal

import orjson
import structlog


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
        processors.append(structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()))
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        # A reload may change the level, and a cached logger would keep the old one.
        cache_logger_on_first_use=False,
    )


def _json(fields: dict[str, object], **_: object) -> str:
    return orjson.dumps(fields, default=str).decode()
