"""sengine: a trading strategy engine operated from a terminal."""

__version__ = "0.1.0"
