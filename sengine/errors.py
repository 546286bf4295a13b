"""Every error that sengine raises on purpose, in one tree.

::

    SengineError
    ├── InputError         what a command was given is of no use: it ends with exit code 2, for all others with 1
    │   ├── ConfigError    a configuration file, override or parameter is wrong (all mistakes at once)
    │   ├── DataError      a market data file cannot be read, or a row fails under --strict
    │   ├── PluginError    a strategy file cannot be found, imported or does not keep the contract
    │   ├── JournalError   a journal is not there, cannot be read or cannot be run again
    │   │   └── DamageError    records in the middle of it are damaged or missing
    │   └── StoreError     the store of records is not there or cannot be read
    ├── LifecycleError     a strategy was asked for a transition that its state does not allow
    ├── LimitError         a change would make a limit looser, and nobody said that it may
    ├── EngineError        the engine was asked for something it does not know
    ├── ResourceError      a file that ships with sengine is missing (sengine.resources)
    ├── BrokerError        the embedded broker cannot be found or does not start (sengine.adapters.nats.broker)
    ├── UnreachableError   no engine answers the command line (sengine.adapters.control.client)
    └── RefusedError       an engine answered the command line with a refusal (sengine.adapters.control.client)

Where the live service fails for another reason, it is a plain ``SengineError``. Each message is a sentence for the
person at the terminal: the place, what was expected, what was found, what to do.
"""

from __future__ import annotations

from collections.abc import Sequence


class SengineError(Exception):
    """Base of all errors that sengine raises on purpose; the command line prints the message and exits."""


class InputError(SengineError):
    """What a command was given is wrong, missing or damaged: an argument, a configuration, a file."""


class ConfigError(InputError):
    """One or more mistakes in a configuration. ``mistakes`` holds one sentence each."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(self.mistakes))


class DataError(InputError):
    """A market data file is unusable, or a row in it is and ``--strict`` was given."""


class PluginError(InputError):
    """A strategy file is missing, fails to import, or does not keep the strategy contract."""


class LifecycleError(SengineError):
    """An illegal lifecycle transition; the message names both states."""


class LimitError(SengineError):
    """New limits would let more pass than those in force, and the change was not allowed to."""


class EngineError(SengineError):
    """The engine was asked about a strategy, symbol or order that it does not have."""


class StoreError(InputError):
    """The store of records is missing, damaged or another version's; the journal still has what was in it."""


class JournalError(InputError):
    """A journal is missing, cannot be read or cannot be run again; the message names the file and the place."""


class DamageError(JournalError):
    """A journal is damaged at ``place``, a segment and a byte of it; what is before that can be read."""

    def __init__(self, message: str, place: tuple[int, int]) -> None:
        super().__init__(message)
        self.place = place
