from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from time import monotonic
from typing import Any

import nats
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from replay.sample import write_sample
from sengine.adapters.nats.broker import EmbeddedBroker, Login
from sengine.adapters.nats.publisher import Publisher, subject_token
from sengine.adapters.nats.wire import Decoder
from sengine.adapters.nats.wire_encoding import encode_fill
from sengine.adapters.transport.processes import spawn
from sengine.cli import app
from sengine.config.schema import TopicsConfig
from sengine.domain.events import BookEvent, SoundBookEvent, TradeEvent
from sengine.domain.market import OrderBook, PriceLevel
from sengine.domain.order import Fill
from tests.patience import PATIENCE_S

BOOK = OrderBook((PriceLevel(1.0, 2.0),), (PriceLevel(3.0, 4.0),))


@pytest.fixture
async def arrived(broker) -> Any:
    """Everything that is published on the broker."""
    connection = await nats.connect(broker.url)
    messages: list[Any] = []

    async def keep(message: Any) -> None:
        messages.append(message)

    for subject in ("market_data.>", "md.>", "fills"):
        await connection.subscribe(subject, cb=keep)
    await Publisher(connection).flush()
    yield messages
    await connection.close()


def books(messages: list[Any]) -> list[BookEvent]:
    decoder = Decoder()
    return [decoder.decode_book(message.subject, message.data) for message in messages]


