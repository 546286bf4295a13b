"""New code and parameters for running strategies: proved in a process of its own, then swapped in between two ticks."""
