"""The kill switch's file, signal and triggers: pulled once, remembered, and re-armed by nobody but a person."""

from __future__ import annotations

import errno
import json
import os
import resource
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sengine.config.risk_schema import KillOnConfig, RiskConfig
from sengine.domain.events import KillSwitch, Rearm
from sengine.errors import DataError, LifecycleError
from sengine.runtime.audit import AuditTrail, read_audit
from sengine.runtime.live_engine import LiveEngine
from sengine.runtime.status import ServiceStatus
from sengine.service.kill_file import KillFile
from sengine.service.kill_switch import KillSwitchKeeper
from tests.adapters.served_engine import Stats
from tests.engine.conftest import Actor, S, engine_with, fill, long, quote, simulated_engine


class Desk:
    """A running engine's switch in ``directory``, with a clock that is set by hand."""

    def __init__(self, directory: Path, live: LiveEngine | None = None, **risk) -> None:
        self.live = live or LiveEngine(simulated_engine(Actor("a", *[long()] * 5)))
        self.facts = ServiceStatus("test")
        self.audit = AuditTrail(directory, lambda line: self.live.say("error", line))
        self.now_s = 100.0
        self.keeper = KillSwitchKeeper(
            self.live, self.facts, RiskConfig(**risk), directory, self.audit, lambda: self.now_s
        )
        self.keeper.restore()

    @property
    def killed_by(self) -> str:
        return self.live.engine.kill_reason

    def after(self, seconds: float) -> str:
        self.now_s += seconds
        self.keeper.look()
        return self.killed_by

    def trail(self) -> list[tuple[str, str, str]]:
        return [(line.how, line.what, line.result) for line in read_audit(self.audit.path)]


@pytest.fixture
def desks(tmp_path: Path) -> Iterator:
    made: list[Desk] = []

    def make(live: LiveEngine | None = None, **risk) -> Desk:
        made.append(Desk(tmp_path, live, **risk))
        return made[-1]

    yield make
    for desk in made:
        desk.keeper.close()
        desk.audit.close()


def test_a_kill_is_remembered_until_it_is_rearmed(desks, tmp_path: Path) -> None:
    first = desks()
    first.live.process(KillSwitch("prices look wrong"))
    file = tmp_path / "KILL"
    assert file.read_text() == "prices look wrong\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    second = desks()
    assert second.killed_by == "prices look wrong"
    assert second.live.process(quote(1)).orders == []
    second.live.process(Rearm())
    assert not file.exists()
    assert desks().killed_by == ""


def test_whoever_makes_the_file_pulls_the_switch(desks, tmp_path: Path) -> None:
    desk = desks()
    assert desk.after(1) == ""
    (tmp_path / "KILL").touch()
    assert desk.after(1) == "the file KILL in the data directory"
    assert desk.live.process(quote(1)).orders == []
    assert desk.trail() == [("KILL", "KillSwitch", "kill switch pulled: the file KILL in the data directory")]


def test_removing_the_file_does_not_rearm(desks, tmp_path: Path) -> None:
    desk = desks()
    desk.live.process(KillSwitch("operator"))
    (tmp_path / "KILL").unlink()
    assert desk.after(1) == "operator"
    assert (tmp_path / "KILL").exists()


def test_whatever_stands_under_the_name_kills_and_nothing_hangs(desks, tmp_path: Path) -> None:
    kill = tmp_path / "KILL"
    makers: dict[str, Callable[[], object]] = {
        "is a directory, and counts": kill.mkdir,
        "is a fifo, and counts": lambda: os.mkfifo(kill),
        "is a symbolic link to nowhere, and counts": lambda: kill.symlink_to(tmp_path / "absent"),
        "is a device, and counts": lambda: kill.symlink_to("/dev/tty"),
        "is there and cannot be read: Too many levels": lambda: kill.symlink_to(kill),
        "caf\ufffd": lambda: kill.write_bytes(b"caf\xe9\n"),
        "x" * 500: lambda: kill.write_bytes(b"x" * (8 << 20)),
        "two lines": lambda: kill.write_text("two\n\tlines\n"),
    }
    for said, make in makers.items():
        desk = desks()
        make()
        assert said in desk.after(1), said
        assert len(desk.killed_by) <= 500
        assert said in desks().killed_by, "the next start"
        assert desk.facts.kill_is_forgotten == "", "it is there, whatever it is"
        desk.live.rearm()
        assert desk.after(1) == ""
        assert not os.path.lexists(kill)


