"""Compiles the engine from its own source with mypyc: `make fast` in a checkout, the build hook in a wheel.

    python build/compiled.py            compile in place, extensions beside their sources
    python build/compiled.py --clean    remove them
    python build/compiled.py --list     name the modules

What is compiled is what a profile names. Modules of values stay as they are: a class with a metaclass or with class
keywords (msgspec's structs, enums) cannot be compiled, and is as fast as C already.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# One library holds all the code, so that calls from module to module are calls in C.
LIBRARY = "sengine.engine._compiled"
COMPILED = (
    "sengine/engine/*.py",
    "sengine/domain/position.py",
    "sengine/engine/orders/*.py",
    "sengine/engine/risk/*.py",
    "sengine/engine/risk/checks/*.py",
    "sengine/engine/signals/*.py",
    "sengine/engine/state/*.py",
    "sengine/engine/strategies/*.py",
    "replay/digest.py",
    "replay/equity.py",
    "replay/session.py",
    "replay/tally.py",
)
# What a strategy made may be of any type, and no compiled attribute takes that.
LEFT_OUT = ("sengine/engine/strategies/plain_values.py", "sengine/engine/strategies/stamping.py")


def modules(root: Path = ROOT) -> list[str]:
    """Paths of the modules to compile, relative to ``root``: those of ``COMPILED`` that define no values."""
    found = [path for pattern in COMPILED for path in sorted(root.glob(pattern))]
    named = [str(path.relative_to(root)) for path in found if path.name != "__init__.py" and not holds_values(path)]
    return [name for name in named if name not in LEFT_OUT]


def holds_values(path: Path) -> bool:
    """Whether a module defines classes that mypyc cannot compile."""
    text = path.read_text("utf-8")
    return any(base in text for base in ("msgspec.Struct", "(StrEnum)", "(NamedTuple)", "(Limit,"))


def extensions(root: Path = ROOT) -> list[Path]:
    """What compiling in place has left below ``root``."""
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    return sorted(path for folder in ("sengine", "replay") for path in (root / folder).rglob(f"*{suffix}"))


def is_current(root: Path = ROOT) -> bool:
    """Whether what stands below ``root`` was compiled after the last change of any source."""
    built = [path.stat().st_mtime_ns for path in extensions(root)]
    sources = [path.stat().st_mtime_ns for folder in ("sengine", "replay") for path in (root / folder).rglob("*.py")]
    return len(built) > len(modules(root)) and min(built) > max(sources)


def compile_in_place(root: Path = ROOT) -> None:
    """Compile below ``root``, unless that is done. Raises ``CalledProcessError`` with the compiler's words on standard
    error."""
    if is_current(root):
        return
    clean(root)
    with tempfile.TemporaryDirectory(prefix="sengine-compile-") as work:
        # mypyc writes its C beside the sources.
        for name in ("sengine", "replay"):
            shutil.copytree(root / name, Path(work, name), ignore=shutil.ignore_patterns("*.so", "__pycache__"))
        # `make type` holds the types; here a library without type hints is no mistake.
        Path(work, "mypy.ini").write_text("[mypy]\npython_version = 3.11\nignore_missing_imports = True\n")
        script = (
            "from setuptools import setup; from mypyc.build import mypycify; import sys; "
            "setup(name='sengine', packages=[], ext_modules=mypycify(sys.argv.pop().split(','), opt_level='3', "
            f"debug_level='1', group_name={LIBRARY!r}))"
        )
        command = [sys.executable, "-c", script, "--quiet", "build_ext", "--inplace", ",".join(modules(root))]
        environment = os.environ | {"MYPYPATH": ""}
        done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True)
        if done.returncode:
            sys.stderr.write((done.stdout + done.stderr)[-8000:])
            raise subprocess.CalledProcessError(done.returncode, command[:1])
        for built in extensions(Path(work)):
            shutil.copy2(built, root / built.relative_to(work))


def clean(root: Path = ROOT) -> None:
    """Remove what compiling in place has left."""
    for path in extensions(root):
        path.unlink()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Compile the engine in place, or undo that.")
    parser.add_argument("--clean", action="store_true", help="remove the compiled modules")
    parser.add_argument("--list", action="store_true", help="name the modules that are compiled")
    wanted = parser.parse_args(arguments)
    if wanted.list:
        print("\n".join(modules()))
    elif wanted.clean:
        clean()
    else:
        compile_in_place()


if __name__ == "__main__":
    main()
