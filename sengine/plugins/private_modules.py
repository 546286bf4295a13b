"""The modules of one loaded strategy: its file, and the helpers from the same folder that it imports.

Two versions of a strategy run at the same time while one makes way for the other, so neither may find the other's
helpers. Each load therefore has modules of its own. An import statement asks ``__builtins__`` of the module that it
stands in for ``__import__``; ours looks into the strategy's folder first and leaves everything else to Python.
"""

from __future__ import annotations

import builtins
import itertools
import marshal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Final

PREFIX: Final = "sengine_plugin"
_NOT_PRIVATE: Final = sys.stdlib_module_names | {"sengine"}
_numbers = itertools.count(1)


def compiled_code(sources: Mapping[Path, bytes]) -> dict[Path, bytes]:
    """What this version of Python makes of files of Python, for ``PrivateModules`` of another process."""
    return {path: marshal.dumps(_compiled(path, source)) for path, source in sources.items() if path.suffix == ".py"}


def _compiled(path: Path, content: bytes) -> CodeType:
    return compile(content, str(path), "exec", dont_inherit=True)


class PrivateModules:
    """Runs files of one folder as modules that nobody else sees.

    ``known`` has the contents that are to be used for their files; other files are read when they are imported.
    ``code`` has what ``compiled_code`` made of the known ones: compiling takes long, and all other threads wait for it.
    """

    def __init__(self, main: Path, known: Mapping[Path, bytes], code: Mapping[Path, bytes]) -> None:
        self.sources: dict[Path, bytes] = {}
        """What was run, by file."""
        self.names: list[str] = []
        """The names under which ``sys.modules`` has the modules: dataclasses and msgspec look there for annotations."""
        self._main = main
        self._root = f"{PREFIX}_{next(_numbers)}_{main.stem}"
        self._known = known
        self._code = code
        self._builtins = vars(builtins) | {"__import__": self._import}

    def run_main(self) -> ModuleType:
        """The strategy's file as a module. Raises ``OSError`` where it cannot be read, and what it raises itself."""
        return self._run(self._root, self._main, self._root)

    def forget(self) -> None:
        """Take the modules out of ``sys.modules``; what they made lives as long as it is used."""
        for name in self.names:
            sys.modules.pop(name, None)
        self.names.clear()

    def _run(self, name: str, path: Path, package: str) -> ModuleType:
        content = self._known[path] if path in self._known else path.read_bytes()
        self.sources[path] = content
        module = ModuleType(name)
        module.__file__ = str(path)
        module.__package__ = package
        module.__dict__["__builtins__"] = self._builtins
        sys.modules[name] = module
        self.names.append(name)
        try:
            # Compiled from the bytes that were read, never from a stale cache.
            made = self._code.get(path) if path in self._known else None
            code = marshal.loads(made) if made is not None else _compiled(path, content)  # noqa: S302 - our own child's
            exec(code, module.__dict__)  # noqa: S102 - it is the purpose
        except BaseException:
            sys.modules.pop(name, None)
            self.names.remove(name)
            raise
        return module

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        """``__import__`` for the modules of this strategy."""
        if level:
            package = str((globals or {}).get("__package__", self._root)).split(".")
            if level > len(package):
                raise ImportError("attempted relative import beyond the strategy's folder")
            steps = [*package[1 : len(package) - level + 1], *filter(None, name.split("."))]
        else:
            steps = name.split(".")
            if steps[0] in _NOT_PRIVATE or self._file(steps[:1]) is None:
                return builtins.__import__(name, globals, locals, fromlist or (), level)
        module = self._module(steps)
        for wanted in fromlist or ():
            if not hasattr(module, wanted) and self._file([*steps, wanted]) is not None:
                setattr(module, wanted, self._module([*steps, wanted]))
        return module if fromlist else self._module(steps[:1])

    def _module(self, steps: Sequence[str]) -> ModuleType:
        """The module that ``steps`` lead to from the folder, run on first need; no steps are the folder itself."""
        if not steps:
            return ModuleType(self._root)
        name = ".".join((self._root, *steps))
        if name in sys.modules:
            return sys.modules[name]
        parent = self._module(steps[:-1])
        path = self._file(steps)
        if path is None:
            raise ModuleNotFoundError(f"No module named {'.'.join(steps)!r} in {self._main.parent}", name=steps[-1])
        module = self._run(name, path, name if path.stem == "__init__" else name.rpartition(".")[0])
        setattr(parent, steps[-1], module)
        return module

    def _file(self, steps: Sequence[str]) -> Path | None:
        base = self._main.parent.joinpath(*steps)
        for path in (base / "__init__.py", base.with_name(f"{base.name}.py")):
            if path in self._known or path.is_file():
                return path
        return None
