"""How long tests wait for what is sure to come. It ends a hang and measures nothing: a busy machine fails no test."""

PATIENCE_S = 60.0
