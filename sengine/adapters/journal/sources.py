"""The text of the strategies that a journal's sessions ran, kept beside it by hash, so that they can be run again."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from sengine.adapters.journal.format import StrategyRecord
from sengine.config.redact import plain
from sengine.engine.strategies.spec import StrategySpec
from sengine.errors import JournalError


class StrategySources:
    """The folder ``strategies`` of a journal: each file once, named by the hash of its content. One with helpers,
    or compiled, is in a folder that is named so."""

    def __init__(self, journal: Path) -> None:
        self._folder = journal / "strategies"

    def record(self, spec: StrategySpec) -> StrategyRecord:
        """What a journal says of a strategy; its files' content is kept. ``source_hash`` is empty where that is not
        there any more as it was loaded."""
        source_hash = spec.version.rpartition("+")[2]
        if not self._keep(spec, source_hash):
            source_hash = ""
        config = {
            "id": spec.strategy_id,
            "plugin": spec.source,
            "symbols": list(spec.symbols),
            "config": plain(dict(spec.config)),
            "route": spec.route,
            "default_size": spec.default_size,
            "data": [str(kind) for kind in spec.kinds],
        }
        return StrategyRecord(spec.strategy_id, config, spec.source, spec.version, source_hash, spec.max_signal_age_ns)

    def path(self, strategy: StrategyRecord) -> Path:
        """The kept file. Raises ``JournalError`` where there is none."""
        path = self._folder / strategy.source_hash / Path(strategy.path).name
        if not path.is_file():
            path = self._folder / f"{strategy.source_hash}.py"
        if not strategy.source_hash or not path.is_file():
            raise JournalError(
                f"{self._folder}: the text of strategy {strategy.strategy_id} ({strategy.version}, from "
                f"{strategy.path}) was not kept; it cannot be run again"
            )
        return path

    def _keep(self, spec: StrategySpec, source_hash: str) -> bool:
        source = Path(spec.source)
        kept = self._folder / f"{source_hash}.py"
        if source_hash and (kept.is_file() or kept.with_suffix("").is_dir()):
            return True
        try:
            # What was loaded; the files may be others by now.
            sources: Mapping[Path, bytes] | None = getattr(spec.loaded_from, "sources", None)
            if sources is None:
                sources = {source: source.read_bytes()}
                their_hash = hashlib.sha256(sources[source]).hexdigest()[: len(source_hash)]
            else:
                their_hash = spec.loaded_from.content_hash
            if not source_hash or source_hash != their_hash:
                return False
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            whole = kept.with_name(kept.name + ".new")
            if len(sources) == 1 and source.suffix == ".py":
                _write(whole, sources[source])
            else:
                kept = kept.with_suffix("")
                shutil.rmtree(whole, ignore_errors=True)
                for path, content in sources.items():
                    to = whole / path.relative_to(source.parent)
                    to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                    _write(to, content)
            whole.rename(kept)
        except (OSError, ValueError, KeyError):
            return False
        return True


def _write(path: Path, content: bytes) -> None:
    with open(path, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(content)
