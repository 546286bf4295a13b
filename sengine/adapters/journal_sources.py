"""The text of the strategies that a journal's sessions ran, kept beside it by hash, so that they can be run again."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from sengine.adapters.journal_format import StrategyRecord
from sengine.config.redact import plain
from sengine.engine.guest import StrategySpec
from sengine.errors import JournalError


class StrategySources:
    """The folder ``strategies`` of a journal: each file once, named by the hash of its content."""

    def __init__(self, journal: Path) -> None:
        self._folder = journal / "strategies"

    def record(self, spec: StrategySpec) -> StrategyRecord:
        """What a journal says of a strategy; its file's text is kept. ``source_hash`` is empty where that text is not
        there any more as it was loaded."""
        source_hash = spec.version.rpartition("+")[2]
        if not self._keep(Path(spec.source), source_hash):
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
        path = self._folder / f"{strategy.source_hash}.py"
        if not strategy.source_hash or not path.is_file():
            raise JournalError(
                f"{self._folder}: the text of strategy {strategy.strategy_id} ({strategy.version}, from "
                f"{strategy.path}) was not kept; it cannot be run again"
            )
        return path

    def _keep(self, source: Path, source_hash: str) -> bool:
        kept = self._folder / f"{source_hash}.py"
        if source_hash and kept.is_file():
            return True
        try:
            content = source.read_bytes()
            if not source_hash or hashlib.sha256(content).hexdigest()[: len(source_hash)] != source_hash:
                return False
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            whole = kept.with_name(kept.name + ".new")
            with open(whole, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
                file.write(content)
            whole.replace(kept)
        except OSError:
            return False
        return True
