"""A ``Config`` from a file, the environment and overrides, or a ``ConfigError`` with every mistake in all of them."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import inspect

from sengine.config.convert import convert
from sengine.config.overrides import Layers
from sengine.config.own_files import own_file
from sengine.config.raw import Mistake, ScalarText, Unreadable, quoted, show_path, show_value
from sengine.config.references import resolve_references
from sengine.config.schema import Config
from sengine.config.yaml_text import MOST_CHARACTERS, YamlError, read_yaml
from sengine.errors import ConfigError
from sengine.printable import printable

_DEFAULTS: Final = "configuration"


def load_config(
    path: Path | None,
    *,
    overrides: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    more_strategies: Sequence[Mapping[str, Any]] = (),
) -> Config:
    """The configuration of a YAML file, of the defaults where ``path`` is ``None``.

    ``more_strategies`` are added to those of the file. Parameters in ``ID.yaml`` of ``plugins.config_directory``
    replace those of strategy ID, key by key. Over it all come ``SENGINE_...`` variables of ``environment``
    (the process's own where it is ``None``), and over those the ``KEY=VALUE`` items of ``overrides``. Raises
    ``ConfigError`` with all mistakes, and nothing else.
    """
    environment = os.environ if environment is None else environment
    source = _DEFAULTS if path is None else printable(str(path))
    tree: dict[str, Any] = {}
    mistakes: list[str] = []
    readable = True
    if path is not None:
        try:
            tree, found = _read(path, source)
            tree = {key: resolve_references(value, environment) for key, value in tree.items()}
            mistakes += [f"{source}: {mistake}" for mistake in found]
        except ConfigError as error:
            mistakes += error.mistakes
            readable = False
    listed = tree.setdefault("strategies", []) if more_strategies else None
    if isinstance(listed, list):
        listed.extend(dict(strategy) for strategy in more_strategies)
    bare_tree = copy.deepcopy(tree)
    layers, config, wrong = _layered(tree, readable, environment, overrides)
    own = _own_parameters(config, environment, mistakes) if isinstance(config, Config) and not wrong else {}
    if own:
        for strategy in bare_tree.get("strategies", ()):
            name = strategy["id"].text if isinstance(strategy["id"], ScalarText) else strategy["id"]
            strategy["config"] = (strategy.get("config") or {}) | own.get(name, {})
        layers, config, wrong = _layered(bare_tree, readable, environment, overrides)
    mistakes += [layers.sentence(mistake, source) for mistake in (*wrong, *_found_between(layers.tree))]
    mistakes += layers.mistakes
    if mistakes:
        raise ConfigError(list(dict.fromkeys(mistakes)))
    assert isinstance(config, Config)
    return config


def _layered(
    tree: dict[str, Any], readable: bool, environment: Mapping[str, str], overrides: Sequence[str]
) -> tuple[Layers, object, Sequence[Mistake]]:
    layers = Layers(tree, inspect.type_info(Config), complete=readable)
    layers.apply_environment(environment)
    layers.apply_overrides(overrides)
    config, wrong = convert(layers.tree, Config)
    return layers, config, wrong


def _own_parameters(config: Config, environment: Mapping[str, str], mistakes: list[str]) -> dict[str, dict[str, Any]]:
    """The parameters in ``ID.yaml`` of ``plugins.config_directory``, by strategy id, where there is such a file."""
    own: dict[str, dict[str, Any]] = {}
    for strategy in config.strategies:
        path = own_file(config.plugins, strategy.id)
        if not path.is_file():
            continue
        source = printable(str(path))
        try:
            tree, found = _read(path, source)
        except ConfigError as error:
            mistakes += error.mistakes
            continue
        mistakes += [f"{source}: {mistake}" for mistake in found]
        own[strategy.id] = {key: resolve_references(value, environment) for key, value in tree.items()}
    return own


def _read(path: Path, source: str) -> tuple[dict[str, Any], list[Mistake]]:
    """The raw values of the file. Raises ``ConfigError`` where it is unusable as a whole."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_CHARACTERS + 1)
    except FileNotFoundError:
        raise ConfigError([f"{source}: no such file; name a configuration file that exists"]) from None
    except IsADirectoryError:
        raise ConfigError([f"{source}: expected a configuration file, got a directory"]) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError([f"{source}: cannot be read: {printable(str(reason))}"]) from None
    if len(content) > MOST_CHARACTERS:
        raise ConfigError([f"{source}: expected a configuration file of at most {MOST_CHARACTERS} bytes, got more"])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        found = f"the byte 0x{content[error.start]:02x}"
        raise ConfigError([f"{source}:{line}: expected UTF-8 text, got {found}; save the file as UTF-8"]) from None
    try:
        tree, mistakes = read_yaml(text)
    except YamlError as error:
        place = f"{source}:{error.line}:{error.column}" if error.line else source
        raise ConfigError([f"{place}: {error.sentence}"]) from None
    if isinstance(tree, Unreadable):
        raise ConfigError([f"{source}: {tree.reason}"])
    if tree is None:
        return {}, mistakes
    if not isinstance(tree, dict):
        raise ConfigError([f"{source}: expected a mapping of sections such as nats and risk, got {show_value(tree)}"])
    return tree, mistakes


def _found_between(tree: dict[str, Any]) -> Iterator[Mistake]:
    """Mistakes that no key has on its own; on raw values, so that no other mistake hides them."""
    yield from _repeated_ids(tree)
    yield from _unknown_strategies(tree)


def _unknown_strategies(tree: dict[str, Any]) -> Iterator[Mistake]:
    """A mistake for every risk filter that is for a strategy which is not configured."""
    risk, strategies = tree.get("risk"), tree.get("strategies")
    filters = risk.get("filters") if isinstance(risk, dict) else None
    listed = strategies if isinstance(strategies, list) else []
    known = [_text(each.get("id")) for each in listed if isinstance(each, dict)]
    for index, each in enumerate(filters if isinstance(filters, list) else ()):
        name = _text(each.get("strategy")) if isinstance(each, dict) else ""
        if isinstance(name, str) and name and name not in known:
            configured = ", ".join(str(one) for one in known) or "none"
            place = ("risk", "filters", index, "strategy")
            yield Mistake(place, f"there is no strategy {quoted(name)}; configured: {configured}")


def _repeated_ids(tree: dict[str, Any]) -> Iterator[Mistake]:
    """A mistake for every strategy whose id an earlier one has; on raw values, so that no other mistake hides it."""
    strategies = tree.get("strategies")
    first: dict[str, int] = {}
    for index, strategy in enumerate(strategies if isinstance(strategies, list) else ()):
        name = _text(strategy.get("id")) if isinstance(strategy, dict) else None
        if not isinstance(name, str):
            continue
        if first.setdefault(name, index) != index:
            place = show_path(("strategies", first[name]))
            yield Mistake(("strategies", index, "id"), f"{quoted(name)} is the id of {place} already; ids are unique")


def _text(value: object) -> object:
    return value.text if isinstance(value, ScalarText) else value
