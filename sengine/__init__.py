"""sengine: a trading strategy engine operated from a terminal."""

from sengine.build_form import choose

__version__ = "0.1.0"

choose()
