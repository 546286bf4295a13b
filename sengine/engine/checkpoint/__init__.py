"""The engine's state out into a checkpoint, back in, and the following of a recorded session."""
