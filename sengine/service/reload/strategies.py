"""Strategies brought to what their files and the configuration say now: on request, on SIGHUP, when a file changes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import time_ns
from typing import Any, Final

import msgspec

from sengine.adapters.remote.remotes import Remotes
from sengine.config import Config
from sengine.config.own_files import in_own_files
from sengine.config.schema import StrategyConfig
from sengine.domain.events import UnloadStrategy
from sengine.domain.reload import ReloadReport
from sengine.engine.strategies.runtime import StrategyRuntime
from sengine.engine.strategies.trial import RolledBack
from sengine.errors import ConfigError, EngineError, PluginError, SengineError
from sengine.plugins.catalog import Catalog
from sengine.plugins.compiled import COMPILED_SUFFIXES
from sengine.runtime.live_engine import LiveEngine
from sengine.runtime.parameters import give_parameters
from sengine.runtime.status import ServiceStatus
from sengine.service.reload.pipeline import Pipeline
from sengine.service.reload.prover_child import ProverChild
from sengine.service.reload.remotes import RemotePipeline, has_new_code
from sengine.service.reload.sources import content_of, files_of, is_made_of, same_code
from sengine.service.settings import LiveSettings, differences

_TRIAL_CHECK_S: Final = 0.5
_REST_S: Final = 0.3
_HALF_WRITTEN: Final = ("syntax error", "expected a function create_strategy()", "cannot be read")


class Reloading:
    """Changes the strategies of a running engine. ``read_config`` gives the configuration anew.

    Every change ends as a report in ``facts.reloads`` and a line in the log; what fails leaves the strategy as it was.
    """

    def __init__(
        self,
        live: LiveEngine,
        facts: ServiceStatus,
        plugins: Catalog,
        started: Config,
        read_config: Callable[[], Config],
        remotes: Remotes | None = None,
    ) -> None:
        self._live = live
        self._facts = facts
        self._plugins = plugins
        self.settings = LiveSettings(live, started)
        self._read_config = read_config
        self._remotes = remotes or Remotes(live, plugins.find)
        self._prover = ProverChild()
        self._pipeline = Pipeline(live, self._prover, started.plugins)
        self._remote_pipeline = RemotePipeline(live, self._remotes, self._prover, started.plugins)
        self._configured = {strategy.id: strategy for strategy in started.strategies}
        self._in_configuration = {strategy.id for strategy in started.strategies if strategy.enabled}
        self._trials: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        live.on_rollback = self._rolled_back

    async def start(self) -> None:
        """Have the prover ready."""
        await self._prover.start()

    async def stop(self) -> None:
        """End what is under way; strategies stay as they are."""
        tasks = [*self._tasks, *([self._trials] if self._trials is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._prover.stop()

    # One strategy.

    async def reload(self, strategy_id: str) -> ReloadReport:
        """Read a strategy's configuration and file again and put what changed into force.

        Raises ``EngineError`` where there is no such strategy, ``ConfigError`` where the configuration cannot be read.
        """
        self._live.engine.registry.get(strategy_id)
        wanted = [each for each in self._read_config().strategies if each.id == strategy_id]
        if not wanted:
            raise EngineError(f'strategy "{strategy_id}" is not in the configuration any more; unload it instead')
        self._in_configuration.add(strategy_id)
        return await self._bring_to(wanted[0], "command")

    async def load(self, strategy: StrategyConfig, trigger: str = "command", *, is_retry: bool = False) -> ReloadReport:
        """Prove a strategy file, load it and activate it. Raises ``PluginError`` where there is no such file.

        A retry that fails as the attempt before it did is not told again.
        """
        if self._live.engine.registry.find(strategy.id) is not None:
            raise EngineError(f'strategy "{strategy.id}" is already loaded; reload it, or unload it first')
        if strategy.address:
            return self._record(self._remotes.load(strategy, trigger))
        path = self._plugins.find(strategy.plugin_name)
        pipeline = self._remote_pipeline if strategy.is_apart else self._pipeline
        report = await pipeline.load(strategy, path, trigger)
        if is_retry and self._is_told(report):
            return report
        self._record(report)
        if report.is_done:
            self._configured[strategy.id] = strategy
        return report

    async def _bring_to(self, wanted: StrategyConfig, trigger: str) -> ReloadReport:
        """New parameters alone go to the instances that run; anything else that changed takes new ones, and so does an
        error that ended them half-way, as a call that was interrupted."""
        is_apart = wanted.id in self._remotes.links
        if is_apart != wanted.is_apart:
            now, then = ("a process of its own", "the engine") if is_apart else ("the engine", "a process of its own")
            raise EngineError(
                f'strategy "{wanted.id}" runs in {now}, and goes on there: isolation is read when it is loaded; unload '
                f"it and load it again, or start the engine again, for it to run in {then}"
            )
        if is_apart:
            return self._record(await self._remote_pipeline.bring_to(wanted, trigger))
        runtime = self._live.engine.registry.get(wanted.id)
        path = self._plugins.find(wanted.plugin_name)
        running = self._configured.get(wanted.id, wanted)
        is_same = same_code(runtime, path) and _without_parameters(running) == _without_parameters(wanted)
        if is_same and not runtime.was_paused_for_errors:
            return self._record(give_parameters(self._live, wanted.id, dict(wanted.config), trigger))
        report = self._record(await self._pipeline.swap(wanted, path, trigger))
        if report.is_done:
            self._configured[wanted.id] = wanted
            self._watch_trials()
        return report

    # Many strategies.

    def reload_risk(self, allow_loosening: bool) -> str:
        """Read the configuration again and put its limits into force; what was done. Raises ``LimitError``."""
        return self.settings.apply_limits(self._read_config().risk, allow_loosening=allow_loosening)

    def reload_all(self) -> None:
        """Bring all strategies to what the configuration and their files say now, in the background."""
        task = asyncio.create_task(self.bring_all("SIGHUP"), name="reload-all")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def bring_all(self, trigger: str) -> None:
        """What the configuration does not have any more goes, what is new comes, what changed is reloaded; then the
        settings. Failures are said."""
        try:
            config = self._read_config()
        except ConfigError as error:
            for mistake in error.mistakes:
                self._live.say("error", "configuration not reloaded", reason=mistake)
            return
        wanted = {strategy.id: strategy for strategy in config.strategies if strategy.enabled}
        # What came by hand or as a new file was in no configuration, and stays.
        dropped, self._in_configuration = self._in_configuration - wanted.keys(), set(wanted)
        for runtime in list(self._live.engine.registry):
            if runtime.strategy_id in dropped:
                self.unload(runtime.strategy_id, "the configuration does not have it any more", trigger)
        for strategy in wanted.values():
            is_loaded = self._live.engine.registry.find(strategy.id) is not None
            try:
                await (self._bring_to(strategy, trigger) if is_loaded else self.load(strategy, trigger))
            except SengineError as error:
                self._live.say("error", "not reloaded", reason=str(error))
        self.settings.apply(config)
        if self.settings.limits_differ(config.risk):
            try:
                self.settings.apply_limits(config.risk, allow_loosening=config.risk.allow_loosening_on_reload)
            except SengineError as error:
                self._live.say("error", "not reloaded", reason=str(error))
        restart = self._needs_restart(config)
        if restart:
            self._live.say("warning", "these changes take effect at the next start", of=", ".join(restart))

    async def files_changed(self, paths: Iterable[Path]) -> None:
        """Reload the strategies that are made of any of these files, with the parameters that they have."""
        changed = set(paths)
        for runtime in list(self._live.engine.registry):
            loaded = runtime.spec.loaded_from
            link = self._remotes.links.get(runtime.strategy_id)
            if link is not None:
                path = Path(runtime.spec.source)
                if self._concerns(runtime, path, files_of(runtime, link), changed) and has_new_code(link):
                    reload = partial(self._remote_pipeline.new_code, runtime.strategy_id, "file")
                    self._record(await _settled(path, reload))
                continue
            strategy = self._configured.get(runtime.strategy_id)
            if loaded is None or strategy is None:
                continue
            path = self._file_now(strategy, loaded.path, changed)
            is_concerned = path != loaded.path or self._concerns(runtime, loaded.path, loaded.sources, changed)
            if not is_concerned or same_code(runtime, path):
                continue
            wanted = msgspec.structs.replace(strategy, config=dict(runtime.written))
            report = self._record(await _settled(path, partial(self._pipeline.swap, wanted, path, "file")))
            if report.is_done:
                self._configured[runtime.strategy_id] = wanted
                self._watch_trials()

    async def parameters_changed(self, strategy_ids: Iterable[str]) -> None:
        """Give strategies the parameters that their configuration files have now."""
        try:
            configured = {strategy.id: strategy for strategy in (await self._settled_config()).strategies}
        except ConfigError as error:
            for mistake in error.mistakes:
                self._live.say("error", "configuration not reloaded", reason=mistake)
            return
        for strategy_id in strategy_ids:
            runtime, wanted = self._live.engine.registry.find(strategy_id), configured.get(strategy_id)
            if runtime is not None and wanted is not None and dict(wanted.config) != runtime.written:
                if strategy_id in self._remotes.links:
                    self._record(await self._remote_pipeline.bring_to(wanted, "file"))
                else:
                    self._record(give_parameters(self._live, strategy_id, dict(wanted.config), "file"))

    def _file_now(self, strategy: StrategyConfig, running: Path, changed: set[Path]) -> Path:
        """The file to run: one that has come to stand before ``running``, as a compiled one does, or that is beside it
        where it has gone, else that."""
        try:
            found = self._plugins.find(strategy.plugin_name)
        except PluginError:
            return running
        # One of the same name in another folder is another strategy, and never takes over because a file has gone.
        is_left = found.parent == running.parent and not running.is_file()
        return found if found in changed or is_left else running

    async def _settled_config(self) -> Config:
        """The configuration; files that do not parse get a moment. Raises ``ConfigError`` where that does not help."""
        with contextlib.suppress(ConfigError):
            return self._read_config()
        await asyncio.sleep(_REST_S)
        return self._read_config()

    def unload(self, strategy_id: str, why: str, trigger: str) -> None:
        """Unload a strategy and say why."""
        version = self._live.engine.registry.get(strategy_id).spec.version
        self._live.process(UnloadStrategy(strategy_id))
        message = f"strategy {strategy_id} unloaded: {why}"
        self._record(ReloadReport(strategy_id, "unload", trigger, time_ns(), True, version, "", message))

    def made_of(self, path: Path) -> Sequence[str]:
        """The strategies whose own file this is."""
        return [runtime.strategy_id for runtime in self._live.engine.registry if is_made_of(runtime, path)]

    def files(self) -> Mapping[str, Collection[Path]]:
        """By strategy, what it is made of."""
        links = self._remotes.links
        return {
            runtime.strategy_id: files_of(runtime, links.get(runtime.strategy_id))
            for runtime in self._live.engine.registry
        }

    # Reports.

    def _record(self, report: ReloadReport) -> ReloadReport:
        if not report.is_done:
            named = {field: self._in_own_files(getattr(report, field)) for field in ("reason", "message")}
            report = msgspec.structs.replace(report, **named)
        self._facts.reloads.record(report)
        fields: dict[str, Any] = {"what": report.what, "trigger": report.trigger, "took_ms": round(report.took_ms, 1)}
        if report.swap_pause_us:
            fields["longest_stall_us"] = round(report.longest_stall_us)
        if report.compared is not None and report.compared.first_difference:
            fields["first_difference"] = report.compared.first_difference
        if report.where:
            fields["where"] = report.where
        level = "error" if not report.is_done else "warning" if report.lost else "info"
        self._live.say(level, report.message, **fields)
        return report

    def _is_told(self, report: ReloadReport) -> bool:
        """Whether it failed just as the last one of the same strategy did."""
        last = self._facts.reloads.of(report.strategy_id)[-1:]
        return not report.is_done and any((one.reason, one.where) == (report.reason, report.where) for one in last)

    def _in_own_files(self, sentence: str) -> str:
        """A mistake in a strategy's own configuration names that file."""
        try:
            config = self._read_config()
        except ConfigError:
            return sentence
        return in_own_files(sentence, config.plugins, config.strategies)

    def _rolled_back(self, back: RolledBack) -> None:
        message = (
            f"strategy {back.strategy_id} rolled back to {back.version}: {back.failed_version} failed "
            f"after {back.ticks} ticks: {': '.join(filter(None, (back.where, back.reason)))}"
        )
        report = ReloadReport(
            back.strategy_id,
            "rollback",
            "engine",
            time_ns(),
            True,
            back.failed_version,
            back.version,
            message,
            where=back.where,
        )
        self._record(report)

    def _watch_trials(self) -> None:
        if self._trials is None or self._trials.done():
            self._trials = asyncio.create_task(self._end_trials(), name="trials")

    async def _end_trials(self) -> None:
        """Let old versions go once their successors have proved themselves."""
        engine = self._live.engine
        while any(runtime.trial is not None for runtime in engine.registry):
            await asyncio.sleep(_TRIAL_CHECK_S)
            for fault in engine.registry.end_trials(engine.now_ns):
                self._live.say("error", fault.message, strategy_id=fault.strategy_id, where=fault.where)

    def _concerns(self, runtime: StrategyRuntime, path: Path, sources: Iterable[Path], changed: set[Path]) -> bool:
        """A file of its own changed; or, where its last reload failed, any in its folder: it may have been missing."""
        if not changed.isdisjoint(sources):
            return True
        reports = self._facts.reloads.of(runtime.strategy_id)
        return bool(reports) and not reports[-1].is_done and any(path.parent in file.parents for file in changed)

    def _needs_restart(self, config: Config) -> Sequence[str]:
        """Keys of what differs from what is in force and is only read at the start."""
        return [
            key
            for section in msgspec.structs.fields(Config)
            if section.name != "strategies"
            for key, _, _ in differences(
                section.name, getattr(self.settings.in_force, section.name), getattr(config, section.name)
            )
        ]


async def _settled(path: Path, reload: Callable[[], Awaitable[ReloadReport]]) -> ReloadReport:
    """Reload; a file that does not parse, and any compiled one, may be half written; it gets a moment more."""
    while True:
        content = content_of(path)
        report = await reload()
        if report.is_done or not (path.suffix in COMPILED_SUFFIXES or report.reason.startswith(_HALF_WRITTEN)):
            return report
        await asyncio.sleep(_REST_S)
        if content_of(path) == content:
            return report


def _without_parameters(strategy: StrategyConfig) -> StrategyConfig:
    return msgspec.structs.replace(strategy, config={}, enabled=True)
