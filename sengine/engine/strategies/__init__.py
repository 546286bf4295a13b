"""Strategies in the engine: who there is, calling them, their versions, faults and swaps."""
