"""Everything that touches the world: NATS, gRPC, HTTP, files, child processes."""

import os

# gRPC reads these when it is first imported. Children are started by fork and exec, which needs no handlers of gRPC's,
# and its own notes on that are no news for an operator.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
