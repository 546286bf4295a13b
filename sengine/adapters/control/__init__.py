"""The control API: what operators, screens and scripts ask of a running engine, and its client."""
