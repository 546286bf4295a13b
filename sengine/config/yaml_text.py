"""YAML text into raw values. Whatever the text, the outcome is raw values and mistakes, or a ``YamlError``.

PyYAML scans, parses and composes; the values are built here, so that a key given twice, an alias that holds itself and
a tag nobody knows are mistakes with their place, and aliases cannot multiply into more than memory holds.
"""

from __future__ import annotations

from typing import Final

import yaml

from sengine.config.raw import Mistake, Path, Unreadable, quoted
from sengine.config.scalars import KINDS, has_surrogate, read_kind
from sengine.printable import printable

MOST_CHARACTERS: Final = 1 << 20
MOST_VALUES: Final = 100_000
DEEPEST: Final = 50

_TAG: Final = "tag:yaml.org,2002:"
_KIND_OF_TAG: Final = {kind.tag: kind for kind in KINDS}


class YamlError(Exception):
    """The text as a whole is unusable. ``line`` and ``column`` count from 1 and are 0 where no place is to blame."""

    def __init__(self, sentence: str, line: int = 0, column: int = 0) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.line = line
        self.column = column


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of ``scalars.KINDS`` in place of its own."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML's own name; filled below, never changed after


for _kind in KINDS:
    _Loader.add_implicit_resolver(_kind.tag, _kind.pattern, list(_kind.first) + [""] * (_kind is KINDS[0]))
_Loader.add_implicit_resolver(f"{_TAG}merge", yaml.SafeLoader.yaml_implicit_resolvers["<"][0][1], ["<"])


def read_yaml(text: str) -> tuple[object, list[Mistake]]:
    """The text's one document as raw values (``None`` where it is empty), with the mistakes in single keys."""
    if len(text) > MOST_CHARACTERS:
        raise YamlError(f"expected at most {MOST_CHARACTERS} characters, got {len(text)}")
    node = _compose(text)
    if node is None:
        return None, []
    build = _Build()
    return build.value(node, ()), build.mistakes


def _compose(text: str) -> yaml.Node | None:
    try:
        return _Loader(text).get_single_node()
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        column = len(before) - (before.rfind("\n") + 1) + 1
        sentence = f"not valid YAML: the character {quoted(chr(error.character))} is not allowed"
        raise YamlError(sentence, before.count("\n") + 1, column) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = printable(f"{error.problem or error.context}".replace("\n", " "))
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise YamlError(f"not valid YAML: {problem}", line, column) from None
    except RecursionError:
        raise YamlError(f"nested deeper than {DEEPEST} levels") from None
    except (ValueError, OverflowError):
        # PyYAML hands escapes such as "\UFFFFFFFF" and version numbers to chr() and int() unchecked.
        raise YamlError("not valid YAML: a number in an escape or a directive is out of range") from None


class _Build:
    """Raw values of a tree of nodes. Nothing is shared: an alias becomes values of its own."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []
        self._open: set[int] = set()
        self._values = 0

    def value(self, node: yaml.Node, path: Path) -> object:
        self._values += 1
        if self._values > MOST_VALUES:
            raise YamlError(f"expected at most {MOST_VALUES} values, with aliases written out")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if id(node) in self._open:
            return Unreadable(f"the value in {_line(node)} holds itself through an alias")
        if len(self._open) >= DEEPEST:
            return Unreadable(f"nested deeper than {DEEPEST} levels, in {_line(node)}")
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
                return self._mapping(node, path)
            if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
                return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
            return _unknown_tag(node)
        finally:
            self._open.remove(id(node))

    def _scalar(self, node: yaml.ScalarNode) -> object:
        if has_surrogate(node.value):
            return Unreadable(f"half of a character (a surrogate) in {_line(node)}")
        kind = _KIND_OF_TAG.get(node.tag)
        if kind is not None:
            return read_kind(kind, node.value)
        return node.value if node.tag in (f"{_TAG}str", f"{_TAG}merge") else _unknown_tag(node)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, object]:
        own: dict[str, object] = {}
        merged: dict[str, object] = {}
        line_of: dict[str, str] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or isinstance(self._scalar(key_node), Unreadable):
                self.mistakes.append(Mistake(path, f"expected a key of plain text in {_line(key_node)}"))
                continue
            key = key_node.value
            if key in line_of:
                self.mistakes.append(Mistake((*path, key), f"given twice, in {line_of[key]} and in {_line(key_node)}"))
                continue
            line_of[key] = _line(key_node)
            if key_node.tag == f"{_TAG}merge":
                merged = self._merged(value_node, path)
            else:
                own[key] = self.value(value_node, (*path, key))
        return {**merged, **own}

    def _merged(self, node: yaml.Node, path: Path) -> dict[str, object]:
        """The keys that ``<<`` brings in: of one mapping, or of a list of them, the first of which wins."""
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        merged: dict[str, object] = {}
        for source in sources:
            found = self.value(source, path)
            if not isinstance(found, dict):
                self.mistakes.append(Mistake(path, f"expected << in {_line(node)} to name mappings"))
                continue
            merged = {**found, **merged}
        return merged


def _unknown_tag(node: yaml.Node) -> Unreadable:
    tag = node.tag.replace(_TAG, "!!")
    return Unreadable(f"unknown tag {printable(tag[:60])} in {_line(node)}")


def _line(node: yaml.Node) -> str:
    return f"line {node.start_mark.line + 1}"
