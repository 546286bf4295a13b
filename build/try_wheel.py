"""Installs a built wheel into a fresh environment and uses it as its user would: `make package`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path


def main() -> None:
    wheel, run, build = (Path(argument).resolve() for argument in sys.argv[1:4])
    with tempfile.TemporaryDirectory(prefix="sengine wheel ") as folder:
        environment = Path(folder, "environment")
        venv.create(environment, with_pip=True)
        pip = [str(environment / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
        subprocess.run([*pip, "--require-hashes", "--no-deps", "-r", str(build)], check=True)
        subprocess.run([*pip, "--require-hashes", "--no-deps", "--no-build-isolation", "-r", str(run)], check=True)
        subprocess.run([*pip, "--no-index", "--no-deps", str(wheel)], check=True)
        if not (environment / "share" / "man" / "man1" / "sengine.1").is_file():
            raise SystemExit(f"{wheel.name}: the manual page is not in it")
        sengine = str(environment / "bin" / "sengine")
        subprocess.run([sengine, "init", "desk"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        desk = Path(folder, "desk")
        replay = [sengine, "replay", "market.csv", "-c", "sengine.yaml", "--json", "-"]
        report = json.loads(subprocess.run(replay, cwd=desk, check=True, capture_output=True).stdout)
        demo = [sengine, "demo", "--no-tui", "--seconds", "4"]
        said = subprocess.run(demo, cwd=desk, check=True, capture_output=True, text=True, timeout=60).stdout
        print(f"{wheel.name}: replay {report['digest'][:19]}, demo {said.strip().splitlines()[-1]}")


if __name__ == "__main__":
    main()
