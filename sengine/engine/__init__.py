"""The deterministic state machine: ``Engine.process(event) -> Outcome``. No I/O, no clock, no logging in here."""
