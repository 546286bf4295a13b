"""Running out of file descriptors is told, and what must not fail for want of one does not."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sengine.domain.events import PauseStrategy
from sengine.runtime.audit import AuditTrail, read_audit
from sengine.runtime.descriptors import SET_ASIDE, DescriptorWatch, SetAside, raise_limit
from tests.adapters.test_journal import journal_config, new_journal, records


@pytest.fixture
def taken() -> Iterator[list[int]]:
    """Descriptors that somebody holds; with the limit close by."""
    SET_ASIDE.fill()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 24, limits[1]))
    held: list[int] = []
    yield held
    for file in held:
        os.close(file)
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    SET_ASIDE.give_up()


def process_all(held: list[int]) -> None:
    with suppress(OSError):
        while True:
            held.append(os.dup(2))


def test_as_many_files_may_be_open_as_the_system_gives() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        assert raise_limit() == min(hard, 65_536)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (min(hard, 65_536), hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_what_is_set_aside_opens_a_file_where_no_descriptor_is_left(tmp_path: Path, taken: list[int]) -> None:
    aside = SetAside()
    assert aside.fill()
    process_all(taken)
    with pytest.raises(OSError, match="Too many open files"):
        os.open(tmp_path, os.O_RDONLY)
    taken.append(aside.open(tmp_path / "one", os.O_WRONLY | os.O_CREAT))
    assert (tmp_path / "one").exists()
    with pytest.raises(FileNotFoundError):
        aside.open(tmp_path / "absent" / "two", os.O_RDONLY)
    aside.give_up()
    process_all(taken)
    with pytest.raises(OSError, match="Too many open files"):
        aside.open(tmp_path, os.O_RDONLY)


def test_the_journal_begins_its_next_file_and_the_audit_trail_too_where_no_descriptor_is_left(
    tmp_path: Path, taken: list[int]
) -> None:
    (tmp_path / "journal").mkdir()
    journal = new_journal(tmp_path / "journal", config=journal_config(segment_bytes=4096))
    audit = AuditTrail(tmp_path, pytest.fail, longest_bytes=2000)
    process_all(taken)
    for number in range(200):
        journal.event(PauseStrategy("a", f"{number}"))
        audit.record("ann", "control API", "Pause", f"{number}")
        SET_ASIDE.fill()  # as the watch does
    assert journal._writer.commit()
    assert not journal.failure
    for file in taken:
        os.close(file)
    taken.clear()
    journal.close()
    audit.close()
    assert len(list((tmp_path / "journal").glob("*.journal"))) > 1
    paused = [record.reason for record in records(tmp_path / "journal") if isinstance(record, PauseStrategy)]
    assert paused == [str(number) for number in range(200)]
    assert [line.result for line in read_audit(audit.path)] == paused


def test_few_descriptors_are_told_of_once_and_again_when_they_are_back(taken: list[int]) -> None:
    said: list[tuple[str, str, dict[str, Any]]] = []
    cut_off = False
    watch = DescriptorWatch(lambda level, text, **fields: said.append((level, text, fields)), lambda: cut_off)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    process_all(taken)
    os.close(taken.pop(0))  # a low one is free, as after the journal's next file
    for _ in range(3):
        watch.look(limit)
    assert [(level, fields["limit"]) for level, _, fields in said] == [("error", limit)]
    for file in taken:
        os.close(file)
    taken.clear()
    watch.look(10_000)
    assert said[-1][1] == "file descriptors are free again"
    cut_off = True
    watch.look(10_000)
    process_all(taken)
    assert len(SET_ASIDE._files) == 4, "the others are there for a connection"
