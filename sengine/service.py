"""The live service: start-up, run, shutdown. Everything that a running engine needs, started in order and stopped in reverse.

A market data message goes feed -> ``LiveEngine.take`` -> gateway; fills come back through the feed, order updates through
the gateway. Operators come in through the control server, monitoring through HTTP.
"""

from __future__ import annotations
