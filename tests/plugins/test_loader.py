"""Loading a strategy file: what is wrong with it is said with its file and line."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import pytest

from sengine.errors import ConfigError, PluginError
from sengine.plugins.loader import load_plugin, locate
from sengine.strategy import BaseStrategy

HEAD = "from sengine.strategy import BaseStrategy, Plugin, Signal\n"
QUIET = """
class Quiet(BaseStrategy):
    def on_tick(self, data):
        return None

def create_strategy():
    return Quiet("quiet")
"""


@pytest.fixture
def write(tmp_path: Path):
    def write(source: str | bytes, name: str = "mine.py") -> Path:
        path = tmp_path / name
        path.write_bytes(source if isinstance(source, bytes) else source.encode())
        return path

    return write


def refusal(path: Path) -> str:
    with pytest.raises(PluginError) as caught:
        load_plugin(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("source", "line", "words"),
    [
        ("x = 1\ndef broken(:\n    pass\n", 2, "syntax error: "),
        ("x = 1\n  y = 2\n", 2, "syntax error: unexpected indent"),
        (
            "import sengine\nimport no_such_module_at_all\n",
            2,
            'imports "no_such_module_at_all", which is neither a file beside it nor a module of this Python',
        ),
        ("\n\nvalue = 1 / 0\n", 3, "import failed: ZeroDivisionError: division by zero"),
        ("def f():\n    raise SystemExit(3)\n\nf()\n", 2, "import failed: SystemExit: 3"),
        ("raise SystemExit\n", 1, "import failed: SystemExit"),
        ("raise MemoryError\n", 1, "import failed: MemoryError"),
        (HEAD + "def create_strategy():\n    return 1 / 0\n", 3, "create_strategy() failed: ZeroDivisionError"),
        (HEAD + "class S(BaseStrategy):\n    pass\ndef create_strategy():\n    return S('s')\n", 5, "abstract"),
    ],
)
def test_what_fails_is_said_with_file_and_line(write, source: str, line: int, words: str) -> None:
    path = write(source)
    message = refusal(path)
    assert message.startswith(f"{path}:{line}: ")
    assert words in message
    assert not message.endswith((" ", ":"))


def test_a_constructor_that_raises_is_located_in_the_strategys_file(write) -> None:
    path = write(
        HEAD + QUIET.replace("    def on_tick", "    def __init__(self, name):\n        int(name)\n\n    def on_tick")
    )
    assert refusal(path).startswith(f"{path}:5: create_strategy() failed: ValueError: ")


@pytest.mark.parametrize("source", ["x = 1\n", "create_strategy = 3\n", ""])
def test_a_file_without_create_strategy_is_refused(write, source: str) -> None:
    path = write(source)
    assert refusal(path) == f"{path}: expected a function create_strategy() that returns the strategy, found none"


@pytest.mark.parametrize(("returned", "kind"), [("None", "NoneType"), ("'rsi'", "str"), ("BaseStrategy", "ABCMeta")])
def test_create_strategy_must_return_a_strategy(write, returned: str, kind: str) -> None:
    path = write(HEAD + f"def create_strategy():\n    return {returned}\n")
    assert refusal(path) == f"{path}: create_strategy() must return a sengine.strategy.BaseStrategy, got {kind}"


@pytest.mark.parametrize("content", [b"x = '\xff'\n", b"x = 1\x00\n"])
def test_a_file_that_is_no_python_text_is_a_plugin_error(write, content: bytes) -> None:
    path = write(content)
    assert refusal(path).startswith(str(path))
    assert ":None" not in refusal(path)


@pytest.mark.parametrize(("declared", "shown"), [("int", "got int"), ("{'period': 14}", "got {'period': 14}")])
def test_parameters_that_are_no_struct_are_refused(write, declared: str, shown: str) -> None:
    path = write(HEAD + QUIET.replace("    def on_tick", f"    parameters = {declared}\n\n    def on_tick"))
    words = refusal(path)
    assert words.startswith(f"{path}: parameters: expected a class derived from msgspec.Struct")
    assert words.endswith(shown)


def test_a_file_that_cannot_be_read_is_a_plugin_error(tmp_path: Path) -> None:
    assert refusal(tmp_path / "absent.py").endswith("absent.py: cannot be read: No such file or directory")
    assert "cannot be read" in refusal(tmp_path)


def test_a_file_of_another_kind_is_refused(write) -> None:
    path = write("hello", "notes.txt")
    assert refusal(path) == f"{path}: is not a Python file"


def test_a_failed_import_leaves_no_module_behind(write) -> None:
    before = set(sys.modules)
    refusal(write("import no_such_module_at_all\n"))
    refusal(write("def broken(:\n"))
    assert {name for name in set(sys.modules) - before if name.startswith("sengine_plugin")} == set()


def test_a_good_file_is_a_plugin_with_name_version_and_hash(write) -> None:
    path = write('"""Does nothing."""\n' + HEAD + 'plugin = Plugin("idle", "2.1.0", "does nothing")\n' + QUIET)
    plugin = load_plugin(path)
    assert (plugin.plugin.name, plugin.plugin.description, plugin.doc) == ("idle", "does nothing", "Does nothing.")
    assert plugin.version == f"2.1.0+{plugin.content_hash}"
    assert issubclass(plugin.strategy_type, BaseStrategy)


def test_a_file_without_a_plugin_record_is_called_by_its_name(write) -> None:
    plugin = load_plugin(write(HEAD + QUIET, "quiet_one.py"))
    assert (plugin.plugin.name, plugin.plugin.version) == ("quiet_one", "0.0.0")


def test_the_hash_follows_the_content(write) -> None:
    first = load_plugin(write(HEAD + QUIET))
    again = load_plugin(write(HEAD + QUIET, "other.py"))
    changed = load_plugin(write(HEAD + QUIET + "# changed\n"))
    assert first.content_hash == again.content_hash != changed.content_hash


def test_a_changed_file_is_loaded_anew_and_the_old_one_is_untouched(write) -> None:
    source = HEAD + "ANSWER = 1\n" + QUIET.replace("return None", "return ANSWER")
    old = load_plugin(write(source)).create("a", {}, "config")
    new = load_plugin(write(source.replace("ANSWER = 1", "ANSWER = 2"))).create("a", {}, "config")
    assert (old.on_tick(None), new.on_tick(None)) == (1, 2)  # type: ignore[arg-type]


def test_instances_carry_the_configured_id_and_their_configuration(write) -> None:
    source = HEAD + QUIET.replace(
        "    def on_tick", "    def initialize(self, config):\n        self.got = config\n\n    def on_tick"
    )
    strategy = load_plugin(write(source)).create("my_id", {"x": [1, "two"]}, "config")
    assert strategy.strategy_id == "my_id"
    assert strategy.got == {"x": [1, "two"]}  # type: ignore[attr-defined]


def test_an_initialize_that_raises_is_located_and_named(write) -> None:
    source = HEAD + QUIET.replace(
        "    def on_tick", "    def initialize(self, config):\n        config['window']\n\n    def on_tick"
    )
    path = write(source)
    with pytest.raises(PluginError) as caught:
        load_plugin(path).create("my_id", {}, "config")
    assert str(caught.value) == f"{path}:5: my_id could not start: KeyError: 'window'"


TYPED = """
import msgspec
class Parameters(msgspec.Struct, frozen=True):
    window: int = 20
    name: str = "x"

