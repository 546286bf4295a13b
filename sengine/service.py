"""The live service: start-up, run, shutdown. Everything that a running engine needs, started in order and stopped in reverse.

A market data message goes feed -> ``LiveEngine.take`` -> gateway; fills come back through the feed, order updates through
the gateway. Operators come in through the control server, monitoring through HTTP.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec

from sengine.adapters.broker import EmbeddedBroker
from sengine.adapters.children import Child, spawn
from sengine.adapters.control import ControlServer
from sengine.adapters.execution import ExecutionGateway
from sengine.adapters.http import HttpServer
from sengine.adapters.nats_feed import NatsFeed
from sengine.assembly import build_engine, build_venue, catalog, load_strategies, strategy_spec
from sengine.config import Config, load_config
from sengine.domain.events import ReloadParameters, Shutdown, UnloadStrategy
from sengine.engine.roster import LoadStrategy
from sengine.errors import ConfigError, PluginError, SengineError
from sengine.live import LiveEngine
from sengine.plugins.loader import load_plugin