def test_what_cannot_be_taken_away_is_not_rearmed(desks, tmp_path: Path) -> None:
    (tmp_path / "KILL" / "more").mkdir(parents=True)
    desk = desks()
    with pytest.raises(LifecycleError, match="KILL cannot be removed: Directory not empty"):
        desk.live.rearm()
    assert desk.after(1) == "KILL in the data directory is a directory, and counts"


@pytest.mark.parametrize("code", [errno.EMFILE, errno.EACCES, errno.EIO])
def test_a_look_that_fails_is_told_once_and_is_no_kill(desks, monkeypatch, code: int) -> None:
    desk = desks()

    def fail(path: Path) -> None:
        raise OSError(code, os.strerror(code), str(path))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "lstat", fail)
        assert desk.after(1) == desk.after(1) == ""
        told = [line.event for line in desk.live.logs.history]
        assert len(told) == 1
        assert f"cannot be known: {os.strerror(code)}" in told[0]
        assert "cannot be known" in desks().killed_by, "what an earlier session left is not known at the start"


def _take_all(taken: list[int]) -> None:
    with suppress(OSError):
        while True:
            taken.append(os.dup(0))


def test_a_process_without_descriptors_is_killed_by_the_file_and_remembers_a_kill(desks, tmp_path: Path) -> None:
    desk, other = desks(), desks()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 4, hard))
    taken: list[int] = []
    try:
        _take_all(taken)
        assert desk.after(1) == "", "no descriptor left is no kill"
        desk.live.process(KillSwitch("operator"))
        assert (tmp_path / "KILL").lstat().st_size == len("operator\n")
        _take_all(taken)
        assert "cannot be read: Too many open files" in other.after(1), "it is there"
    finally:
        for file in taken:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (tmp_path / "KILL").read_text().strip()


def test_a_kill_is_remembered_where_the_room_for_it_is_gone(desks, tmp_path: Path) -> None:
    (tmp_path / ".KILL.new").mkdir()
    desk = desks()
    desk.live.process(KillSwitch("operator"))
    assert (tmp_path / "KILL").read_text() == "operator\n"
    desk.live.rearm()
    (tmp_path / ".KILL.new").rmdir()
    desk.live.process(KillSwitch("again"))
    desk.live.rearm()
    (tmp_path / ".KILL.new").unlink()
    desk.live.process(KillSwitch("and again"))
    assert (tmp_path / "KILL").read_text() == "and again\n"


