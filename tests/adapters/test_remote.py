"""Strategies in processes of their own, with real processes and what can happen to them."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from pathlib import Path
from time import monotonic, perf_counter

import pytest

import sengine.adapters.remote.link
import sengine.adapters.remote.watch
from sengine.adapters.control.strategy_state import strategy_state
from sengine.adapters.web.metrics import families
from sengine.clock import format_timestamp
from sengine.config import load_config
from sengine.config.schema import StrategyConfig
from sengine.domain.events import KillSwitch, ResumeStrategy, UnloadStrategy
from sengine.engine.strategies.spec import LoadStrategy
from sengine.errors import ConfigError
from sengine.runtime.status import ServiceStatus
from tests.adapters.remote_parts import ECHO, MS, T0, book, is_alive, rig, write_echo
from tests.engine.conftest import Actor

pytestmark = pytest.mark.skipif(not Path("/proc").exists(), reason="looks at processes in /proc")


async def test_a_strategy_trades_from_its_own_process(tmp_path: Path) -> None:
    write_echo(tmp_path)
    async with rig(tmp_path) as r:
        link = r.load(module="echo", config={"size": 2.0})
        await r.remotes.tried()
        for step in range(3):
            r.live.process(book(step))
        await r.signals(3)
        await r.until(lambda: link.describe()["strategy"].get("BTC", {}).get("calls") == 3)
        state = strategy_state(r.live.engine, r.runtime())
        assert (state.position, state.signal_count, state.tick_count, state.error_count) == (6.0, 3, 3, 0)
        assert state.route == "direct"  # the class says so, in the other process
        assert state.version.startswith("1.0.0+")
        assert state.on_tick_us["max"] > 50  # a round trip, not the time it takes to hand a tick over
        assert state.metadata["*"]["process"] == "connected"
        assert r.runtime().config == {"size": 2.0, "every": 1}
        record = r.live.signals.history[-1]
        assert (record.timestamp_ns, record.version) == (T0 + 2 * MS, state.version)


LISTENING = ECHO.replace(
    "        def get_state(self):",
    """        def on_order(self, update):
            self.told = [*getattr(self, "told", ()), (update.status, update.symbol, update.code, update.metadata)]
            if update.code:
                return "an answer"

        def get_state(self):""",
).replace('"size": self.params.size}}', '"size": self.params.size, "told": getattr(self, "told", [])}}')


async def test_a_strategy_in_its_own_process_is_told_what_became_of_its_signals(tmp_path: Path) -> None:
    write_echo(tmp_path, code=LISTENING)
    async with rig(tmp_path) as r:
        link = r.load(module="echo")
        await r.remotes.tried()
        r.live.process(book(1))
        await r.signals(1)
        r.live.process(KillSwitch("enough"))
        r.live.process(book(2))
        await r.signals(2)
        await r.until(lambda: len(link.describe()["strategy"].get("BTC", {}).get("told", ())) == 2)
        assert link.describe()["strategy"]["BTC"]["told"] == [
            ["passed", "BTC", "", {"calls": 1}],
            ["filtered", "BTC", "kill_switch_pulled", {"calls": 2}],
        ]
        await r.until(lambda: r.runtime().errors)
        assert r.runtime().errors == {"bad_return": 1}
        assert r.runtime().last_fault.message == (  # type: ignore[union-attr]
            "on_order must return nothing, got str; signals are returned from on_tick"
        )


async def test_ticks_that_were_on_their_way_do_not_make_it_ask_twice(tmp_path: Path) -> None:
    wary = ECHO.replace(
        "self.calls += 1", "self.calls += 1\n            if self.position + self.in_flight > 0: return None"
    )
    write_echo(tmp_path, code=wary)
    async with rig(tmp_path) as r:
        link = r.load(module="echo")
        await r.remotes.tried()
        for step in range(1, 200):
            r.live.process(book(step))
        await r.until(lambda: link.describe()["strategy"].get("BTC", {}).get("calls") == 199)
        assert (r.live.engine.orders_sent, r.live.engine.portfolio.quantity("echo", "BTC")) == (1, 1.0)


async def test_what_it_prints_and_logs_is_told_with_event_time(
    tmp_path: Path,
) -> None:
    loud = ECHO.replace("self.calls += 1", "self.calls += 1; print('mid', data.mid); logging.warning('odd')")
    write_echo(tmp_path, code=loud.replace("import msgspec, os, sys", "import logging, msgspec, os, sys"))
    async with rig(tmp_path) as r:
        r.load(module="echo")
        await r.remotes.tried()
        r.live.process(book(1))
        await r.signals(1)
        r.live.process(book(2, mid=8500.0))
        await r.until(lambda: sum(line.fields.get("said_by") == "strategy" for line in r.said) == 4)
        told = [line for line in r.said if line.fields.get("said_by") == "strategy"]
        assert [(line.level, line.event) for line in told] == [
            ("info", "mid 100.5"),
            ("warning", "odd"),
            ("info", "mid 8500.0"),
            ("warning", "odd"),
        ]
        assert {line.fields["strategy_id"] for line in told} == {"echo"}
        assert told[0].fields["event_time"] == format_timestamp(T0 + MS)


async def test_a_host_that_does_not_ask_for_news_of_orders_gets_none(tmp_path: Path) -> None:
    write_echo(tmp_path)
    async with rig(tmp_path) as r:
        link = r.load(module="echo")
        await r.remotes.tried()
        (outbox,) = link.proxy.outboxes
        assert not outbox.takes_orders
        r.live.process(book(1))
        await r.signals(1)
        await r.until(lambda: link.describe()["strategy"].get("BTC", {}).get("position") == 1.0)
        assert r.runtime().errors == {}


async def test_a_killed_process_is_started_again_and_neighbours_notice_nothing(tmp_path: Path) -> None:
    write_echo(tmp_path)
    async with rig(tmp_path) as r:
        neighbour = Actor("near")
        r.live.process(LoadStrategy(neighbour.spec))
        link = r.load(module="echo")
        await r.remotes.tried()
        r.live.process(book(1))
        await r.signals(1)
        first = link.describe()["pid"]
        os.kill(first, signal.SIGKILL)
        await r.until(lambda: not link.is_connected)
        for step in range(2, 12):
            r.live.process(book(step))
        assert len(neighbour.seen) == 11
        assert strategy_state(r.live.engine, r.runtime()).metadata["*"]["process"] == "disconnected"
        assert link.missed_ticks == 10
        await r.until(lambda: link.is_connected)
        assert r.runtime().errors == {"disconnected": 1}
        await r.until(lambda: r.runtime().last_fault is not None)
        assert "its process was ended by signal 9" in r.runtime().last_fault.message  # type: ignore[union-attr]
        r.live.process(book(20))
        await r.signals(2)
        await r.until(lambda: link.describe()["strategy"].get("BTC", {}).get("position") == 2.0)
        assert link.describe()["pid"] != first


async def test_a_frozen_process_holds_nobody_up_and_its_old_answers_are_refused(tmp_path: Path) -> None:
    write_echo(tmp_path)
    async with rig(tmp_path) as r:
        link = r.load(module="echo", max_signal_age_ms=100)
        await r.remotes.tried()
        pid = link.describe()["pid"]
        os.kill(pid, signal.SIGSTOP)
        began = perf_counter()
        for step in range(1000):
            r.live.process(book(step))
        # Waiting a tenth of a second for each would take 100 s.
        assert perf_counter() - began < 50.0
        await r.until(lambda: link.describe()["process"] == "stalled")
        assert link.describe()["owed_for_ms"] > 1000
        await r.until(lambda: any("does not answer" in line.event for line in r.said))
        os.kill(pid, signal.SIGCONT)
        await r.signals(1000)
        engine = r.live.engine
        # Event time stands at step 999: ticks 899 and later are at most 100 ms old.
        assert engine.filtered_by == {"signal_age": 899}
        assert sum(engine.dispositions.values()) == engine.signals_generated == 1000
        assert r.live.filtered_counts["signal_age", "signal_too_old"] == 899
        await r.until(lambda: any("answers again" in line.event for line in r.said))


async def test_a_process_stuck_in_its_strategy_is_ended_and_started_again(tmp_path: Path) -> None:
    write_echo(tmp_path, code=ECHO.replace("os._exit(7)", "while True: pass"))
    async with rig(tmp_path, restart_after_s=1.5) as r:
        link = r.load(module="echo")
        await r.remotes.tried()
        first = link.describe()["pid"]
        r.live.process(book(1, 8500.5))
        await r.until(lambda: any("its process is ended and started again" in line.event for line in r.said))
        await r.until(lambda: link.is_connected and link.describe()["pid"] != first)
        r.live.process(book(2))
        await r.signals(1)
        assert r.runtime().is_active
        assert r.runtime().errors == {"disconnected": 1}


async def test_a_frozen_process_is_noticed_and_ended_in_time_although_it_was_just_asked_for_its_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Asked all the time, it has always been asked when it freezes; that answer is waited for 10 s.
    monkeypatch.setattr(sengine.adapters.remote.watch, "ASK_EVERY_S", 0.0)
    write_echo(tmp_path)
    async with rig(tmp_path, restart_after_s=1.5) as r:
        link = r.load(module="echo")
        await r.remotes.tried()
        os.kill(link.describe()["pid"], signal.SIGSTOP)
        frozen_s = monotonic()
        await r.until(lambda: link._watch._asked[1] > frozen_s)
        r.live.process(book(1))
        await r.until(lambda: r.runtime().last_fault is not None)
        assert monotonic() - frozen_s < 9.0
        fault = r.runtime().last_fault
        assert fault is not None
        assert re.match(r"no answer for 1\.\d s; its process was ended by signal 9", fault.message)


async def test_a_process_that_never_answers_pauses_its_strategy_however_long_each_try_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sengine.adapters.remote.link, "CRASHES_WITHIN_S", 0.0)
    monkeypatch.setattr(sengine.adapters.remote.link, "CRASHES", 2)
    write_echo(tmp_path, code=ECHO.replace("os._exit(7)", "while True: pass"))
    async with rig(tmp_path, restart_after_s=1.1) as r:
        link, step = r.load(module="echo"), 0
        await r.remotes.tried()
        r.live.process(book(step))
        await r.signals(1)

        def has_given_up() -> bool:
            nonlocal step
            step += 1
            if link.is_connected and link.owed_for_s == 0.0:
                r.live.process(book(step, 8500.5))
            return not r.runtime().is_active

        await r.until(has_given_up)
        reason = r.runtime().pause_reason
        assert reason.startswith("its process gave no answer 2 times in a row; resume starts it again; last: no answer")


COUNTS = ECHO.replace(
    "        def get_state(self):",
    """        def export_state(self):
            return {{"calls": self.calls}}

        def import_state(self, state, version):
            self.calls = state["calls"]

        def get_state(self):""",
)


async def test_a_process_started_again_has_the_state_that_the_old_one_declared(tmp_path: Path) -> None:
    write_echo(tmp_path, code=COUNTS)
    async with rig(tmp_path) as r:
        link = r.load(module="echo")
        await r.remotes.tried()
        for step in range(7):
            r.live.process(book(step))
        await r.signals(7)
        await r.until(lambda: link.describe()["strategy"].get("BTC", {}).get("calls") == 7)
        os.kill(link.describe()["pid"], signal.SIGKILL)
        await r.until(lambda: not link.is_connected)
        await r.until(lambda: link.is_connected)
        r.live.process(book(20))
        await r.signals(8)
        await r.until(lambda: link.describe()["strategy"].get("BTC", {}).get("calls") == 8)


async def test_when_too_many_wait_the_oldest_ticks_are_dropped_and_counted(tmp_path: Path) -> None:
    write_echo(tmp_path)
    async with rig(tmp_path) as r:
        link = r.load(module="echo")
        await r.remotes.tried()
        os.kill(link.describe()["pid"], signal.SIGSTOP)
        for step in range(6000):
            r.live.process(book(step))
        assert link.dropped_ticks == 6000 - 4096
        os.kill(link.describe()["pid"], signal.SIGCONT)
        await r.signals(4096)
        assert r.live.signals.history[-1].timestamp_ns == T0 + 5999 * MS


async def test_a_process_that_keeps_dying_pauses_its_strategy_until_it_is_resumed(tmp_path: Path) -> None:
    path = write_echo(tmp_path, code="import os\nos._exit(3)\n")
    async with rig(tmp_path) as r:
        link = r.load(module="echo")
        await r.until(lambda: not r.runtime().is_active)
        reason = r.runtime().pause_reason
        assert reason.startswith("its process failed 5 times within 60 s; resume starts it again; last: its process")
        assert "exit code 3" in reason
        assert link.describe()["process"] == "given up"
        write_echo(tmp_path)
        assert path.exists()
        r.live.process(ResumeStrategy("echo"))
        await r.until(lambda: link.is_connected)


async def test_a_process_that_dies_in_each_warm_up_is_paused_with_its_exit_code(tmp_path: Path) -> None:
    write_echo(tmp_path)
    async with rig(tmp_path, recent_ticks=5) as r:
        r.load(module="echo")
        await r.remotes.tried()
        r.live.process(book(1, mid=8500.0))
        await r.until(lambda: not r.runtime().is_active)
        assert r.runtime().pause_reason.endswith("; last: its process ended with exit code 7")
        reasons = {line.fields["reason"] for line in r.said if "cannot be used" in line.event}
        assert reasons == {"its process ended with exit code 7"}


async def test_what_is_no_signal_is_an_error_with_the_line_of_on_tick(tmp_path: Path) -> None:
    path = write_echo(tmp_path, code=ECHO.replace("return None", "return 5"))
    async with rig(tmp_path) as r:
        r.load(module="echo", config={"every": 2})
        await r.remotes.tried()
        r.live.process(book(1))
        await r.until(lambda: r.runtime().errors)
        fault = r.runtime().last_fault
        assert fault is not None
        assert (fault.kind, fault.message) == ("bad_return", "on_tick must return Signal, several or None, got int")
        assert fault.where == f"{path}:17"


async def test_a_file_that_does_not_load_shows_its_line(tmp_path: Path) -> None:
    write_echo(tmp_path, code="x = 1\ndef broken(:\n")
    async with rig(tmp_path) as r:
        link = r.load(module="echo")
        await r.remotes.tried()
        assert "echo.py:2: syntax error" in link.describe()["reason"]


async def test_errors_of_the_strategy_keep_their_line_and_their_kind(tmp_path: Path) -> None:
    path = write_echo(tmp_path)
    async with rig(tmp_path) as r:
        r.load(module="echo")
        await r.remotes.tried()
        r.live.process(book(1, mid=9500.0))
        await r.until(lambda: r.runtime().errors)
        fault = r.runtime().last_fault
        assert fault is not None
        assert (fault.kind, fault.message) == ("exception", "ValueError: too high: 9500.0")
        assert fault.where.startswith(f"{path}:")
        assert "on_tick" in fault.traceback


async def test_an_unloaded_strategy_takes_its_process_with_it(tmp_path: Path) -> None:
    write_echo(tmp_path)
    async with rig(tmp_path) as r:
        link = r.load(module="echo")
        await r.remotes.tried()
        pid = link.describe()["pid"]
        r.live.process(UnloadStrategy("echo"))
        await r.until(lambda: not is_alive(pid))
        assert r.remotes.links == {}


async def test_its_connection_shows_in_the_metrics(tmp_path: Path) -> None:
    write_echo(tmp_path)
    async with rig(tmp_path) as r:
        facts = ServiceStatus("test", remotes=r.remotes.links)
        r.load(module="echo")
        await r.remotes.tried()
        shown = {each.name: list(each.samples) for each in families(r.live, facts)}
        assert shown["sengine_remote_connected"] == [("", (("strategy_id", "echo"),), 1)]
        assert shown["sengine_remote_restarts_total"] == [("", (("strategy_id", "echo"),), 0)]


async def test_a_warm_up_fills_windows_and_trades_nothing(tmp_path: Path) -> None:
    write_echo(tmp_path)
    async with rig(tmp_path, recent_ticks=50) as r:
        near = Actor("near")
        r.live.process(LoadStrategy(near.spec))
        for step in range(30):
            r.live.process(book(step))
        link = r.load(module="echo")
        await r.remotes.tried()
        await r.until(lambda: link.describe()["strategy"].get("BTC", {}).get("calls") == 30)
        assert r.live.engine.signals_generated == 0
        r.live.process(book(31))
        await r.signals(1)
        assert r.live.signals.history[-1].timestamp_ns == T0 + 31 * MS


@pytest.mark.parametrize(
    ("keys", "mistake"),
    [
        ("address: 'unix:/tmp/x', module: echo", 'expected "address" or "module", found both'),
        ("type: python, address: 'unix:/tmp/x'", '"address" is for a strategy in its own process'),
        ("max_signal_age_ms: 0, module: x", "expected a number > 0"),
        ("module: ''", 'expected "plugin"'),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(tmp_path: Path, keys: str, mistake: str) -> None:
    path = tmp_path / "c.yaml"
    kind = "" if "type:" in keys else "type: grpc, "
    path.write_text(f"strategies:\n  - {{id: far, {kind}{keys}}}\n")
    with pytest.raises(ConfigError) as error:
        load_config(path)
    assert mistake in str(error.value)


@pytest.mark.parametrize(
    ("keys", "mistake"),
    [
        ({"address": "nowhere"}, "strategies.far.address: expected unix:/path or host:port"),
        ({"address": "10.1.2.3:50051"}, "10.1.2.3:50051 is on another machine, so tls_ca and token are required"),
        ({"address": "10.1.2.3:50051", "tls_ca": "ca.pem"}, "strategies.far.token: 10.1.2.3:50051"),
        ({"address": "127.0.0.1:1", "tls_ca": "no/ca.pem"}, 'strategies.far.tls_ca: cannot read "no/ca.pem"'),
        ({"address": "127.0.0.1:1", "tls_cert": "c.pem"}, "strategies.far.tls_ca: tls_cert is for TLS"),
    ],
)
async def test_an_address_that_is_not_safe_is_refused(tmp_path: Path, keys: dict[str, str], mistake: str) -> None:
    async with rig(tmp_path) as r:
        with pytest.raises(ConfigError) as error:
            r.remotes.spec(StrategyConfig(id="far", type="grpc", **keys))
        assert mistake in str(error.value)
        await asyncio.sleep(0)
