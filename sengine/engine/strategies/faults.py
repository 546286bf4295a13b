"""What a strategy did wrong, in words: what, at which line, in which call."""

from __future__ import annotations

from traceback import extract_tb, format_exception

import msgspec

from sengine.domain.events import ReportedError
from sengine.engine.strategies.guard import BAD_RETURN, ON_TICK, StrategyTimeout
from sengine.engine.strategies.stamping import InvalidSignalError, UnwantedAnswerError
from sengine.engine.strategies.version import RunningVersion


class StrategyFault(msgspec.Struct, frozen=True):
    """One thing that a strategy did wrong. ``kind`` is the metric label; ``where`` is ``file:line`` when known.
    ``call`` and ``number`` say in which call: of ``on_tick`` the how many-th, of any other among all others."""

    strategy_id: str
    kind: str
    message: str
    where: str
    timestamp_ns: int
    traceback: str = ""
    call: str = ""
    number: int = 0


class RemoteError(Exception):
    """What the process of a remote strategy reported."""

    def __init__(self, error: ReportedError) -> None:
        super().__init__(error.message)
        self.kind = error.kind
        self.where = error.where
        self.traceback = error.traceback


def describe_error(error: BaseException) -> str:
    """The error's type and message, where it has one; the message alone where the engine itself, or a strategy's host,
    wrote it."""
    try:
        text = str(error)
    except Exception:
        text = "its message cannot be shown"
    is_sentence = isinstance(error, InvalidSignalError | RemoteError | StrategyTimeout)
    if is_sentence:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def kind_of(error: BaseException, call: str) -> str:
    """What an error in ``call`` counts as: an answer where none is wanted is a bad one, here and in another process."""
    is_answer = isinstance(error, UnwantedAnswerError) or (isinstance(error, RemoteError) and error.kind == BAD_RETURN)
    return BAD_RETURN if is_answer else call


def traceback_of(error: BaseException) -> str:
    """The traceback as Python prints it, or as the strategy's host did. Runs the ``__str__`` of the error's author."""
    return error.traceback if isinstance(error, RemoteError) else "".join(format_exception(error))


def place_of(error: BaseException, version: RunningVersion) -> str:
    """The innermost line of the strategy's own file; for what never left the engine, where the call begins."""
    if isinstance(error, RemoteError):
        return error.where
    source = version.spec.source
    call = error.call if isinstance(error, UnwantedAnswerError) else ON_TICK
    for frame in reversed(extract_tb(error.__traceback__)):
        if frame.filename == source:
            return f"{frame.filename}:{frame.lineno}"
    for instance in version.all_instances:
        code = getattr(getattr(type(instance), call), "__code__", None)
        if code is not None and code.co_filename == source:
            return f"{code.co_filename}:{code.co_firstlineno}"
    return source
