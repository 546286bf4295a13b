"""Where a strategy's parameter is written: in the strategy's own file, where that has it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from sengine.config.schema import PluginsConfig, StrategyConfig
from sengine.printable import printable

OWN_SUFFIX: Final = ".yaml"
_PLACE: Final = re.compile(r"(?:[^\s:]*: )?strategies\.(?P<id>[A-Za-z0-9_-]+)\.config\.(?P<key>[^\s.:\[]+)")


def own_file(plugins: PluginsConfig, strategy_id: str) -> Path:
    """``ID.yaml`` of ``plugins.config_directory``, whether or not it exists."""
    return Path(plugins.config_directory).expanduser() / f"{strategy_id}{OWN_SUFFIX}"


def in_own_files(sentence: str, plugins: PluginsConfig, strategies: Sequence[StrategyConfig]) -> str:
    """The sentence, with ``strategies.ID.config.KEY`` as ``FILE: KEY`` where the value in force is that file's."""
    values = {strategy.id: strategy.config for strategy in strategies}

    def place(found: re.Match[str]) -> str:
        path, key = own_file(plugins, found["id"]), found["key"]
        own = _values(path)
        if key in own and str(own[key]) == str(values.get(found["id"], {}).get(key)):
            return f"{printable(str(path))}: {key}"
        return found[0]

    return _PLACE.sub(place, sentence)


def _values(path: Path) -> Mapping[str, Any]:
    try:
        read = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return read if isinstance(read, dict) else {}
