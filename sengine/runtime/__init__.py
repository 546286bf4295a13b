"""What lives around the engine in a running process, below the adapters."""
