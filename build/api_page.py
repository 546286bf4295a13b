"""docs/api.md from the comments of sengine/proto/*.proto: ``python build/api_page.py`` prints it.

tests/test_docs.py holds the page to it, and writes it with ``UPDATE_DOCS=1``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
# What most readers look for comes first.
PROTOS = ("engine", "execution", "strategy", "market_data")
TITLES = {
    "engine": "Control API",
    "execution": "Orders",
    "strategy": "Strategies in their own process",
    "market_data": "Market data messages",
}
# Field numbers of descriptor.proto, which is what the paths of comments are made of.
MESSAGES, ENUMS, SERVICES, MEMBERS, NESTED, SYNTAX = 4, 5, 6, 2, 3, 12

HEAD = """# Protocols

What the `.proto` files in `sengine/proto` say. This page is made from their comments. How to call the control API from
a shell is in [operations](operations.md#the-api), how to serve orders in [live trading](live.md#orders-out), and how to
serve a strategy in [strategies in their own process](remote-strategies.md). What the engine answers over HTTP is in
[operations](operations.md#the-api), too.
"""


class Comments:
    """The comment above each element of a file, by the element's path."""

    def __init__(self, file: FileDescriptorProto) -> None:
        self._by_path = {
            tuple(place.path): (place.leading_comments or place.trailing_comments, place.leading_detached_comments)
            for place in file.source_code_info.location
        }

    def of(self, *path: int) -> str:
        return _joined(self._by_path.get(path, ("", ()))[0])

    def of_file(self) -> str:
        comment, detached = self._by_path.get((SYNTAX,), ("", ()))
        return _joined(*detached, comment)


def _joined(*comments: str) -> str:
    """Paragraphs stay, lines are joined."""
    paragraphs = "\n\n".join(comments).replace("\n \n", "\n\n").split("\n\n")
    return "\n\n".join(" ".join(each.split()) for each in paragraphs if each.strip())


def render() -> str:
    """The whole page."""
    parts = [HEAD]
    for name in PROTOS:
        parts += _file(_described(name), TITLES[name])
    return "\n".join(parts).rstrip() + "\n"


def _described(name: str) -> FileDescriptorProto:
    with tempfile.NamedTemporaryFile() as target:
        source = f"sengine/proto/{name}.proto"
        words = ["protoc", f"-I{ROOT}", "--include_source_info", f"--descriptor_set_out={target.name}", source]
        if protoc.main(words):
            raise SystemExit(f"{source}: protoc cannot read it")
        return FileDescriptorSet.FromString(Path(target.name).read_bytes()).file[0]


def _file(file: FileDescriptorProto, title: str) -> Iterator[str]:
    comments = Comments(file)
    yield f"## {title}\n\n`{file.name}`, package `{file.package}`. {comments.of_file()}\n"
    for index, service in enumerate(file.service):
        yield from _service(service, comments, (SERVICES, index), file.package)
    for index, message in enumerate(file.message_type):
        yield from _message(message, comments, (MESSAGES, index), file.package)
    for index, enum in enumerate(file.enum_type):
        yield from _enum(enum, comments, (ENUMS, index))


def _service(service: ServiceDescriptorProto, comments: Comments, path: Sequence[int], package: str) -> Iterator[str]:
    yield (
        f"### Service {service.name}\n\n{comments.of(*path)}\n"
        if comments.of(*path)
        else f"### Service {service.name}\n"
    )
    yield "| call | takes | gives | |\n|---|---|---|---|"
    for index, call in enumerate(service.method):
        takes = ("stream of " if call.client_streaming else "") + f"`{_short(call.input_type, package)}`"
        gives = ("stream of " if call.server_streaming else "") + f"`{_short(call.output_type, package)}`"
        yield f"| `{call.name}` | {takes} | {gives} | {_cell(comments.of(*path, MEMBERS, index))} |"
    yield ""


def _message(message: DescriptorProto, comments: Comments, path: Sequence[int], package: str) -> Iterator[str]:
    if not message.field:
        return
    yield _heading(message.name, comments.of(*path))
    yield "| field | type | |\n|---|---|---|"
    maps = {each.name: each for each in message.nested_type if each.options.map_entry}
    for index, field in enumerate(message.field):
        about = _cell(comments.of(*path, MEMBERS, index))
        yield f"| `{field.name}` | {_type(field, message, maps, package)} | {about} |"
    yield ""
    for index, enum in enumerate(message.enum_type):
        yield from _enum(enum, comments, (*path, MESSAGES, index))


def _enum(enum: EnumDescriptorProto, comments: Comments, path: Sequence[int]) -> Iterator[str]:
    yield _heading(enum.name, comments.of(*path))
    yield "| value | number | |\n|---|---|---|"
    for index, value in enumerate(enum.value):
        yield f"| `{value.name}` | {value.number} | {_cell(comments.of(*path, MEMBERS, index))} |"
    yield ""


def _type(field: FieldDescriptorProto, message: DescriptorProto, maps: dict[str, DescriptorProto], package: str) -> str:
    entry = maps.get(field.type_name.rsplit(".", 1)[-1])
    if entry is not None:
        key, value = (_scalar(each, package) for each in entry.field)
        return f"map of `{key}` to `{value}`"
    name = f"`{_scalar(field, package)}`"
    if field.label == FieldDescriptorProto.LABEL_REPEATED:
        return f"list of {name}"
    if field.proto3_optional:
        return f"optional {name}"
    return f"{name}, one of `{message.oneof_decl[field.oneof_index].name}`" if field.HasField("oneof_index") else name


def _scalar(field: FieldDescriptorProto, package: str) -> str:
    if field.type_name:
        return _short(field.type_name, package)
    return FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()


def _short(name: str, package: str) -> str:
    return name.removeprefix(f".{package}.").removeprefix(".")


def _heading(name: str, about: str) -> str:
    return f"### {name}\n\n{about}\n" if about else f"### {name}\n"


def _cell(comment: str) -> str:
    return comment.replace("\n\n", " ").replace("|", "\\|")


if __name__ == "__main__":
    print(render(), end="")