def test_a_switch_that_cannot_be_remembered_says_so_and_stays_pulled(desks, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    live = LiveEngine(simulated_engine(Actor("a")))
    desk = desks(live)
    desk.keeper._file.close()
    desk.keeper._file = KillFile(data)
    data.rmdir()
    desk.live.process(KillSwitch("operator"))
    assert desk.after(1) == "operator"
    told = [line.event for line in desk.live.logs.history if line.level == "error"]
    assert len(told) == 1
    assert "not remembered" in told[0]
    assert f"{data}/KILL cannot be written" in desk.facts.kill_is_forgotten
    assert any("is not remembered" in reason for reason in desk.facts.not_ready_because(live))
    data.mkdir()
    assert desk.after(1) == "operator"
    assert (data / "KILL").read_text() == "operator\n"
    assert desk.facts.kill_is_forgotten == ""


def test_a_kill_while_an_earlier_session_is_taken_up_is_on_disk_at_once(desks, tmp_path: Path) -> None:
    file = tmp_path / "KILL"
    for pull in (
        lambda desk: desk.live.process(KillSwitch("by a person")),
        lambda desk: desk.keeper.pull_by_signal(),
        lambda desk: desk.keeper.pull("today's loss", "the engine", "risk.kill_on.daily_loss"),
    ):
        desk = desks(kill_flattens=True)
        desk.live.is_recovering = True
        # What the switch was at this moment of the past is no reason to do nothing.
        desk.live.engine.process(KillSwitch("of the past"))
        pull(desk)
        reason = file.read_text().strip()
        assert reason not in ("", "of the past")
        assert desk.live.kill_reason == reason, "what screens show is not of the past"
        file.unlink()
        desk.keeper.look()
        assert file.read_text().strip() == reason, "removing it re-arms nothing now either"
        with pytest.raises(LifecycleError, match="taking up its journal"):
            desk.live.rearm()
        assert file.exists()
        again = desks()
        assert again.killed_by == reason, "also where the engine was killed there and then"
        again.live.is_recovering = True
        again.live.engine.process(Rearm())
        assert again.live.kill_reason == reason
        desk.live.recovered()
        assert desk.killed_by == reason
        desk.live.rearm()
        assert not file.exists()


def test_the_last_of_two_kills_while_an_earlier_session_is_taken_up_is_the_reason(desks, tmp_path: Path) -> None:
    desk = desks()
    desk.live.is_recovering = True
    desk.live.process(KillSwitch("first"))
    desk.live.process(KillSwitch("second"))
    desk.keeper.pull_by_signal()
    assert (tmp_path / "KILL").read_text() == "second\n"
    desk.live.recovered()
    assert desk.killed_by == "second"
    assert (tmp_path / "KILL").read_text() == "second\n"


def test_a_file_made_while_an_earlier_session_is_taken_up_pulls(desks, tmp_path: Path) -> None:
    desk = desks()
    desk.live.is_recovering = True
    (tmp_path / "KILL").write_text("by file")
    assert desk.after(1) == ""
    (tmp_path / "KILL").unlink()
    desk.keeper.look()
    desk.live.recovered()
    assert desk.killed_by == "by file"


def test_the_signal_pulls_it_once(desks) -> None:
    desk = desks()
    desk.keeper.pull_by_signal()
    desk.keeper.pull_by_signal()
    assert desk.killed_by == "SIGUSR1"
    assert len(desk.trail()) == 1


def test_a_kill_brings_positions_to_zero_where_that_is_configured(desks) -> None:
    for flattens, held in ((False, 1.0), (True, 0.0)):
        desk = desks(kill_flattens=flattens)
        desk.live.process(quote(1))
        desk.live.process(KillSwitch("operator"))
        assert desk.live.engine.portfolio.quantity("a", "BTC") == held
        desk.live.process(Rearm())


def test_an_execution_service_that_stays_away_pulls_it(desks) -> None:
    desk = desks(kill_on=KillOnConfig(execution_lost_for_ns=10 * S))
    assert desk.after(100) == "", "there is no gateway"
    desk.facts.gateway = stats = Stats()
    stats.state = "reconnecting"
    assert desk.after(100) == "", "it was never connected"
    stats.state = "connected"
    assert desk.after(100) == ""
    stats.state = "reconnecting"
    assert desk.after(9.9) == ""
    assert desk.after(0.2) == "the execution service has been lost for 10 s"
    desk.live.process(Rearm())
    assert desk.after(1) == "", "a person knows of this one"
    stats.state = "connected"
    desk.after(1)
    stats.state = "reconnecting"
    assert desk.after(11) != ""


def test_an_execution_service_that_answers_nothing_pulls_it(desks) -> None:
    desk = desks(kill_on=KillOnConfig(execution_lost_for_ns=10 * S))
    desk.facts.gateway = stats = Stats()
    stats.state = "connected"
    assert desk.after(100) == ""
    stats.owed_for_s = 9.9
    assert desk.after(100) == ""
    stats.owed_for_s = 10.0
    assert desk.after(0.1) == "the execution service has answered nothing for 10 s"


def test_a_days_loss_pulls_it(desks) -> None:
    live = LiveEngine(simulated_engine(Actor("a", long(size=10.0))))
    desk = desks(live, kill_on=KillOnConfig(daily_loss=50.0))
    live.process(quote(1))
    assert desk.after(1) == ""
    live.process(quote(2, 90.0, 92.0))
    assert desk.after(1) == "today's loss is 100.00, beyond risk.kill_on.daily_loss 50"
    assert desk.trail() == [("risk.kill_on.daily_loss", "KillSwitch", f"kill switch pulled: {desk.killed_by}")]


def test_a_storm_of_errors_pulls_it(desks) -> None:
    actor = Actor("a", *[ValueError("bad day")] * 9)
    live = LiveEngine(engine_with(actor, max_errors=100))
    desk = desks(live, kill_on=KillOnConfig(faults=3, faults_within_ns=10 * S))
    desk.after(0)
    for at_s in (1, 2):
        live.process(quote(at_s))
    assert desk.after(1) == ""
    assert desk.after(20) == ""
    for at_s in (3, 4):
        live.process(quote(at_s))
    assert desk.after(1) == ""
    live.process(quote(5))
    assert desk.after(1) == "3 errors of strategies within 10 s"


def test_without_triggers_nothing_pulls_it(desks) -> None:
    live = LiveEngine(simulated_engine(Actor("a", long(size=10.0), *[ValueError()] * 9)))
    desk = desks(live)
    desk.facts.gateway = Stats()
    for at_s in range(1, 9):
        live.process(quote(at_s, 100.0 - 9 * at_s, 101.0))
        assert desk.after(100) == ""


def test_the_trail_is_the_owners_alone_and_grows(desks, tmp_path: Path) -> None:
    trail = desks().audit
    trail.record("ann", "control API", "Pause", "strategy a is paused", strategy_id="a")
    again = AuditTrail(tmp_path, print)
    again.record("bob", "SIGHUP", "Reload", "done")
    again.close()
    assert stat.S_IMODE(trail.path.stat().st_mode) == 0o600
    first, second = trail.path.read_text().splitlines()
    line = json.loads(first)
    assert (line["who"], line["what"], line["details"]) == ("ann", "Pause", {"strategy_id": "a"})
    assert json.loads(second)["who"] == "bob"
    with trail.path.open("ab") as file:
        file.write(b'{"time":"cut sho')
    assert [each.who for each in read_audit(trail.path)] == ["ann", "bob"]
    with trail.path.open("ab") as file:
        file.write(b"\n")
    with pytest.raises(DataError, match=r"audit\.log:3: expected a line of an audit trail"):
        list(read_audit(trail.path))
    with pytest.raises(DataError, match="no audit trail can be read here"):
        list(read_audit(tmp_path / "absent"))


def test_a_line_that_cannot_be_written_is_told(desks) -> None:
    desk = desks()
    file, desk.audit._file = desk.audit._file, os.open("/dev/full", os.O_WRONLY)
    desk.audit.record("ann", "control API", "Pause", "done")
    assert "not in the audit trail: Pause by ann" in desk.live.logs.history[0].event
    os.close(file)


def test_a_long_trail_goes_on_in_another_file_and_is_read_as_one(tmp_path: Path) -> None:
    audit = AuditTrail(tmp_path, pytest.fail, longest_bytes=300)
    for number in range(9):
        audit.record("ann", "control API", "Pause", f"done {number}")
    audit.close()
    files = sorted(tmp_path.glob("audit.log*"))
    assert len(files) == 3
    assert {each.stat().st_mode & 0o777 for each in files} == {0o600}
    assert [line.result for line in read_audit(audit.path)] == [f"done {number}" for number in range(9)]


def test_what_the_switch_was_in_the_past_is_not_followed_while_that_is_taken_up(desks, tmp_path: Path) -> None:
    desk = desks()
    live = desk.live
    live.is_recovering = True
    desk.keeper.pull_by_signal()
    desk.keeper.pull_by_signal()
    assert desk.killed_by == ""
    live.recovered()
    assert desk.killed_by == "SIGUSR1"
    assert (tmp_path / "KILL").read_text() == "SIGUSR1\n"


def test_a_fill_that_waits_for_a_person_pulls_it_where_that_is_configured(desks) -> None:
    def waiting() -> LiveEngine:
        live = LiveEngine(engine_with(Actor("a", long())))
        live.process(quote(1))
        live.process(fill("1", 1.0, 999.0, fill_id="f1"))
        return live

    assert desks(waiting()).after(1) == ""
    desk = desks(waiting(), kill_on=KillOnConfig(held_fills=True))
    assert desk.after(1).startswith("a fill waits for a person, see `sengine fills`: its price 999")
