"""Replay: market data files in, the engine's events out, and what a run over them amounts to."""
