"""``python -m sengine`` and the ``sengine`` script."""

from __future__ import annotations

import gc
import sys

from sengine import __version__


def main() -> None:
    """Run the command line. ``--version`` alone is answered before anything heavy is imported."""
    if sys.argv[1:] == ["--version"]:
        print(f"sengine {__version__}")
        return
    # Importing makes only what stays; looking through it for garbage is a tenth of the start-up.
    gc.disable()
    from sengine.cli import run

    run()


if __name__ == "__main__":
    main()
