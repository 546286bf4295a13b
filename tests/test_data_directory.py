from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from sengine.adapters.transport.private_socket import PrivateSocket
from sengine.errors import ConfigError, SengineError
from sengine.service.data_directory import DataDirectory, is_in_use


def test_it_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    with DataDirectory(tmp_path / "a" / "data") as directory:
        assert stat.S_IMODE(directory.path.stat().st_mode) == 0o700


def test_relative_path_is_of_the_folder_at_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with DataDirectory("data") as directory:
        assert directory.path == tmp_path / "data"


def test_second_engine_is_told_who_has_it_until_that_one_ends(tmp_path: Path) -> None:
    with DataDirectory(tmp_path), pytest.raises(SengineError, match=rf"another engine \(pid {os.getpid()}\) uses"):
        DataDirectory(tmp_path).__enter__()
    with DataDirectory(tmp_path):
        pass


def test_place_that_cannot_be_used_is_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ConfigError, match=r"service.data_directory: .*file/data cannot be used"):
        DataDirectory(file / "data").__enter__()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_account_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)
    with pytest.raises(ConfigError, match=r"service.data_directory: .* belongs to user 65534; name one of your own"):
        DataDirectory(tmp_path).__enter__()
    with pytest.raises(ConfigError, match="belongs to user 65534"):
        PrivateSocket(tmp_path / "engine.sock", own_directory=True)


def test_whether_an_engine_runs_there_is_not_guessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_in_use(tmp_path)
    assert not is_in_use(tmp_path / "absent")
    with DataDirectory(tmp_path):
        assert is_in_use(tmp_path)

        def fail(*_: object) -> int:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        with monkeypatch.context() as patched:
            patched.setattr(os, "open", fail)
            with pytest.raises(SengineError, match="whether an engine runs here cannot be known: Too many open files"):
                is_in_use(tmp_path)
    assert not is_in_use(tmp_path)
