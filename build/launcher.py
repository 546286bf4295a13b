"""First stage of the single executable ``dist/sengine``: a small onefile program with the whole of sengine behind it.

A onefile program unpacks itself at every start, and sengine with its libraries is a quarter of a gigabyte unpacked. So
this stage is small; it unpacks the rest once, into the user's cache, under a name made of its content, and becomes it.

Layout of the file: the bootloader; the payload (a tar compressed with zstd); a footer of 48 bytes with the SHA-256 of
the payload, its size as 8 bytes big-endian, and the mark ``SENGINE1``; this stage as PyInstaller's archive. That
archive ends with a cookie that holds its size.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import stat
import struct
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import IO, NoReturn

import zstandard

COOKIE = struct.Struct("!8sIIII64s")
MARK = b"SENGINE1"
FOOTER_BYTES = 32 + 8 + len(MARK)
PROGRAM = "sengine"
KEPT_VERSIONS = 2


class LaunchError(Exception):
    """Why sengine cannot be unpacked, and what to do."""


class Payload:
    """Where in this file the rest of sengine is."""

    def __init__(self, file: Path) -> None:
        self.file = file
        with file.open("rb") as program:
            program.seek(-COOKIE.size, os.SEEK_END)
            _, archive_bytes, *_ = COOKIE.unpack(program.read(COOKIE.size))
            self.end = program.seek(-archive_bytes - FOOTER_BYTES, os.SEEK_END)
            footer = program.read(FOOTER_BYTES)
        if not footer.endswith(MARK):
            raise LaunchError(f"{file}: this file holds the first stage of sengine only; download it again")
        self.sha256 = footer[:32]
        self.size = int.from_bytes(footer[32:40], "big")

    @property
    def name(self) -> str:
        return self.sha256.hex()[:16]

    def unpack(self, folder: Path) -> None:
        """Unpack into ``folder``. Raises ``LaunchError`` unless all of it is as it was built."""
        with self.file.open("rb") as program:
            program.seek(self.end - self.size)
            read = Hashed(program, self.size)
            try:
                with (
                    zstandard.ZstdDecompressor().stream_reader(read) as plain,
                    tarfile.open(fileobj=plain, mode="r|") as archive,
                ):
                    archive.extractall(folder, filter="tar")
            except (zstandard.ZstdError, tarfile.TarError) as error:
                raise LaunchError(f"{self.file}: is damaged ({error}); download it again") from error
            while read.read(1 << 20):
                pass
        if read.digest.digest() != self.sha256:
            raise LaunchError(
                f"{self.file}: is damaged (its checksum is not the one it was built with); download again"
            )


class Hashed:
    """The next ``size`` bytes of ``file``, hashed as they are read."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._left = size
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        self.digest.update(data)
        return data


def main() -> NoReturn:
    payload = Payload(Path(sys.executable))
    program = installed(payload)
    # The bootloader's notes are about this stage; the next one is a program of its own.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("_PYI_", "_MEIPASS"))}
    restored = environment.pop("LD_LIBRARY_PATH_ORIG", None)
    environment.pop("LD_LIBRARY_PATH", None)
    if restored is not None:
        environment["LD_LIBRARY_PATH"] = restored
    os.execve(program, [sys.argv[0], *sys.argv[1:]], environment)  # noqa: S606 - what was checked against its hash


def installed(payload: Payload) -> Path:
    """The unpacked program; unpacked now where it is not there yet."""
    home = own_folder()
    program = home / payload.name / PROGRAM / PROGRAM
    if program.is_file():
        return program
    with (home / "unpacking.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.is_file():
            if sys.stderr.isatty():
                print("sengine: unpacking, this once", file=sys.stderr, flush=True)
            aside = Path(tempfile.mkdtemp(prefix="unpacking-", dir=home))
            try:
                payload.unpack(aside)
                aside.chmod(0o700)
                aside.rename(home / payload.name)
            except OSError as error:
                reason = f"{home}: cannot unpack sengine here: {error.strerror}"
                raise LaunchError(f"{reason}; name another folder in XDG_CACHE_HOME") from error
            finally:
                shutil.rmtree(aside, ignore_errors=True)
            forget_old(home, payload.name)
    return program


def own_folder() -> Path:
    """A folder that this user alone can write to: in the user's cache, else in the temporary folder."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    candidates = [cache, os.path.join(tempfile.gettempdir(), f"sengine-{os.getuid()}")]
    reason = ""
    for candidate in candidates:
        folder = Path(candidate).absolute() / "sengine"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            state = folder.lstat()
        except OSError as error:
            reason = f"{folder}: {error.strerror}"
            continue
        # What we are about to run must not be anybody else's.
        if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid() or state.st_mode & 0o022:
            reason = f"{folder}: expected a folder that only you can write to"
        elif not os.access(folder, os.W_OK | os.X_OK):
            reason = f"{folder}: cannot be written to"
        else:
            return folder
    raise LaunchError(f"{reason}; name a folder to unpack to in the environment variable XDG_CACHE_HOME")


def forget_old(home: Path, current: str) -> None:
    """Drop what older executables have unpacked, but for the newest ones and those that still run."""
    programs = running_programs()
    if not programs:
        return
    in_use = {Path(program).parents[1].name for program in programs if Path(program).is_relative_to(home)}
    folders = [entry for entry in home.iterdir() if entry.is_dir() and entry.name != current]
    folders.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
    for folder in folders[KEPT_VERSIONS - 1 :]:
        if folder.name not in in_use:
            shutil.rmtree(folder, ignore_errors=True)


def running_programs() -> list[str]:
    """The executables of this user's processes. Where the system does not tell, nothing is known to be unused."""
    targets = []
    for link in Path("/proc").glob("[0-9]*/exe"):
        with contextlib.suppress(OSError):
            targets.append(os.readlink(link))
    return targets


if sys.argv[1:] == ["--version"]:
    from sengine import __version__

    # What the build put beside this program: which form of the engine is in the folder that it unpacks.
    print(f"sengine {__version__} ({Path(getattr(sys, '_MEIPASS', '.'), 'form.txt').read_text()})")
else:
    try:
        main()
    except LaunchError as error:
        sys.exit(f"sengine: {error}")
