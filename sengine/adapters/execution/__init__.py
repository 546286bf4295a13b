"""Orders out to an execution service over gRPC, and what it says of them."""
