"""Finding and loading strategy files. Nothing imports ``strategies``: a plugin is loaded by its path."""