async def run(*arguments: str) -> tuple[int, str]:
    child = await spawn(*arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    assert child.stdout is not None
    try:
        return await asyncio.wait_for(child.wait(), PATIENCE_S), (await child.stdout.read()).decode()
    finally:
        await child.stop()


async def test_each_symbol_and_kind_is_numbered_unless_the_events_are(connection, arrived, until) -> None:
    publisher = Publisher(connection)
    for symbol in ("A", "B", "A"):
        await publisher.publish(BookEvent(symbol, 10**18, BOOK))
    await publisher.publish(SoundBookEvent("A", 10**18, BOOK, 77))
    await publisher.flush()
    await until(lambda: len(arrived) == 4)

    assert [(event.symbol, event.sequence) for event in books(arrived)] == [("A", 1), ("B", 1), ("A", 2), ("A", 77)]
    assert publisher.published == 4


async def test_subjects_follow_the_topics_and_symbols_are_kept_whole(connection, arrived, until) -> None:
    publisher = Publisher(connection, TopicsConfig(market_data="md.*.l2", trades="md.trades.*"))
    await publisher.publish(BookEvent("BRK.B USD*", 10**18, BOOK))
    await publisher.publish(TradeEvent("BRK.B", 10**18, 1.0, 1.0, "buy"))
    await until(lambda: len(arrived) == 2)

    assert [message.subject for message in arrived] == ["md.BRK%2EB%20USD%2A.l2", "md.trades.BRK%2EB"]
    assert books(arrived[:1])[0].symbol == "BRK.B USD*"


@given(st.text(min_size=1, max_size=8), st.text(min_size=1, max_size=8))
def test_two_symbols_never_share_a_subject(one: str, other: str) -> None:
    if any("\ud800" <= character <= "\udfff" for character in one + other):
        return
    assert (subject_token(one) == subject_token(other)) == (one == other)
    assert not set(subject_token(one)) & set(" .*>\r\n\t")


async def test_a_fill_carries_its_id_for_deduplication(connection, arrived, until) -> None:
    fill = Fill("o1", "", "A", "buy", 1.0, 2.0, 0.0, 10**18, "f1")
    await Publisher(connection).publish_fill(fill)
    await until(lambda: arrived)

    assert arrived[0].headers == {"Nats-Msg-Id": "f1"}
    assert arrived[0].data == encode_fill(fill)


async def test_flush_means_that_the_server_has_everything(broker, connection) -> None:
    # nats-py's own flush overtakes what it holds back; see until_sent.
    for _ in range(20):
        other = await nats.connect(broker.url)
        subscription = await other.subscribe("market_data.>")
        await Publisher(other).flush()
        publisher = Publisher(connection)
        for _ in range(10):
            await publisher.publish(BookEvent("A", 10**18, BOOK))
        await publisher.flush()
        for _ in range(10):
            await subscription.next_msg(PATIENCE_S)
        await other.close()


async def test_a_file_is_published_whole_and_in_order(broker, arrived, until, tmp_path: Path) -> None:
    write_sample(tmp_path / "market.csv", 3000, ["BTCUSDT", "ETHUSDT"], 1)

    code, said = await run("publish", str(tmp_path / "market.csv"), "--url", broker.url, "--speed", "max")

    assert (code, said) == (0, f"published 3000 events to {broker.url}\n")
    await until(lambda: len(arrived) == 3000)
    events = books(arrived)
    assert [event.timestamp_ns for event in events] == sorted(event.timestamp_ns for event in events)
    for symbol in ("BTCUSDT", "ETHUSDT"):
        sequences = [event.sequence for event in events if event.symbol == symbol]
        assert sequences == list(range(1, len(sequences) + 1))


async def test_the_pace_is_the_files_own_times_the_speed(broker, arrived, until, tmp_path: Path) -> None:
    file = tmp_path / "market.csv"
    rows = [f"{10**18 + 1_000_000_000 * number},A,1,1,2,1" for number in range(11)]
    file.write_text("\n".join(["timestamp,symbol,bid_price,bid_qty,ask_price,ask_qty", *rows]) + "\n")
    task = asyncio.create_task(run("publish", str(file), "--url", broker.url, "--speed", "20x"))
    await until(lambda: arrived)
    began = monotonic()
    await until(lambda: len(arrived) == 11)

    # 10 s at 1x, and 0.5 s at this speed.
    assert 0.3 < monotonic() - began < 8.0
    assert (await task)[0] == 0


@pytest.mark.parametrize("speed", ["fast", "0x", "-1", "nan", "x"])
def test_a_speed_that_is_none_is_refused(speed: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["publish", str(tmp_path / "market.csv"), "--speed", speed])

    assert result.exit_code == 2
    assert "1x" in result.output


async def test_bad_input_is_a_sentence_and_code_two(tmp_path: Path) -> None:
    code, said = await run("publish", str(tmp_path / "none.csv"))

    assert code == 2
    assert said.startswith("sengine: ")
    assert "none.csv" in said


async def test_an_absent_server_is_a_sentence_that_hides_the_password(tmp_path: Path) -> None:
    write_sample(tmp_path / "market.csv", 5, ["A"], 1)
    code, said = await run("publish", str(tmp_path / "market.csv"), "--url", "nats://user:secret@127.0.0.1:1")

    assert code == 1
    assert "nats://127.0.0.1:1" in said
    assert "secret" not in said


async def test_a_refused_login_is_not_taken_for_an_absent_server(tmp_path: Path) -> None:
    write_sample(tmp_path / "market.csv", 5, ["A"], 1)
    server = EmbeddedBroker(tmp_path / "broker", login=Login.random())
    await server.start()
    try:
        code, said = await run("publish", str(tmp_path / "market.csv"), "--url", server.address)
    finally:
        await server.stop()

    assert code == 1
    assert f"the NATS server at {server.address} refuses the login" in said


async def test_the_simulated_market_keeps_its_rate_and_is_stamped_with_now(broker, arrived, until) -> None:
    child = await spawn("simulate", "--url", broker.url, "--rate", "1000", "--symbols", "A,B")
    try:
        await until(lambda: len(arrived) >= 2000)
    finally:
        code = await child.stop()
    events = books(arrived)

    assert code == 0
    assert {event.symbol for event in events} == {"A", "B"}
    times_ns = [event.timestamp_ns for event in events]
    assert times_ns == sorted(times_ns)
    # Held up by a busy machine, it makes up for a second at most.
    due = (times_ns[-1] - times_ns[0]) / 1_000_000
    assert len(events) / 10 < due < len(events) * 10
    assert len(events) < due + 1100


async def test_the_simulated_market_goes_on_after_the_broker_was_killed(broker, until) -> None:
    child = await spawn("simulate", "--url", broker.url, "--rate", "200", "--symbols", "A")
    try:
        for _ in range(2):
            connection = await nats.connect(broker.url, allow_reconnect=False)
            subscription = await connection.subscribe("market_data.A.orderbook")
            await subscription.next_msg(PATIENCE_S)
            os.kill(broker.pid, signal.SIGKILL)
            await broker.wait()
            await connection.close()
            await broker.start()
    finally:
        assert await child.stop() == 0
