"""A version of a strategy with the instances that run it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

from sengine.engine.state.recent_ticks import ANY_SYMBOL
from sengine.engine.strategies.spec import StrategySpec
from sengine.strategy import BaseStrategy, tell_orders


class RunningVersion:
    """``written`` are the parameters in force as they were given, ``config`` the same with defaults filled in.

    ``instances`` are by symbol, or by ``*`` where one trades all. ``spare`` was made to see whether it can be, and
    becomes the first of them. ``reloaded`` is what every further one is to be given: parameters that came later.
    """

    __slots__ = ("config", "in_flight", "instances", "is_told", "reloaded", "spare", "spec", "written")

    def __init__(
        self,
        spec: StrategySpec,
        config: dict[str, Any],
        written: dict[str, Any],
        instances: dict[str, BaseStrategy],
        spare: BaseStrategy | None = None,
        reloaded: tuple[Any, dict[str, Any]] | None = None,
        is_told: bool | None = None,
        in_flight: Callable[[str], float] | None = None,
    ) -> None:
        self.spec = spec
        self.config = config
        self.written = written
        self.instances = instances
        self.spare = spare
        self.reloaded = reloaded
        self.is_told = is_told
        """The answer of ``hears_of_orders``, once it is known."""
        self.in_flight = in_flight
        """What the strategy has in flight on a symbol, ``*`` for all; its instances ask."""

    def described_as(self, spec: StrategySpec, config: dict[str, Any]) -> RunningVersion:
        """The same instances under another description, as a strategy in its own process gives one."""
        return RunningVersion(
            spec, config, self.written, self.instances, self.spare, self.reloaded, self.is_told, self.in_flight
        )

    @property
    def hears_of_orders(self) -> bool:
        """Whether its class overrides ``on_order``. Looks at strategy code."""
        instances = self.all_instances
        if self.is_told is None and instances:
            self.is_told = any(type(each).on_order is not BaseStrategy.on_order for each in instances)
        return bool(self.is_told)

    @property
    def all_instances(self) -> Sequence[BaseStrategy]:
        """Those that trade; where none does yet, the spare one."""
        return tuple(self.instances.values()) or ((self.spare,) if self.spare is not None else ())

    def key_of(self, symbol: str) -> str:
        """Which instance trades ``symbol``."""
        return symbol if self.spec.one_instance_per_symbol else ANY_SYMBOL

    def has_instance(self, symbol: str) -> bool:
        return self.key_of(symbol) in self.instances

    def instance_for(self, symbol: str) -> BaseStrategy:
        """The instance that trades ``symbol``, made on first need. Raises what making one raises."""
        key = symbol if self.spec.one_instance_per_symbol else ANY_SYMBOL  # key_of, on the way of every fill
        instance = self.instances.get(key)
        if instance is None:
            instance, self.spare = self.spare or self._new_instance(), None
            self.instances[key] = instance
            self._introduce(key, instance)
        return instance

    def introduce(self, in_flight: Callable[[str], float]) -> None:
        """Have its instances, and those to come, ask ``in_flight``."""
        self.in_flight = in_flight
        for key, instance in self.instances.items():
            self._introduce(key, instance)

    def _introduce(self, key: str, instance: BaseStrategy) -> None:
        in_flight = self.in_flight
        if in_flight is not None:
            tell_orders(instance, lambda symbol: in_flight(symbol or key))

    def _new_instance(self) -> BaseStrategy:
        """One more, with the parameters in force now."""
        instance = self.spec.create()
        if self.reloaded is not None:
            instance.params = self.reloaded[0]
            instance.hot_reload(deepcopy(self.reloaded[1]))
        return instance

    def give_parameters(self, config: dict[str, Any]) -> None:
        """Validate ``config`` and hand a copy to every instance. Whatever raises, the old ones are back in force."""
        prepared = self.spec.prepare(config)
        given: list[tuple[BaseStrategy, Any]] = []
        try:
            for instance in self.all_instances:
                given.append((instance, instance.params))
                instance.params = prepared[0]
                instance.hot_reload(deepcopy(prepared[1]))
        except BaseException:
            for instance, params in given:
                instance.params = params
                instance.hot_reload(deepcopy(self.config))
            raise
        self.config, self.written = prepared[1], config
        self.reloaded = prepared
