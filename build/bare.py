"""A bare place to run the executable in, and a terminal to watch it in: what build/smoke.py looks through."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

DEADLINE_S = 60.0
NOBODY = 65534
ESCAPES = re.compile(rb"\x1b\[[0-9;?<>=]*[a-zA-Z]|\x1b[()][0-9A-B]|\x1b[=>78]|\x1b\][^\x07]*\x07")


class SmokeError(Exception):
    """What was seen is not what a user needs to see."""


def expect(condition: object, sentence: str) -> None:
    if not condition:
        raise SmokeError(sentence)


class Bare:
    """A place with the executable and nothing else."""

    def __init__(self, executable: Path, folder: Path, slack: float) -> None:
        self.folder = folder
        self.slack = slack
        self.user = NOBODY if os.geteuid() == 0 else None
        installed, home, self.work = (folder / name for name in ("read only", "the home", "a working: directory"))
        for path in (installed, home, self.work):
            path.mkdir()
        self.program = installed / "sengine"
        shutil.copy2(executable, self.program)
        self.program.chmod(0o555)
        for path in (folder, home, self.work):
            if self.user is not None:
                os.chown(path, NOBODY, NOBODY)
        installed.chmod(0o555)
        self.environment = {"HOME": str(home), "PATH": "/nowhere", "TERM": "xterm-256color", "LANG": "C.UTF-8"}

    def start(self, *arguments: str, folder: Path | None = None, **more: object) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [str(self.program), *arguments],
            cwd=folder or self.work,
            env=self.environment,
            user=self.user,
            group=self.user,
            extra_groups=() if self.user is not None else None,
            start_new_session=True,
            **more,  # type: ignore[call-overload]
        )

    def run(self, *arguments: str, folder: Path | None = None, code: int = 0) -> str:
        """The command's output, both streams. It must end with ``code``."""
        process = self.start(*arguments, folder=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            output = process.communicate(timeout=DEADLINE_S)[0].decode()
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise SmokeError(f"sengine {' '.join(arguments)}: has not ended within {DEADLINE_S:g} s") from None
        expect(
            process.returncode == code,
            f"sengine {' '.join(arguments)}: expected exit {code}, got {process.returncode}:\n{output}",
        )
        return output

    def write(self, path: Path, text: str) -> None:
        path.write_text(text, "utf-8")
        if self.user is not None:
            os.chown(path, NOBODY, NOBODY)


def until(condition: Callable[[], object], sentence: str, deadline_s: float = DEADLINE_S) -> float:
    """Seconds until ``condition`` held."""
    began_s = time.monotonic()
    while not condition():
        if time.monotonic() - began_s > deadline_s:
            raise SmokeError(f"{sentence}: not within {deadline_s:g} s")
        time.sleep(0.02)
    return time.monotonic() - began_s


class Screen:
    """The program in a terminal of 120 columns and 40 lines; ``text`` is all that it has written, without colours."""

    def __init__(self, place: Bare, *arguments: str, folder: Path | None = None) -> None:
        self.began_s = time.monotonic()
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.process = place.start(*arguments, folder=folder, stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        self._written = b""

    @property
    def text(self) -> str:
        while select.select([self._master], [], [], 0)[0]:
            try:
                chunk = os.read(self._master, 65536)
            except OSError:
                break
            if not chunk:
                break
            self._written += chunk
        return ESCAPES.sub(b"", self._written).decode(errors="replace")

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def forget(self) -> None:
        """From here on ``text`` is what is written anew."""
        _ = self.text
        self._written = b""

    def ended(self) -> bool:
        _ = self.text  # a full pipe would keep it from ending
        return self.process.poll() is not None


def leave(screen: Screen) -> None:
    """Quit, and stop the engine."""
    screen.forget()
    screen.press("q")
    until(lambda: "engine" in screen.text, "q asks nothing")
    screen.press("s")
    until(screen.ended, "the demo does not end when asked to stop", 15.0)


@contextlib.contextmanager
def ended_after(screen: Screen) -> Iterator[None]:
    try:
        yield
    except SmokeError as error:
        raise SmokeError(f"{error}; the screen said:\n{screen.text[-3000:]}") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(screen.process.pid, signal.SIGTERM)
        screen.process.wait(15)
