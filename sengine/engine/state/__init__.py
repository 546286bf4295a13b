"""What the engine knows: markets, orders, positions, what was sent; and what a checkpoint keeps of it."""
