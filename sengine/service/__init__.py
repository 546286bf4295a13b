"""The live service: composition, start-up, recording, reconciliation, the kill switch, hot reload."""
