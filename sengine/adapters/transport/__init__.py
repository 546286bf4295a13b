"""What adapters share: child processes, sockets, credentials, connections."""
