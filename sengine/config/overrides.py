"""What is set over the file: ``SENGINE_...`` environment variables, then ``--set KEY=VALUE``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import inspect

from sengine.build_form import PURE_VARIABLE
from sengine.config.expected import bare, without_null
from sengine.config.keys import UnknownItemError, UnknownKeyError, locate
from sengine.config.raw import Mistake, Path, ScalarText, nearest
from sengine.config.scalars import outside_text, plain_scalar
from sengine.config.single_values import SINGLE_TYPES
from sengine.config.yaml_text import YamlError, read_yaml
from sengine.printable import printable

PREFIX: Final = "SENGINE_"
_LONGEST_SHOWN: Final = 100


class Layers:
    """A raw configuration, the overrides put on it, and which of them each value came from."""

    def __init__(self, tree: dict[str, Any], info: inspect.Type, *, complete: bool = True) -> None:
        """``complete`` is False where the file could not be read: a list item may be missing for that reason."""
        self.tree = tree
        self.mistakes: list[str] = []
        self._info = info
        self._complete = complete
        self._source_of: dict[Path, str] = {}

    def apply_environment(self, environment: Mapping[str, str]) -> None:
        """Set the key of every ``SENGINE_`` variable; one that names no key is a mistake."""
        keys = environment_keys(self._info)
        for name in sorted(environment):
            if not name.startswith(PREFIX) or name == PURE_VARIABLE:
                continue
            source = f"environment {_shown(name)}"
            if name in keys:
                self._put(keys[name], outside_text(environment[name]), source)
            else:
                near = nearest(name.removeprefix(PREFIX), (known.removeprefix(PREFIX) for known in keys))
                hint = f"did you mean {PREFIX}{near}?" if near else "a key is written like SENGINE_NATS_URL"
                self.mistakes.append(f"{source}: unknown variable; {hint}")

    def apply_overrides(self, overrides: Sequence[str]) -> None:
        """Set the key of each ``KEY=VALUE``, the value being YAML."""
        for override in overrides:
            key, equals, text = override.partition("=")
            key = key.strip()
            source = f"--set {_shown(key)}"
            if not equals or not key:
                self.mistakes.append(f"{source}: expected KEY=VALUE, such as execution.latency_ms=5")
                continue
            try:
                value, mistakes = read_yaml(text)
            except YamlError as error:
                self.mistakes.append(f"{source}: {error.sentence}; quote the value if it is text")
                continue
            self.mistakes += [f"{source}: {mistake}" for mistake in mistakes]
            if isinstance(value, bool | int | float | None) and plain_scalar(text) == value:
                value = ScalarText(text.strip(), value)
            self._put(key, value, source)

    def sentence(self, mistake: Mistake, file: str) -> str:
        """The mistake in words, with the source of the value that it is about."""
        for length in range(len(mistake.path), 0, -1):
            source = self._source_of.get(mistake.path[:length])
            if source is not None:
                # The source already names the key that it sets.
                return f"{source}: {mistake.sentence if length == len(mistake.path) else mistake}"
        return f"{file}: {mistake}"

    def _put(self, key: str, value: object, source: str) -> None:
        try:
            path = locate(key, self._info, self.tree)
        except UnknownItemError as missing:
            if self._complete:
                self.mistakes.append(f"{source}: {missing}")
            return
        except UnknownKeyError as bad:
            self.mistakes.append(f"{source}: {bad}")
            return
        if path is None:
            return
        container: Any = self.tree
        for step in path[:-1]:
            container = container[step]
        container[path[-1]] = value
        self._source_of = {other: of for other, of in self._source_of.items() if other[: len(path)] != path}
        self._source_of[path] = source


def environment_keys(info: inspect.Type) -> dict[str, str]:
    """The key of each environment variable: ``SENGINE_NATS_TOPICS_FILLS`` is ``nats.topics.fills``.

    Only keys with a single value have one; what is in lists and in strategies' own parameters is for ``--set``.
    """
    return {PREFIX + key.replace(".", "_").upper(): key for key in _single_values(info, "")}


def _single_values(info: inspect.Type, key: str) -> Iterator[str]:
    match bare(without_null(info)):
        case inspect.StructType() as struct:
            for field in struct.fields:
                yield from _single_values(field.type, f"{key}.{field.encode_name}" if key else field.encode_name)
        case inspect.UnionType() as union if all(isinstance(bare(member), SINGLE_TYPES) for member in union.types):
            yield key
        case single if isinstance(single, SINGLE_TYPES):
            yield key


def _shown(key: str) -> str:
    return printable(key if len(key) <= _LONGEST_SHOWN else f"{key[:_LONGEST_SHOWN]}...")
