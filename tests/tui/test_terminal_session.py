"""The product in a real terminal, as an operator uses it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

from replay.sample import write_sample
from tests.patience import PATIENCE_S
from tests.tui.terminal import Terminal, needs_tmux

pytestmark = needs_tmux
SENGINE = f"{sys.executable} -m sengine"


def gone(terminal: Terminal, part: str) -> None:
    end_s = monotonic() + PATIENCE_S
    while terminal.processes(part):
        assert monotonic() < end_s, f"still there: {terminal.processes(part)}"
        sleep(0.02)


def test_a_demo_is_started_paused_reloaded_killed_rearmed_detached_attached_and_stopped(tmp_path: Path) -> None:
    with Terminal(tmp_path) as terminal:
        terminal.run(f"{SENGINE} demo; echo ended=$?")
        terminal.until("trading", "active", "1 Strategies")
        terminal.keys("p")
        terminal.until("paused")
        terminal.keys("r")
        terminal.until("is active")
        terminal.keys("l")
        terminal.until("reload")
        terminal.keys("K")
        terminal.until("Kill switch", "Stops new orders")
        terminal.keys("y")
        terminal.until("KILL SWITCH ON", "KILLED")
        terminal.keys("A")
        terminal.until("Orders go out again")
        terminal.keys("y")
        terminal.until("trading", gone="KILL SWITCH ON")
        terminal.keys("q")
        terminal.until("Leave the screens")
        terminal.keys("d")
        told = terminal.until("the engine goes on").replace("\n", "")
        attach = re.search(r"`sengine (attach [^`]+)`", told)
        assert attach is not None
        directory = attach[1].removeprefix("attach unix:").removesuffix("/engine.sock")
        assert terminal.processes(directory)
        other = tmp_path / "second"
        other.mkdir()
        with Terminal(other) as second:
            second.run(f"{SENGINE} {attach[1]}; echo left=$?")
            second.until("trading", "active")
            second.keys("q")
            second.until("left=0")
        terminal.keys("C-c")
        terminal.until("ended=0")
        gone(terminal, directory)


def test_leaving_with_stop_ends_the_engine_and_all_its_children(tmp_path: Path) -> None:
    with Terminal(tmp_path, 120, 40) as terminal:
        terminal.run(f"{SENGINE} demo; echo left=$?")
        screen = terminal.until("trading")
        address = re.search(r"unix:(\S+)/engine.sock", screen)
        assert address is not None
        terminal.keys("q")
        terminal.until("Stop engine")
        terminal.keys("s")
        terminal.until("left=0")
        gone(terminal, address[1])


def test_an_engine_outlives_the_terminal_that_it_was_started_in(tmp_path: Path) -> None:
    project = tmp_path / "project"
    subprocess.run([sys.executable, "-m", "sengine", "init", project], check=True, stdout=subprocess.DEVNULL)
    start = f"{SENGINE} run -c {project}/sengine.yaml --set service.port=0"
    (project / "Makefile").write_text(f"run:\n\t{start}\n")
    # Make takes a terminal's end as no reason to tell those that it has started.
    socket, engine = f"unix:{project}/data/engine.sock", [sys.executable, "-m", "sengine"]
    for number, command in enumerate((start, "make run")):
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            with Terminal(folder) as terminal:
                terminal.run(f"cd {project}; {command}")
                terminal.until("no market data yet", "active")
            assert "ready" in subprocess.check_output([*engine, "status", "--address", socket], encoding="utf-8")
        finally:
            subprocess.run([*engine, "stop", "--address", socket], stdout=subprocess.DEVNULL)
        assert f"the terminal is gone; sengine attach {socket}" in (project / "data" / "engine.log").read_text()
        gone(terminal, str(project))


def test_a_demo_ends_with_its_terminal(tmp_path: Path) -> None:
    with Terminal(tmp_path, 120, 40) as terminal:
        terminal.run(f"{SENGINE} demo")
        screen = terminal.until("trading")
        address = re.search(r"unix:(\S+)/engine.sock", screen)
        assert address is not None
    gone(terminal, address[1])


def test_screens_are_drawn_where_standard_error_leads_elsewhere(tmp_path: Path) -> None:
    with Terminal(tmp_path, 120, 40) as terminal:
        terminal.run(f"{SENGINE} demo 2>said; echo left=$?")
        screen = terminal.until("trading", "1 Strategies")
        address = re.search(r"unix:(\S+)/engine.sock", screen)
        assert address is not None
        terminal.keys("q")
        terminal.until("Stop engine")
        terminal.keys("s")
        terminal.until("left=0", gone="1 Strategies")
        assert "\x1b" not in (tmp_path / "said").read_text()
        gone(terminal, address[1])


def test_a_replay_is_paused_stepped_finished_and_its_result_printed(tmp_path: Path) -> None:
    write_sample(tmp_path / "market.csv", 20_000, ["BTCUSDT"], 7)
    with Terminal(tmp_path, 120, 50) as terminal:
        terminal.run(f"{SENGINE} replay market.csv | tail -1 > plain; echo done")
        terminal.until("done\n")
        terminal.run(f"clear; {SENGINE} replay market.csv --tui --speed 1x; echo left=$?")
        terminal.until("▶ replay  1x", "momentum")
        terminal.keys("Space")
        terminal.until("paused")
        terminal.keys("n", "+")
        terminal.until("paused  2x")
        terminal.keys("q")
        terminal.until("Finish (f)")
        terminal.keys("f")
        screen = terminal.until("left=0")
        assert (tmp_path / "plain").read_text().strip() in screen.replace("\n", "")
        gone(terminal, "--serve unix:")


def test_a_screen_that_is_resized_and_left_is_found_again_as_it_was(tmp_path: Path) -> None:
    write_sample(tmp_path / "market.csv", 5_000, ["BTCUSDT"], 7)
    with Terminal(tmp_path) as terminal:
        terminal.run(f"{SENGINE} replay market.csv --tui --speed max >/dev/tty; echo left=$?")
        terminal.until("replayed", "2 Positions", gone="4 P&L")
        for width, height, text in ((120, 40, "4 P&L"), (200, 60, "8 Markets"), (60, 20, "1 Strategies")):
            terminal.resize(width, height)
            screen = terminal.until(text, "╯\n")
            assert max(map(len, screen.splitlines())) <= width
        terminal.resize(80, 24)
        terminal.keys("t", "2", "m")
        terminal.until("2 Positions", gone="1 Strategies")
        terminal.keys("q")
        terminal.until("left=0")
        terminal.run(f"clear; {SENGINE} replay market.csv --tui --speed max; echo again=$?")
        terminal.until("replayed", "2 Positions", gone="1 Strategies")
        terminal.keys("Escape")
        terminal.until("1 Strategies")
        terminal.keys("q")
        terminal.until("again=0")
    preferences = (tmp_path / "config" / "sengine" / "screens.json").read_text()
    assert "sengine-light" in preferences


def test_no_color_draws_without_any(tmp_path: Path) -> None:
    write_sample(tmp_path / "market.csv", 2_000, ["BTCUSDT"], 7)
    with Terminal(tmp_path, NO_COLOR="1") as terminal:
        terminal.run(f"{SENGINE} replay market.csv --tui --speed max")
        terminal.until("replayed", "momentum")
        styles = re.findall(r"\x1b\[([0-9;]*)m", terminal.screen(with_style=True))
        colours = {r for style in styles for r in re.findall(r"(?:38|48);2;(\d+);(\d+);(\d+)", style)}
        assert all(red == green == blue for red, green, blue in colours), colours
        terminal.keys("q")
        terminal.until("digest")
