"""The broker, market data and fills from it, and events out to it."""
