"""The start of a new strategy: a documented file that runs, and a test that passes."""

from __future__ import annotations

import keyword
from pathlib import Path
from string import Template

from sengine.errors import DataError
from sengine.resources import resource_path


def write_template(name: str, directory: Path) -> tuple[Path, Path]:
    """Write ``NAME.py`` and ``test_NAME.py`` into ``directory``, which is made when missing.

    Raises ``DataError`` for a name that no Python module can have, and rather than overwrite a file.
    """
    if not name.isidentifier() or keyword.iskeyword(name) or not name.isascii():
        raise DataError(f'expected a strategy name of letters, digits and underscores, got "{name}"')
    if name.startswith(("_", "test_")) or name == "conftest":
        raise DataError(f'"{name}.py" would be left out as a private file or a test; choose another name')
    strategy, test = directory / f"{name}.py", directory / f"test_{name}.py"
    for path in (strategy, test):
        if path.exists():
            raise DataError(f"{path} exists already; remove it or choose another name")
    words = {"name": name, "class_name": "".join(part.capitalize() for part in name.split("_")) + "Strategy"}
    templates = resource_path("configs", "templates")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for path, source in ((strategy, "strategy.py.txt"), (test, "test_strategy.py.txt")):
            path.write_text(Template((templates / source).read_text("utf-8")).substitute(words), "utf-8")
    except OSError as error:
        raise DataError(f"{directory}: cannot be written: {error.strerror}") from error
    return strategy, test
