"""Where the files that ship with sengine are: the default configurations and the example strategies.

They lie at the top of a checkout, under ``sengine/_data`` in an installed wheel, and under the same path inside the
folder that the single executable unpacks itself to. Everything that needs one of them asks here.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from sengine.errors import SengineError

_PACKAGE = Path(__file__).resolve().parent


class ResourceError(SengineError):
    """A file that ships with sengine is not where this installation keeps such files."""


def resource_root() -> Path:
    """The folder that holds ``configs`` and ``strategies`` in this checkout, wheel or executable."""
    unpacked = getattr(sys, "_MEIPASS", None)
    if unpacked is not None:
        return Path(unpacked, "sengine", "_data")
    packaged = _PACKAGE / "_data"
    return packaged if packaged.is_dir() else _PACKAGE.parent


def resource_path(*parts: str) -> Path:
    """Path of a file or folder that ships with sengine, as in ``resource_path("configs", "replay.yaml")``.

    Raises ``ResourceError`` where there is none, and for parts that lead out of the resources.
    """
    root = resource_root()
    path = Path(os.path.normpath(root.joinpath(*parts)))
    if not path.is_relative_to(root):
        raise ResourceError(
            f'expected a file that ships with sengine, got "{os.path.join(*parts)}", which leads out of {root}'
        )
    if not path.exists():
        raise ResourceError(
            f"{path}: expected this file to ship with sengine, found none; "
            "install sengine again, or restore the file in the checkout"
        )
    return path
