"""Loading one strategy file: import it under a private name, check the contract, make configured instances."""

from __future__ import annotations

import hashlib
import os
import sys
import traceback
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from sengine.config import convert_parameters
from sengine.engine.strategies.faults import describe_error
from sengine.engine.strategies.guard import Guard, Loading
from sengine.errors import ConfigError, PluginError
from sengine.plugins.compiled import COMPILED_SUFFIXES, CompiledModule
from sengine.plugins.private_modules import PrivateModules
from sengine.strategy import BaseStrategy, Plugin

_SUFFIXES = (".py", *COMPILED_SUFFIXES)


class LoadedPlugin(msgspec.Struct, frozen=True, weakref=True):
    """A strategy file that was imported and keeps the contract. ``version`` is the plugin's own plus a content hash.

    ``sources`` are the contents that it was made from: its file and the helpers that it imported. Its modules are
    forgotten with it; every instance keeps it.
    """

    path: Path
    sources: Mapping[Path, bytes]
    plugin: Plugin
    content_hash: str
    create_strategy: Callable[[], BaseStrategy]
    strategy_type: type[BaseStrategy]
    doc: str

    @property
    def version(self) -> str:
        return f"{self.plugin.version}+{self.content_hash}"

    def prepare(self, config: dict[str, Any], place: str) -> tuple[Any, dict[str, Any]]:
        """Typed parameters and the full configuration, defaults filled in. Raises ``ConfigError`` with all mistakes
        under ``place``. A strategy that declares no parameters gets its configuration as written."""
        declared = self.strategy_type.parameters
        if declared is None:
            return None, dict(config)
        params = convert_parameters(config, declared, place)
        return params, msgspec.structs.asdict(params)

    def create(self, strategy_id: str, config: dict[str, Any], place: str) -> BaseStrategy:
        """One configured instance. Raises ``ConfigError`` or ``PluginError`` with file, line and what was wrong."""
        params, full = self.prepare(config, place)
        try:
            strategy = self.create_strategy()
            strategy.strategy_id = strategy_id
            strategy.params = params
            strategy.loaded_from = self
            strategy.initialize(full)
        except (Exception, SystemExit) as error:
            raise PluginError(f"{locate(error, self.path)}: {strategy_id} could not start: {_name(error)}") from error
        return strategy


def load_plugin(
    path: Path,
    known: Mapping[Path, bytes] | None = None,
    code: Mapping[Path, bytes] | None = None,
    *,
    guard: Guard | None = None,
    strategy_id: str = "",
) -> LoadedPlugin:
    """Import the strategy at ``path`` and check its contract. ``known`` has contents to use in place of files',
    ``code`` what ``compiled_code`` made of them. Its code is called for ``strategy_id`` under ``guard``, which may have
    it cut short, and which says what is not the strategy's doing: ``KeyboardInterrupt`` alone where there is none.

    Raises ``PluginError`` saying the file, the line and what was expected: a syntax error, an exception on import,
    no ``create_strategy``, one that does not return a ``BaseStrategy``, or ``parameters`` that are no ``Struct``.
    """
    guard, callee = guard or Guard(), Loading(strategy_id)
    is_compiled = path.suffix in COMPILED_SUFFIXES
    modules = CompiledModule(path, known or {}) if is_compiled else PrivateModules(path, known or {}, code or {})
    try:
        loaded = _checked(path, _import(path, modules, guard, callee), modules, guard, callee)
    except BaseException:
        modules.forget()
        raise
    weakref.finalize(loaded, modules.forget)
    return loaded