class Typed(BaseStrategy):
    parameters = Parameters
    def initialize(self, config):
        self.got = config
    def on_tick(self, data):
        return None

def create_strategy():
    return Typed("typed")
"""


def test_declared_parameters_are_typed_and_defaults_filled_in(write) -> None:
    strategy = load_plugin(write(HEAD + TYPED)).create("a", {"window": 5}, "config")
    assert (strategy.params.window, strategy.params.name) == (5, "x")
    assert strategy.got == {"window": 5, "name": "x"}  # type: ignore[attr-defined]


def test_all_mistakes_in_declared_parameters_are_told_at_once(write) -> None:
    plugin = load_plugin(write(HEAD + TYPED))
    with pytest.raises(ConfigError) as caught:
        plugin.create("a", {"window": "five", "nam": "y"}, "strategies.a.config")
    assert len(caught.value.mistakes) == 2
    assert all(mistake.startswith("strategies.a.config.") for mistake in caught.value.mistakes)
    assert any("window" in mistake and '"five"' in mistake for mistake in caught.value.mistakes)
    assert any('"name"' in mistake or "name" in mistake for mistake in caught.value.mistakes)


def test_an_error_that_never_was_in_the_file_is_located_at_the_file(tmp_path: Path) -> None:
    assert locate(ValueError(), tmp_path / "mine.py") == str(tmp_path / "mine.py")


def test_a_call_that_the_file_never_got_is_located_where_the_function_begins(write) -> None:
    plugin = load_plugin(write(HEAD + QUIET.replace("(self, data)", "(self)")))
    with pytest.raises(TypeError) as caught:
        plugin.create("a", {}, "config").on_tick(None)  # type: ignore[arg-type]
    assert locate(caught.value, plugin.path, plugin.strategy_type.on_tick) == f"{plugin.path}:4"


HELPED = HEAD + "import indicators\nfrom tools.numbers import two\n" + QUIET.replace(
    "return None", "from late import three\n        return indicators.ONE, two(), three"
)  # fmt: skip


@pytest.fixture
def helped(write, tmp_path: Path) -> Path:
    (tmp_path / "tools").mkdir()
    write("", "tools/__init__.py")
    write("from . import more\ndef two():\n    return more.TWO\n", "tools/numbers.py")
    write("TWO = 2\n", "tools/more.py")
    write("ONE = 1\n", "indicators.py")
    write("three = 3\n", "late.py")
    return write(HELPED)


def test_a_strategy_imports_helpers_from_its_own_folder(helped: Path) -> None:
    plugin = load_plugin(helped)
    assert plugin.create("a", {}, "config").on_tick(None) == (1, 2, 3)  # type: ignore[arg-type]
    assert {path.name for path in plugin.sources} == {
        "mine.py", "indicators.py", "__init__.py", "numbers.py", "more.py", "late.py",
    }  # fmt: skip


def test_versions_never_see_each_others_helpers(helped: Path, write) -> None:
    old = load_plugin(helped)
    write("ONE = 10\n", "indicators.py")
    new = load_plugin(helped)
    assert [each.create("a", {}, "config").on_tick(None)[0] for each in (old, new, old)] == [1, 10, 1]  # type: ignore
    assert not {"indicators", "tools", "tools.numbers", "late"} & set(sys.modules)


def test_a_changed_helper_changes_the_hash(helped: Path, write) -> None:
    old = load_plugin(helped)
    write("TWO = 22\n", "tools/more.py")
    assert load_plugin(helped).content_hash != old.content_hash


def test_known_contents_are_used_in_place_of_the_files(helped: Path) -> None:
    old = load_plugin(helped)
    old.create("a", {}, "config").on_tick(None)  # type: ignore[arg-type]
    for path in old.sources:
        path.write_text("1 / 0\n")
    again = load_plugin(helped, old.sources)
    assert again.create("a", {}, "config").on_tick(None) == (1, 2, 3)  # type: ignore[arg-type]
    assert again.content_hash == old.content_hash


def test_what_fails_in_a_helper_is_said_with_the_helpers_line(helped: Path, write) -> None:
    helper = write("x = 1\n1 / 0\n", "indicators.py")
    assert refusal(helped).startswith(f"{helper}:2: import failed: ZeroDivisionError")
    write("x = (\n", "indicators.py")
    assert refusal(helped).startswith(f"{helper}:1: syntax error: ")


def test_a_helper_that_is_missing_is_an_import_error(helped: Path, tmp_path: Path) -> None:
    (tmp_path / "tools" / "more.py").unlink()
    assert "cannot import name 'more'" in refusal(helped)


def test_a_helper_does_not_hide_the_standard_library(write) -> None:
    write("1 / 0\n", "statistics.py")
    load_plugin(write("import statistics\nstatistics.mean([1])\n" + HEAD + QUIET))


def test_modules_are_forgotten_with_the_last_instance(helped: Path) -> None:
    before = {name for name in sys.modules if name.startswith("sengine_plugin")}
    strategy = load_plugin(helped).create("a", {}, "config")
    gc.collect()
    assert strategy.on_tick(None) == (1, 2, 3)  # type: ignore[arg-type]
    del strategy
    gc.collect()
    assert {name for name in sys.modules if name.startswith("sengine_plugin")} <= before


def test_a_missing_module_is_named_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "wants_more.py"
    path.write_text("import json\nimport not_installed_anywhere\n")
    with pytest.raises(PluginError, match=r'wants_more\.py:2: imports "not_installed_anywhere", .* pip install'):
        load_plugin(path)


def test_the_executable_says_that_it_cannot_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    path = tmp_path / "wants_more.py"
    path.write_text("import not_installed_anywhere\n")
    with pytest.raises(PluginError, match="in this executable; run this strategy in a Python that has it"):
        load_plugin(path)
