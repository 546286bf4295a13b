"""Where commands look for strategies: a folder of the user's, then the packaged examples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from sengine.plugins.catalog import Catalog

DEFAULT_DIRECTORY: Final = Path("strategies")
DirectoryOption = Annotated[
    Path,
    typer.Option(
        "--directory", "-d", metavar="DIR", help="Your strategy folder; the packaged examples are always found too."
    ),
]


def known_strategies(directory: Path) -> Catalog:
    """All that a name can mean. Raises ``ConfigError`` for a folder that was named and is none."""
    from sengine.errors import ConfigError
    from sengine.plugins.catalog import Catalog
    from sengine.resources import resource_path

    if directory != DEFAULT_DIRECTORY and not directory.is_dir():
        raise ConfigError([f"--directory {directory}: no such folder; name the one that your strategies are in"])
    return Catalog([directory, resource_path("strategies")])
