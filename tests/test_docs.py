"""The documentation is true: what README.md and the pages of docs/ show is run, and what they name exists.

Fenced blocks, by what stands behind the fence:

- ``console``: lines with ``$ `` are commands, run in order in one folder for each page; lines below a command are its
  output, in full, where ``...`` stands for anything. Times and speeds may differ. ``console exit=2`` expects that code.
- ``python NAME``, ``yaml NAME``, ``csv NAME``: the file NAME of that folder. ``python`` alone is executed.
- ``diff NAME``: a change to that file.
- ``bash``: not run, because it installs; its make targets and sengine commands must exist.

``UPDATE_DOCS=1 pytest tests/test_docs.py`` writes outputs that have changed, and the tables of keys and metrics, into
the pages.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest
import yaml
from msgspec import inspect
from typer.main import get_command

from sengine.__main__ import main
from sengine.adapters.execution.stats import GatewayStats
from sengine.adapters.nats.stats import FeedStats
from sengine.adapters.store.keeper import StoreKeeper
from sengine.adapters.web.metrics import families
from sengine.assembly import build_engine
from sengine.cli import app
from sengine.config import Config, describe
from sengine.config.overrides import environment_keys
from sengine.config.risk_schema import Filter
from sengine.engine.risk.checks import CHECKS
from sengine.engine.risk.checks.basis import ContributionCheck
from sengine.engine.risk.limits import LIMITS
from sengine.runtime.live_engine import LiveEngine
from sengine.runtime.status import ServiceStatus

CHECKOUT = Path(__file__).resolve().parent.parent
CONFIGURATION = CHECKOUT / "docs" / "configuration.md"
RISK = CHECKOUT / "docs" / "risk.md"
METRICS = CHECKOUT / "docs" / "metrics-reference.md"
ALERTS = CHECKOUT / "docs" / "monitoring.md"
PROTOCOLS = CHECKOUT / "docs" / "api.md"
PAGES = [
    *(CHECKOUT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((CHECKOUT / "docs").rglob("*.md")),
]
UPDATING = os.environ.get("UPDATE_DOCS") == "1"

FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
KEYS_TABLE = re.compile(
    r"(?<=<!-- keys: written by UPDATE_DOCS=1 pytest tests/test_docs.py -->\n).*(?=<!-- end of keys)", re.S
)
METRICS_TABLE = re.compile(
    r"(?<=<!-- metrics: written by UPDATE_DOCS=1 pytest tests/test_docs.py -->\n).*(?=<!-- end of metrics)", re.S
)

ALERTS_TABLE = re.compile(
    r"(?<=<!-- alerts: written by UPDATE_DOCS=1 pytest tests/test_docs.py -->\n).*(?=<!-- end of alerts)", re.S
)
CHECKS_TABLE = re.compile(
    r"(?<=<!-- checks: written by UPDATE_DOCS=1 pytest tests/test_docs.py -->\n).*(?=<!-- end of checks)", re.S
)

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))


class Block(NamedTuple):
    language: str
    about: str
    text: str


def blocks(page: Path) -> Iterator[Block]:
    for match in FENCE.finditer(page.read_text("utf-8")):
        yield Block(match[1], match[2].strip(), match[3])


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text("utf-8"))


def inline_code(page: Path) -> list[str]:
    return [match[1] for match in INLINE.finditer(prose(page))]


def commands_in(console: str) -> Iterator[tuple[str, str]]:
    """Each command of a console block with the output shown below it."""
    assert console.startswith("$ "), f"a console block begins with a command, not with {console[:40]!r}"
    for part in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def run(command: str, folder: Path) -> tuple[int, str]:
    """Exit code and output of a command. sengine runs in this process, which saves half a second each."""
    words = shlex.split(command)
    variables = dict(word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word))
    words = words[len(variables) :]
    if words[0] != "sengine":
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        # pytest without plugins starts in a third of the time.
        environment = {**os.environ, "PATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        done = subprocess.run(
            command,
            shell=True,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode, done.stdout + done.stderr
    out = StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(out):
        patch.chdir(folder)
        patch.setattr(sys, "argv", words)
        for name, value in variables.items():
            patch.setenv(name, value)
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def steady(output: str) -> str:
    """The output without what differs from run to run: how long things took, and the columns that its width moves."""
    lines = []
    in_latencies = False
    for line in output.splitlines():
        in_latencies = bool(line.strip()) and (in_latencies or line.startswith("latency, us"))
        text = re.sub(r"\d[\d,.]* (ticks/s|s$)", r"N \1", line.rstrip())
        text = re.sub(r"in \d+\.\d+s", "in N s", text)
        lines.append(" ".join(re.sub(r"\d[\d,.]*", "N", text).split()) if in_latencies else text)
    return "".join(f"{line}\n" for line in lines)


def is_shown(shown: str, output: str) -> bool:
    pattern = ""
    for line in steady(shown).splitlines():
        escaped = re.escape(line).replace(re.escape("..."), "[^\n]*")
        pattern += r"(?:[^\n]*\n)*?" if line == "..." else f"{escaped}\n"
    return re.fullmatch(pattern, steady(output)) is not None


def apply_diff(diff: str, file: Path) -> None:
    before = "".join(line[1:] for line in diff.splitlines(keepends=True) if line[0] in " -")
    after = "".join(line[1:] for line in diff.splitlines(keepends=True) if line[0] in " +")
    text = file.read_text("utf-8")
    assert text.count(before) == 1, f"{file.name} does not hold the lines that the diff changes:\n{before}"
    file.write_text(text.replace(before, after), "utf-8")


@every_page
def test_what_a_page_shows_is_what_happens(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for name in [name for name in os.environ if name.startswith(("SENGINE_", "PYTEST_ADD", "FORCE_COLOR"))]:
        monkeypatch.delenv(name)
    for block in blocks(page):
        if block.language == "console":
            for command, shown in commands_in(block.text):
                exit_code, output = run(command, tmp_path)
                output = output.replace(str(tmp_path), "/home/you")
                assert exit_code == int(block.about.removeprefix("exit=") or 0), f"$ {command}\n{output}"
                if shown and not is_shown(shown, output):
                    if not UPDATING or "..." in shown:
                        pytest.fail(f"$ {command}\nshown:\n{shown}\nprinted (UPDATE_DOCS=1 writes it):\n{output}")
                    output = re.sub(r"[ \t]+$", "", output, flags=re.MULTILINE).rstrip("\n") + "\n"
                    text = page.read_text("utf-8")
                    page.write_text(text.replace(f"$ {command}\n{shown}", f"$ {command}\n{output}"), "utf-8")
        elif block.language == "diff":
            apply_diff(block.text, tmp_path / block.about)
        elif block.about:
            file = tmp_path / block.about
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, "utf-8")
        elif block.language == "python":
            exec(compile(block.text, f"{page.name} example", "exec"), {"__name__": "example"})
    for code in inline_code(page):
        if re.fullmatch(r"(sengine|replay|tui|strategies|configs|tests|docs|build)/[\w./-]*", code):
            assert (CHECKOUT / code).exists() or (tmp_path / code).exists(), f"{page.name} names {code}"


@every_page
def test_every_command_and_option_that_a_page_names_exists(page: Path) -> None:
    root = get_command(app)
    named = inline_code(page) + [
        line.split("#")[0].strip()
        for block in blocks(page)
        if block.language == "bash"
        for line in block.text.splitlines()
    ]
    known_options = set(options_of(root))
    targets = set(re.findall(r"^([a-z]+):", (CHECKOUT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for code in named:
        words = code.split()
        if words[:1] == ["make"]:
            asked = {word for word in words[1:] if "=" not in word}
            assert asked <= targets, f"{page.name} names {code}"
        elif words[:1] == ["sengine"]:
            check_command(root, words[1:], f"{page.name} names {code}")
        elif re.match(r"--?[a-z]", code) and code != "-h":
            assert words[0] in known_options, f"{page.name} names {code}"


def check_command(command: Any, words: list[str], place: str) -> None:
    for word in words:
        if word.startswith("-") and word != "-":
            assert word in {"-h", *(option for each in command.params for option in each.opts)}, place
        elif hasattr(command, "commands"):
            assert word in command.commands, place
            command = command.commands[word]


def options_of(command: Any) -> Iterator[str]:
    for parameter in command.params:
        yield from parameter.opts
    for child in getattr(command, "commands", {}).values():
        yield from options_of(child)


@every_page
def test_every_configuration_key_that_a_page_names_exists(page: Path) -> None:
    keys = {re.sub(r"\[\w*\]", "", field.name) for field in describe(Config)}
    keys |= {key.rsplit(".", depth)[0] for key in keys for depth in range(1, key.count(".") + 1)}
    sections = {key.split(".")[0] for key in keys}
    variables = environment_keys(inspect.type_info(Config))
    for code in inline_code(page):
        key = re.sub(r"\[\w*\]", "", re.split(r"[:= ]", code)[0])
        if re.fullmatch(r"market_data\.[^.]+\.(orderbook|trades|bars)", key):
            continue  # a subject of NATS
        if "." in key and key.split(".")[0] in sections and not key.endswith((".py", ".md", ".yaml")):
            free = re.sub(r"^strategies\.\w+(\.config)?(\.|$).*", r"strategies\1", key)
            assert key in keys or free in keys, f"{page.name} names the key {code}"
        if re.fullmatch(r"SENGINE_[A-Z_]*[A-Z]", code):
            assert code in variables, f"{page.name} names the variable {code}"


def test_the_configuration_page_lists_every_key_with_what_it_takes_and_its_default() -> None:
    rows = ["| key | takes | default | meaning |", "|---|---|---|---|"]
    for field in describe(Config):
        default = "required" if field.default is None else f"`{field.default}`"
        rows.append(f"| `{field.name}` | {field.expected} | {default} | {field.doc} |")
    hold_table(CONFIGURATION, KEYS_TABLE, rows)


def test_the_reference_of_metrics_lists_every_metric() -> None:
    live = LiveEngine(build_engine(Config()))
    store = StoreKeeper(CHECKOUT, CHECKOUT, lambda level, sentence: None)
    facts = ServiceStatus("docs", feed=FeedStats(), gateway=GatewayStats(), store=store)
    rows = ["| metric | kind | is |", "|---|---|---|"]
    rows += [f"| `{each.name}` | {each.kind} | {each.help} |" for each in families(live, facts)]
    hold_table(METRICS, METRICS_TABLE, rows)


def test_the_risk_page_lists_every_check() -> None:
    filters = {str(each.__struct_config__.tag): each for each in get_args(Filter)}
    rows = [
        "| type and keys | scope | refuses under the code, when | an order that reduces | source |",
        "|---|---|---|---|---|",
    ]
    for name, check in LIMITS.items():
        keys = [field.name for field in describe(filters[name]) if field.name not in ("strategy", "symbol")]
        codes = "; ".join(f"`{code}`: {when}" for code, when in check.codes.items())
        scope = "strategy" if issubclass(CHECKS[check], ContributionCheck) else "order"
        named = f"`{name}`" + (f": {', '.join(f'`{key}`' for key in keys)}" if keys else "")
        rows.append(f"| {named} | {scope} | {codes} | {check.reducing} | {check.source} |")
    hold_table(RISK, CHECKS_TABLE, rows)


def test_the_monitoring_page_lists_every_alert() -> None:
    (group,) = yaml.safe_load((CHECKOUT / "build" / "prometheus" / "alerts.yml").read_text("utf-8"))["groups"]
    rows = ["| alert | when | for | severity | means |", "|---|---|---|---|---|"]
    for rule in group["rules"]:
        about = re.sub(r"\{\{ \$labels\.(\w+) \}\}", r"\1", " ".join(rule["annotations"].values()))
        about = about.replace("The engine instance", "The engine").replace("instance", "the engine")
        since = rule.get("for", "at once")
        rows.append(f"| {rule['alert']} | `{rule['expr']}` | {since} | {rule['labels']['severity']} | {about} |")
    hold_table(ALERTS, ALERTS_TABLE, rows)


def test_the_page_of_the_protocols_is_made_of_their_comments() -> None:
    done = subprocess.run(
        [sys.executable, CHECKOUT / "build" / "api_page.py"], capture_output=True, text=True, check=True, timeout=60
    )
    if UPDATING:
        PROTOCOLS.write_text(done.stdout, "utf-8")
    assert PROTOCOLS.read_text("utf-8") == done.stdout, "UPDATE_DOCS=1 writes it"


def test_the_site_builds_without_a_warning_and_asks_nobody_else_for_anything(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", tmp_path / "site"],
        cwd=CHECKOUT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    loaded = re.compile(r"""(?:src|<link[^>]*href)=["']?(https?:)?//[^"'\s>]+""")
    for page in (tmp_path / "site").rglob("*.html"):
        assert not loaded.search(page.read_text("utf-8")), page.name
    for style in [*(tmp_path / "site").rglob("*.css"), *(tmp_path / "site").rglob("*.svg")]:
        assert not re.search(r"""url\(["']?http""", style.read_text("utf-8")), style.name


def hold_table(page: Path, place: re.Pattern[str], rows: list[str]) -> None:
    table = "\n".join(rows) + "\n"
    text = page.read_text("utf-8")
    if UPDATING:
        page.write_text(place.sub(lambda _: table, text), "utf-8")
    else:
        found = place.search(text)
        assert found is not None
        assert found[0] == table


@every_page
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for target in LINK.findall(prose(page)):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{page.name} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", prose(file), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{page.name} links to {target}"
