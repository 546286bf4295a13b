"""What the engine talks about: market data, signals, orders, fills, positions and the events that carry them."""
