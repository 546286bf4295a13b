"""``python -m sengine`` and the ``sengine`` script."""

from __future__ import annotations

import gc
import sys

from sengine import __version__


def main() -> None:
    """Run the command line. ``--version`` alone is answered before anything heavy is imported."""
    if sys.argv[1:] == ["--version"]:
        from sengine.build_form import form

        print(f"sengine {__version__} ({form()})")
        return
    # Importing makes what stays: with Python's own 700, a tenth of the start goes into looking through it for garbage.
    gc.set_threshold(10_000)
    from sengine.cli import run

    run()


if __name__ == "__main__":
    main()
