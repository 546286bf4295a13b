"""What a strategy in another process hands over is made plain there, and judged again here."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec
import numpy as np
import pytest

from sengine.adapters.remote.messages import answer_of, object_of, signal_message, signal_of
from sengine.domain.signal import Signal
from sengine.engine.strategies.stamping import InvalidSignalError
from sengine.proto import strategy_pb2 as pb


class Venue(StrEnum):
    BTC = "BTCUSDT"


class Silent(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise AssertionError("its code has run")

    __repr__ = __format__ = __str__


def sent(**fields: Any) -> Signal:
    return signal_of(signal_message(Signal(**{"direction": "LONG", "confidence": 0.5} | fields)))


@pytest.mark.parametrize("symbol", [Venue.BTC, np.str_("BTCUSDT"), Silent("BTCUSDT")], ids=range(3))
def test_texts_of_classes_of_their_own_arrive_as_the_text_that_they_are(symbol: str) -> None:
    signal = sent(symbol=symbol)
    assert (signal.symbol, type(signal.symbol)) == ("BTCUSDT", str)


def test_metadata_arrives_as_it_would_in_process() -> None:
    metadata = {1: np.float64(2.5), "x": (1, 2), "when": np.zeros(2), "s": Silent("s")}
    assert sent(metadata=metadata).metadata == {"1": 2.5, "x": [1, 2], "when": [0.0, 0.0], "s": "s"}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"metadata": {"o": object()}}, "metadata.o: expected text, numbers"),
        ({"metadata": [1]}, r"metadata must be a dict, got list"),
        ({"symbol": 5}, "symbol must be a text, got 5"),
        ({"direction": None}, "direction must be a text, got None"),
        ({"size": True}, "size must be a number, got True"),
        ({"confidence": "0.5"}, "confidence must be a number, got '0.5'"),
        ({"limit_price": 10**400}, "limit_price must be a number that a float can hold"),
    ],
)
def test_what_a_message_cannot_hold_is_refused_with_a_sentence(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidSignalError, match=words):
        sent(**fields)


@pytest.mark.parametrize("json", ["{", "[1]", '{"x": 1' + "0" * 30 + "}", "[" * 5000, '{"a":' * 40 + "1" + "}" * 40])
def test_metadata_of_other_languages_that_is_not_plain_is_left_out(json: str) -> None:
    metadata = signal_of(pb.Signal(direction="LONG", metadata_json=json)).metadata
    assert metadata == {"unreadable": json[:200]}
    assert msgspec.msgpack.encode(metadata)


@pytest.mark.parametrize("json", ["[1]", '{"x": 1' + "0" * 30 + "}", "nonsense"])
def test_parameters_that_a_journal_could_not_hold_are_refused(json: str) -> None:
    with pytest.raises(ValueError, match="expected a JSON object"):
        object_of(json)


def test_an_answer_with_too_many_signals_is_one_error() -> None:
    signals, errors = answer_of(pb.Answer(tick=1, signals=[pb.Signal(direction="LONG")] * 257))
    assert signals == ()
    assert errors[0].message == "expected at most 256 signals in answer to a tick, got 257"
