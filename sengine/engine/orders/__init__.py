"""Orders on their way: sending, fills, flattening, the simulated venue."""
