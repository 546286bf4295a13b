"""The Textual client of the engine's control API."""
