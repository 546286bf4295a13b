"""Loading one strategy file: import it under a private name, check the contract, make configured instances."""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from sengine.config import convert_parameters
from sengine.errors import ConfigError, PluginError
from sengine.strategy import BaseStrategy, Plugin

_private_names = itertools.count(1)


class LoadedPlugin(msgspec.Struct, frozen=True):
    """A strategy file that was imported and keeps the contract. ``version`` is the plugin's own plus a content hash."""

    path: Path
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
            strategy.initialize(full)
        except (Exception, SystemExit) as error:
            raise PluginError(f"{locate(error, self.path)}: {strategy_id} could not start: {_name(error)}") from error
        return strategy


def load_plugin(path: Path) -> LoadedPlugin:
    """Import the strategy at ``path`` and check its contract.

    Raises ``PluginError`` saying the file, the line and what was expected: a syntax error, an exception on import,
    no ``create_strategy``, one that does not return a ``BaseStrategy``, or ``parameters`` that are no ``Struct``.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PluginError(f"{path}: cannot be read: {error.strerror}") from error
    module = _import(path, content)
    create = getattr(module, "create_strategy", None)
    if not callable(create):
        raise PluginError(f"{path}: expected a function create_strategy() that returns the strategy, found none")
    try:
        strategy = create()
    except (Exception, SystemExit) as error:
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
    return LoadedPlugin(path, plugin, hashlib.sha256(content).hexdigest()[:12], create, type(strategy), doc)


def _import(path: Path, content: bytes) -> ModuleType:
    """Run the file as a module of its own: two loads of one file, or two files of one name, never meet."""
    name = f"sengine_plugin_{next(_private_names)}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"{path}: is not a Python file")
    module = importlib.util.module_from_spec(spec)
    # msgspec and dataclasses resolve annotations through sys.modules.
    sys.modules[name] = module
    try:
        # Compiled from the bytes that were hashed, never from a stale cache.
        exec(compile(content, str(path), "exec", dont_inherit=True), module.__dict__)
    except SyntaxError as error:
        del sys.modules[name]
        raise PluginError(f"{error.filename or path}:{error.lineno}: syntax error: {error.msg}") from error
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise PluginError(f"{locate(error, path)}: import failed: {_name(error)}") from error
    return module


def locate(error: BaseException, path: Path) -> str:
    """``file:line`` of the innermost frame in the strategy's own file, else the file."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename == str(path):
            return f"{path}:{frame.lineno}"
    return str(path)


def _shown(value: object) -> str:
    return value.__name__ if isinstance(value, type) else repr(value)[:100]


def _name(error: BaseException) -> str:
    if isinstance(error, ConfigError):
        return str(error)
    return f"{type(error).__name__}: {error}"
