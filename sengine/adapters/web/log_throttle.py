"""What the HTTP library has to say, as throttled lines: anybody on this machine can make it say anything, and often."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from aiohttp.http_exceptions import HttpProcessingError

from sengine.runtime.log_throttle import LogThrottle

_LONGEST: Final = 200


class HttpLogThrottle(logging.Handler):
    """One line for malformed requests and one for pages that cannot be made, at most every ten seconds each."""

    def __init__(self, say: Callable[..., None]) -> None:
        super().__init__(logging.WARNING)
        self._complain = LogThrottle(say)

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            # Its first line says what is wrong; the others show what was sent.
            reason = next(iter(error.message.splitlines()), "").rstrip(": ")[:_LONGEST]
            self._complain("malformed", "a malformed HTTP request was refused", reason=ascii(reason)[1:-1])
        else:
            what = f"{type(error).__name__}: {error}" if error is not None else record.getMessage()
            self._complain("failed", "an HTTP request could not be answered", reason=what[:_LONGEST])


def http_logger(say: Callable[..., None]) -> logging.Logger:
    """For the library, in place of its own, which writes a traceback for each."""
    logger = logging.Logger("sengine.http", logging.WARNING)
    logger.addHandler(HttpLogThrottle(say))
    return logger
