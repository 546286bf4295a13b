"""sengine: a trading strategy engine operated from a terminal."""

import os

__version__ = "0.1.0"

if os.environ.get("SENGINE_PURE"):
    from sengine.build_form import prefer_source, wants_source

    if wants_source():
        prefer_source()
