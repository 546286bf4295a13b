"""From the control API's messages to views: each field of a view is read from the message's field of the same name."""

from __future__ import annotations

import types
from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from sengine.adapters.control.views import View

V = TypeVar("V")

_readers: dict[type, Callable[[Any], Any]] = {}


def read(view: type[V], message: Any) -> V:
    """The view of a message of the API."""
    return _reader(view)(message)  # type: ignore[no-any-return]


def _reader(view: type) -> Callable[[Any], Any]:
    """Made once for each type; screens read ten snapshots a second."""
    found = _readers.get(view)
    if found is None:
        fields = [(name, _field(name, hint)) for name, hint in get_type_hints(view).items()]

        def found(message: Any) -> Any:
            return view(**{name: get(message) for name, get in fields})

        _readers[view] = found
    return found


def _field(name: str, hint: Any) -> Callable[[Any], Any]:
    get = attrgetter(name)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        present = _field(name, arguments[0])
        return lambda message: present(message) if message.HasField(name) else None
    if origin is tuple:
        if isinstance(arguments[0], type) and issubclass(arguments[0], View):
            each = _reader(arguments[0])
            return lambda message: tuple([each(item) for item in get(message)])
        return lambda message: tuple(get(message))
    if origin is dict:
        if arguments[1] is Any:
            text = attrgetter(f"{name}_json")
            return lambda message: msgspec.json.decode(text(message) or "{}")
        return lambda message: dict(get(message))
    if isinstance(hint, type) and issubclass(hint, View):
        inner = _reader(hint)
        return lambda message: inner(get(message))
    return get
