"""HTTP: health, metrics, pages."""
