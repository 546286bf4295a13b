"""The configuration: its schema, and how a file, the environment and overrides become one ``Config``."""

from __future__ import annotations

from sengine.config.convert import convert_parameters
from sengine.config.durations import Duration
from sengine.config.fields import FieldDescription, describe
from sengine.config.load import load_config
from sengine.config.schema import Config

__all__ = ["Config", "Duration", "FieldDescription", "convert_parameters", "describe", "load_config"]
