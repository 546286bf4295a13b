"""What a strategy did wrong, in words: what, at which line, in which call.

An error is an object of its author's: showing it runs its code. ``describe_error`` and ``traceback_of`` are therefore
for inside the guard, and ``in_words`` goes there by itself; the rest reads an error without running any of its code.
"""

from __future__ import annotations

from collections.abc import Iterator
from traceback import format_exception
from types import FunctionType, TracebackType
from typing import Final

import msgspec

from sengine.domain.events import ReportedError
from sengine.engine.strategies.guard import BAD_RETURN, ON_TICK, TIMEOUT, Callee, Guard, StrategyTimeout
from sengine.engine.strategies.plain_values import bounded_text, own_text, type_name
from sengine.engine.strategies.stamping import InvalidSignalError, UnwantedAnswerError
from sengine.engine.strategies.version import RunningVersion

LONGEST_TRACEBACK: Final = 16_000
UNSPEAKABLE: Final = "its message cannot be shown"
_MOST_LINES: Final = 40
_LONGEST_KIND: Final = 32
_traceback_of = BaseException.__dict__["__traceback__"].__get__
_bases_of = type.__dict__["__mro__"].__get__
_members_of = type.__dict__["__dict__"].__get__


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
    """What the process of a remote strategy reported. ``kind`` is the label under which it is counted."""

    def __init__(self, error: ReportedError) -> None:
        super().__init__(_text_of(error.message))
        kind = _text_of(error.kind) if type(error.kind) is str else ""
        is_label = kind.isidentifier() and kind.isascii() and len(kind) <= _LONGEST_KIND and kind != TIMEOUT
        self.kind = kind if is_label else "exception"
        self.where = _text_of(error.where)
        self.traceback = _text_of(error.traceback, LONGEST_TRACEBACK)


def in_words(guard: Guard, callee: Callee, error: BaseException) -> tuple[str, str]:
    """An error's message and traceback, made inside the guard. Never raises but for what is not a strategy's doing."""
    try:
        with guard.calling(callee):
            return describe_error(error), traceback_of(error)
    except BaseException as worse:
        guard.contain(worse)
        return f"{type_name(type(error))}: {UNSPEAKABLE}", ""


def timeout_text(error: StrategyTimeout) -> str:
    """What a timeout says. None of its author's code runs, should a strategy have raised it itself."""
    return _text_of(error.args[0]) if error.args else "interrupted"


def describe_error(error: BaseException) -> str:
    """The error's type and message, where it has one; the message alone where the engine itself, or a strategy's host,
    wrote it. Bounded. Runs the ``__str__`` of the error's author."""
    kind = type(error)
    try:
        text = _few_lines(bounded_text(str(error)))
    except Exception:
        text = UNSPEAKABLE
    if kind in (InvalidSignalError, UnwantedAnswerError, RemoteError, StrategyTimeout):
        return text
    return f"{type_name(kind)}: {text}" if text else type_name(kind)


def kind_of(error: BaseException, call: str) -> str:
    """What an error in ``call`` counts as: an answer where none is wanted is a bad one, here and in another process."""
    is_answer = type(error) is UnwantedAnswerError or (type(error) is RemoteError and error.kind == BAD_RETURN)
    return BAD_RETURN if is_answer else call


def answered_call(error: BaseException) -> str:
    """The call that an error is about, where that answered and should not have; else empty."""
    return _text_of(error.call) if type(error) is UnwantedAnswerError else ""


def traceback_of(error: BaseException) -> str:
    """The traceback as Python prints it, or as the strategy's host did; bounded. Runs the ``__str__`` of the error's
    author."""
    if type(error) is RemoteError:
        return error.traceback
    return bounded_text("".join(format_exception(error)), LONGEST_TRACEBACK)


def places_of(error: BaseException) -> Iterator[tuple[str, int]]:
    """File and line of each frame of its traceback, outermost first. None of its author's code runs."""
    step: TracebackType | None = _traceback_of(error)
    while step is not None:
        yield own_text(step.tb_frame.f_code.co_filename), step.tb_lineno
        step = step.tb_next


def place_of(error: BaseException, version: RunningVersion) -> str:
    """The innermost line of the strategy's own file; for what never left the engine, where the call begins. None of
    its author's code runs."""
    if type(error) is RemoteError:
        return error.where
    source = version.spec.source
    call = answered_call(error) or ON_TICK
    lines = [line for file, line in places_of(error) if file == source]
    if lines:
        return f"{source}:{lines[-1]}"
    for instance in version.all_instances:
        code = _code_of(type(instance), call)
        if code is not None and code[0] == source:
            return f"{source}:{code[1]}"
    return source


def _code_of(kind: type, method: str) -> tuple[str, int] | None:
    """File and first line of a class's method, where it is a plain function."""
    for base in _bases_of(kind):
        function = _members_of(base).get(method)
        if function is not None:
            code = function.__code__ if type(function) is FunctionType else None
            return (own_text(code.co_filename), code.co_firstlineno) if code is not None else None
    return None


def _few_lines(text: str) -> str:
    lines = text.split("\n", _MOST_LINES)
    return text if len(lines) <= _MOST_LINES else "\n".join([*lines[:_MOST_LINES], "..."])


def _text_of(value: object, longest: int = 4_000) -> str:
    """The text that a strategy gave in place of one, or the name of what it gave instead."""
    return bounded_text(value, longest) if issubclass(type(value), str) else type_name(type(value))  # type: ignore[arg-type]