def _checked(
    path: Path, module: ModuleType, modules: PrivateModules | CompiledModule, guard: Guard, callee: Loading
) -> LoadedPlugin:
    create = getattr(module, "create_strategy", None)
    if not callable(create):
        raise PluginError(f"{path}: expected a function create_strategy() that returns the strategy, found none")
    try:
        with guard.calling(callee, has_patience=True):
            strategy = create()
    except BaseException as error:
        guard.contain(error)
        raise PluginError(f"{locate(error, path)}: create_strategy() failed: {_name(error)}") from error
    if not isinstance(strategy, BaseStrategy):
        raise PluginError(
            f"{path}: create_strategy() must return a sengine.strategy.BaseStrategy, got {type(strategy).__name__}"
        )
    declared: object = type(strategy).parameters
    if declared is not None and not (isinstance(declared, type) and issubclass(declared, msgspec.Struct)):
        raise PluginError(
            f"{path}: parameters: expected a class derived from msgspec.Struct, or nothing, got {_shown(declared)}"
        )
    plugin = getattr(module, "plugin", None)
    if not isinstance(plugin, Plugin):
        plugin = Plugin(path.stem.split(".", 1)[0])
    doc = (module.__doc__ or type(strategy).__doc__ or "").strip()
    hashed = content_hash(modules.sources)
    return LoadedPlugin(path, modules.sources, plugin, hashed, create, type(strategy), doc)


def content_hash(sources: Mapping[Path, bytes]) -> str:
    """Twelve hexadecimal digits that tell contents apart; of one file they are those of its SHA-256."""
    digests = [hashlib.sha256(sources[path]).digest() for path in sorted(sources)]
    return (digests[0] if len(digests) == 1 else hashlib.sha256(b"".join(digests)).digest()).hex()[:12]


def _import(path: Path, modules: PrivateModules | CompiledModule, guard: Guard, callee: Loading) -> ModuleType:
    """Run the file as a module of its own: two loads of one file, or two files of one name, never meet."""
    if path.suffix not in _SUFFIXES and path.is_file():
        raise PluginError(f"{path}: is not a Python file")
    try:
        with guard.calling(callee, has_patience=True):
            return modules.run_main()
    except SyntaxError as error:
        # Of a file that is no text at all Python knows no line.
        line = f":{error.lineno}" if error.lineno else ""
        raise PluginError(f"{error.filename or path}{line}: syntax error: {error.msg}") from error
    except OSError as error:
        if not modules.sources:
            raise PluginError(f"{path}: cannot be read: {error.strerror}") from error
        raise PluginError(f"{locate(error, path)}: import failed: {_name(error)}") from error
    except ModuleNotFoundError as error:
        raise PluginError(f"{locate(error, path)}: {_missing(error)}") from error
    except BaseException as error:
        guard.contain(error)
        raise PluginError(f"{locate(error, path)}: import failed: {_name(error)}") from error


def _missing(error: ModuleNotFoundError) -> str:
    """What to do about a module that a strategy imports and that is not here."""
    missing = f'imports "{error.name}", which is neither a file beside it nor'
    if getattr(sys, "frozen", False):
        return (
            f"{missing} in this executable; run this strategy in a Python that has it (`sengine strategy-host`, "
            "type: grpc), or sengine itself, which is a Python package as well"
        )
    return f"{missing} a module of this Python; install it with `{sys.executable} -m pip install`"


def locate(error: BaseException, path: Path, called: Callable[..., object] | None = None) -> str:
    """``file:line`` of the innermost frame in the strategy's own file or its helpers; of what never got that far, where
    the function that was ``called`` begins, else the file."""
    folder = f"{path.parent}{os.sep}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.startswith(folder):
            return f"{frame.filename}:{frame.lineno}"
    return beginning(called, path) if called is not None else str(path)


def beginning(function: Callable[..., object], path: Path) -> str:
    """``file:line`` where a function in the folder of ``path`` begins, else the file."""
    code = getattr(function, "__code__", None)
    if code is None or not code.co_filename.startswith(f"{path.parent}{os.sep}"):
        return str(path)
    return f"{code.co_filename}:{code.co_firstlineno}"


def _shown(value: object) -> str:
    return value.__name__ if isinstance(value, type) else repr(value)[:100]


def _name(error: BaseException) -> str:
    return str(error) if isinstance(error, ConfigError) else describe_error(error)
