"""Pre-trade risk: limits as values, checks that hold them, the pipeline that asks them in order."""
