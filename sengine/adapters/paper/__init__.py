"""The paper execution service: a process that fills orders against market data."""
