"""Loading one strategy file: import it under a private name, check the contract, make configured instances."""

from __future__ import annotations

import hashlib
import os
import sys
import weakref
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from itertools import islice
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Final

import msgspec

from sengine.config import convert_parameters
from sengine.domain.market import DataKind
from sengine.engine.strategies.faults import describe_error, in_words, places_of
from sengine.engine.strategies.guard import Guard, Loading
from sengine.engine.strategies.plain_values import (
    PARAMETERS,
    NotPlainError,
    bounded_text,
    own_text,
    plain_dict,
    shown,
    type_name,
)
from sengine.errors import ConfigError, PluginError
from sengine.plugins.compiled import COMPILED_SUFFIXES, CompiledModule
from sengine.plugins.private_modules import PrivateModules
from sengine.printable import printable
from sengine.strategy import BaseStrategy, Plugin

_ROUTES: Final = ("vote", "direct")
_MOST_KINDS: Final = 10
_KINDS: Final = tuple(str(kind) for kind in DataKind)
_NOT_A_STRATEGY: Final = "create_strategy() must return a sengine.strategy.BaseStrategy"
_bases_of = type.__dict__["__mro__"].__get__
_SUFFIXES = (".py", *COMPILED_SUFFIXES)


class Declared(msgspec.Struct, frozen=True):
    """What a strategy's class asks for, as plain values."""

    route: str = "vote"
    market_data: tuple[str, ...] = ("book",)
    one_instance_per_symbol: bool = True

    @classmethod
    def of(cls, path: Path, kind: type[BaseStrategy]) -> Declared:
        """Raises ``PluginError`` for a route or events that there are not."""
        route, asked_for, named = kind.route, kind.market_data, list[str]()
        if not issubclass(type(asked_for), str) and issubclass(type(asked_for), Iterable):
            named = [_text(each) for each in islice(iter(asked_for), _MOST_KINDS)]
        if _text(route) not in _ROUTES:
            raise PluginError(f"{path}: route: expected vote or direct, got {shown(route)}")
        if not named or any(each not in _KINDS for each in named):
            given = f"({', '.join(map(shown, named))})" if named else shown(asked_for)
            raise PluginError(
                f'{path}: market_data: expected some of {", ".join(_KINDS)}, as in ("book",), got {given}'
            )
        return cls(_text(route), tuple(named), bool(kind.one_instance_per_symbol))


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
    parameters: type[msgspec.Struct] | None = None
    """What its parameters are, where it says so."""
    declared: Declared = Declared()

    @property
    def version(self) -> str:
        return f"{self.plugin.version}+{self.content_hash}"

    def prepare(self, config: dict[str, Any], place: str) -> tuple[Any, dict[str, Any]]:
        """Typed parameters and the full configuration, defaults filled in, as plain values that are shared with
        nobody. A strategy that declares no parameters gets its configuration as written. Call it inside the guard.

        Raises ``ConfigError`` with all mistakes under ``place``, ``PluginError`` where declaring them fails.
        """
        declared = self.parameters
        if declared is None:
            return None, deepcopy(config)
        try:
            params = convert_parameters(config, declared, place)
            return params, plain_dict(msgspec.structs.asdict(params), place, PARAMETERS)
        except ConfigError:
            raise
        except NotPlainError as error:
            raise PluginError(f"{self.path}: parameters must be plain values: {error}") from error
        except Exception as error:
            raise PluginError(f"{locate(error, self.path)}: parameters: {printable(describe_error(error))}") from error

    def create(self, strategy_id: str, config: dict[str, Any], place: str) -> BaseStrategy:
        """One configured instance. Call it inside the guard. Raises ``ConfigError`` or ``PluginError`` with file, line
        and what was wrong."""
        params, full = self.prepare(config, place)
        try:
            strategy = self.create_strategy()
            is_one = _is_strategy(strategy)
            if is_one:
                strategy.strategy_id = strategy_id
                strategy.params = params
                strategy.loaded_from = self
                strategy.initialize(full)
        except (Exception, SystemExit) as error:
            said = str(error) if type(error) is ConfigError else printable(describe_error(error))
            raise PluginError(f"{locate(error, self.path)}: {strategy_id} could not start: {said}") from error
        if not is_one:
            raise PluginError(f"{self.path}: {_NOT_A_STRATEGY}, got {type_name(type(strategy))}")
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
    """What the module keeps of the contract. Even looking for a name in it may run its code."""
    try:
        with guard.calling(callee, has_patience=True):
            create = getattr(module, "create_strategy", None)
            if not callable(create):
                raise PluginError(
                    f"{path}: expected a function create_strategy() that returns the strategy, found none"
                )
            try:
                strategy = create()
            except Exception as error:
                said = printable(describe_error(error))
                raise PluginError(f"{locate(error, path)}: create_strategy() failed: {said}") from error
            return _loaded(path, module, modules, create, strategy)
    except BaseException as error:
        guard.contain(error)
        if type(error) is PluginError and all(type(each) is str for each in error.args):
            raise
        said, _ = in_words(guard, callee, error)
        raise PluginError(f"{locate(error, path)}: create_strategy() failed: {said}") from error


