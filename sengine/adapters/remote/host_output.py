"""What a strategy says in a process that the engine started: marked lines on its standard output.

They are written as they are said, so that a process that dies has told what it said before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TextIO

import msgspec

from sengine.domain.strategy_line import StrategyLine

_MARK: Final = "\x1e"
_decode: Final = msgspec.json.Decoder(StrategyLine).decode


def line_writer(stream: TextIO) -> Callable[[StrategyLine], None]:
    """In the process of the strategy."""

    def write(line: StrategyLine) -> None:
        stream.write(f"{_MARK}{msgspec.json.encode(line).decode()}\n")
        stream.flush()

    return write


def line_of(text: str, strategy_id: str, during: str = "") -> StrategyLine | None:
    """In the engine: the line that a line of output stands for; ``None`` for any other."""
    if not text.startswith(_MARK):
        return None
    try:
        return msgspec.structs.replace(_decode(text.removeprefix(_MARK)), strategy_id=strategy_id, during=during)
    except msgspec.DecodeError:
        return None
