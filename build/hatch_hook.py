"""Hatch's build hook: a wheel holds the engine compiled, and its source beside it.

An editable installation is the checkout itself and stays as it is, as does the source distribution. ``SENGINE_PURE=1``
builds a wheel of sources alone, for any platform; so does a machine that has no mypyc or no C compiler, unless
``SENGINE_COMPILED=1`` says that the wheel must be a compiled one.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent))
import compiled


class CompiledWheel(BuildHookInterface):
    """``[tool.hatch.build.targets.wheel.hooks.custom]``."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable" or os.environ.get("SENGINE_PURE", "0") not in ("", "0"):
            return
        missing = _missing()
        if missing:
            if os.environ.get("SENGINE_COMPILED"):
                raise RuntimeError(f"SENGINE_COMPILED: the wheel cannot be compiled without {missing}")
            self.app.display_warning(f"the wheel holds no compiled engine: there is no {missing}")
            return
        root = Path(self.root)
        self._was_compiled = bool(compiled.extensions(root))
        compiled.compile_in_place(root)
        for path in compiled.extensions(root):
            place = str(path.relative_to(root))
            build_data["force_include"][str(path)] = place
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """A checkout that was pure before is pure again."""
        if not build_data.get("pure_python", True) and not getattr(self, "_was_compiled", True):
            compiled.clean(Path(self.root))


def _missing() -> str:
    """What there is not of what compiling takes; empty when all is there."""
    if importlib.util.find_spec("mypyc") is None:
        return "mypyc (in the package mypy)"
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    return "" if shutil.which(compiler) or shutil.which("cc") else f"C compiler ({compiler})"