def _loaded(
    path: Path,
    module: ModuleType,
    modules: PrivateModules | CompiledModule,
    create: Callable[[], BaseStrategy],
    strategy: object,
) -> LoadedPlugin:
    """Everything that its class and module say of it, as plain values."""
    if not _is_strategy(strategy):
        raise PluginError(f"{path}: {_NOT_A_STRATEGY}, got {type_name(type(strategy))}")
    kind: type[BaseStrategy] = type(strategy)  # type: ignore[assignment]
    declared: object = kind.parameters
    if declared is not None and not (isinstance(declared, type) and issubclass(declared, msgspec.Struct)):
        raise PluginError(
            f"{path}: parameters: expected a class derived from msgspec.Struct, or nothing, got {_shown(declared)}"
        )
    given = getattr(module, "plugin", None)
    plugin = Plugin(path.stem.split(".", 1)[0])
    if issubclass(type(given), Plugin):
        plugin = Plugin(*(_text(getattr(given, name)) for name in Plugin.__struct_fields__))
    doc = _text(module.__doc__ or kind.__doc__ or "").strip()
    return LoadedPlugin(
        path,
        modules.sources,
        plugin,
        content_hash(modules.sources),
        create,
        kind,
        doc,
        kind.parameters,
        Declared.of(path, kind),
    )


def _is_strategy(value: object) -> bool:
    return BaseStrategy in _bases_of(type(value))


def _text(value: object) -> str:
    """What a module says in words, as a plain text on one page."""
    return bounded_text(value) if issubclass(type(value), str) else shown(value)  # type: ignore[arg-type]


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
    except BaseException as error:
        guard.contain(error)
        raise PluginError(_why_not_imported(error, path, modules, guard, callee)) from error


def _why_not_imported(
    error: BaseException,
    path: Path,
    modules: PrivateModules | CompiledModule,
    guard: Guard,
    callee: Loading,
) -> str:
    """By the exact types: an error of the strategy's own may be made of its code."""
    kind = type(error)
    if kind in (SyntaxError, IndentationError, TabError):
        assert isinstance(error, SyntaxError)
        # Of a file that is no text at all Python knows no line.
        line = f":{error.lineno}" if type(error.lineno) is int and error.lineno else ""
        return f"{_text(error.filename or str(path))}{line}: syntax error: {_text(error.msg)}"
    if isinstance(error, OSError) and not modules.sources:
        return f"{path}: cannot be read: {error.strerror}"
    if kind is ModuleNotFoundError:
        assert isinstance(error, ModuleNotFoundError)
        return f"{locate(error, path)}: {_missing(_text(error.name))}"
    said, _ = in_words(guard, callee, error)
    return f"{locate(error, path)}: import failed: {printable(said)}"


def _missing(name: str) -> str:
    """What to do about a module that a strategy imports and that is not here."""
    missing = f'imports "{name}", which is neither a file beside it nor'
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
    own = [f"{file}:{line}" for file, line in places_of(error) if file.startswith(folder)]
    if own:
        return own[-1]
    return beginning(called, path) if called is not None else str(path)


def beginning(function: Callable[..., object], path: Path) -> str:
    """``file:line`` where a function in the folder of ``path`` begins, else the file."""
    code = function.__code__ if type(function) is FunctionType else None
    if code is None or not own_text(code.co_filename).startswith(f"{path.parent}{os.sep}"):
        return str(path)
    return f"{own_text(code.co_filename)}:{code.co_firstlineno}"


def _shown(value: object) -> str:
    """Inside the guard."""
    return type_name(value) if isinstance(value, type) else bounded_text(repr(value), 100)
