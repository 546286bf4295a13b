"""What touches the world: NATS, gRPC, HTTP, child processes and files. Nothing in here decides anything."""
