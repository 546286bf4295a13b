"""Files with secrets in them that other accounts of the machine can read."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from sengine.config.own_files import OWN_SUFFIX
from sengine.config.raw import ScalarText, show_path
from sengine.config.redact import holds_login, is_secret
from sengine.config.schema import Config
from sengine.config.yaml_text import YamlError, read_yaml
from sengine.printable import printable

# Keys that name a file which is a secret as a whole.
_SECRET_FILES: Final = frozenset({"tls_key", "nkey_seed_file", "credentials_file"})


def exposed_secrets(config: Config, file: Path | None) -> list[str]:
    """A sentence for each file that holds a secret and that others than its owner and group can read: the
    configuration's ``file``, those of single strategies, and the key files that it names."""
    own = Path(config.plugins.config_directory).expanduser()
    sentences = []
    for path in [*([file] if file else []), *(own / f"{each.id}{OWN_SUFFIX}" for each in config.strategies)]:
        keys = _literal_secrets(path) if _others_read(path) else []
        if keys:
            sentences.append(
                f"{printable(str(path))}: holds {', '.join(keys)} and can be read by others (mode {_mode(path):04o}); "
                "make it yours alone with chmod 600, or take secrets from the environment as ${NAME}"
            )
    for key, path in _named_files(config):
        if _others_read(path):
            sentences.append(
                f"{printable(str(path))}: {key} can be read by others (mode {_mode(path):04o}); "
                "make it yours alone with chmod 600"
            )
    return sentences


def _mode(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return 0


def _others_read(path: Path) -> bool:
    return bool(_mode(path) & stat.S_IROTH)


def _literal_secrets(path: Path) -> list[str]:
    """The keys of the file with a secret written out; a reference to the environment is none."""
    try:
        tree, _ = read_yaml(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, YamlError):
        return []
    return [show_path(place) for place in _secrets_in(tree, ())]


def _secrets_in(value: Any, place: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _secrets_in(each, (*place, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _secrets_in(each, (*place, index))
    else:
        single = value.text if isinstance(value, ScalarText) else value
        name = next((str(each) for each in reversed(place) if isinstance(each, str)), "")
        if isinstance(single, str) and "${" in single.replace("$${", ""):
            return
        if is_secret(name, single) or (isinstance(single, str) and holds_login(single)):
            yield place


def _named_files(value: Any, place: str = "") -> Iterator[tuple[str, Path]]:
    """Each file that is a secret as a whole, with its key."""
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from _named_files(each, f"{place}[{index}]")
    elif isinstance(value, msgspec.Struct):
        for field in msgspec.structs.fields(value):
            each, key = getattr(value, field.name), f"{place}.{field.encode_name}" if place else field.encode_name
            if field.name in _SECRET_FILES and each:
                yield key, Path(each).expanduser()
            else:
                yield from _named_files(each, key)
