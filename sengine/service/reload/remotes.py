"""New code and parameters for strategies in processes of their own.

Code is proved beside the running version's, in the prover, like any other. Then a new process is started aside, and is
in force once it is warm. The engine's loop has nothing to do meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import msgspec

from sengine.adapters.remote.link import RemoteLink
from sengine.adapters.remote.remotes import Remotes
from sengine.clock import NS_PER_MS
from sengine.config.schema import PluginsConfig, StrategyConfig
from sengine.domain.events import ReloadParameters
from sengine.domain.market import DataKind, MarketData
from sengine.domain.reload import ReloadReport
from sengine.engine.strategies.runtime import StrategyRuntime
from sengine.engine.strategies.spec import LoadStrategy
from sengine.engine.strategies.windows import lost_in_words
from sengine.runtime.live_engine import LiveEngine
from sengine.service.reload.bounded_thread import run_aside
from sengine.service.reload.candidates import keys_of
from sengine.service.reload.draft import Draft, ReloadFailedError
from sengine.service.reload.pipeline import MOST_PROOF_TICKS, proof_ticks
from sengine.service.reload.prover_child import ProverChild
from sengine.service.reload.request import Instance, ProofRequest, pack
from sengine.service.reload.sources import content_of

# Each of the two versions may take about this part of the proof's time; slow ones are shown fewer ticks.
_SHARE: Final = 0.25


class RemotePipeline:
    """Carries out one reload at a time. What fails leaves the strategy as it was."""

    def __init__(self, live: LiveEngine, remotes: Remotes, prover: ProverChild, settings: PluginsConfig) -> None:
        self._live = live
        self._remotes = remotes
        self._prover = prover
        self._settings = settings
        self._turn = asyncio.Lock()

    async def bring_to(self, strategy: StrategyConfig, trigger: str) -> ReloadReport:
        """Bring it to its file and parameters of now. A changed file means a new process."""
        async with self._turn:
            link, runtime = self._remotes.links[strategy.id], self._live.engine.registry.get(strategy.id)
            what = "code" if has_new_code(link) else "parameters"
            path = Path(runtime.spec.source or link.strategy.address)
            draft = Draft(strategy.id, what, trigger, runtime.spec.version, path)
            with suppress(ReloadFailedError):
                if what == "code":
                    await self._new_code(link, runtime, strategy, draft)
                else:
                    await self._parameters(link, strategy, draft)
                draft.note(new_version=runtime.spec.version)
            return draft.finished(_said)

    async def load(self, strategy: StrategyConfig, path: Path, trigger: str) -> ReloadReport:
        """Take a new strategy in, once its file is proved; its process is connected in the background."""
        async with self._turn:
            draft = Draft(strategy.id, "load", trigger, "", path)
            with suppress(ReloadFailedError), draft.step("prove"):
                spec = self._remotes.spec(strategy)
                ticks = await self._ticks(spec.symbols, spec.kinds, keys_of(spec, None, self._live.engine))
                await self._prove(partial(_encoded, self._settings, strategy, path, ticks), path, draft)
                self._live.process(LoadStrategy(spec))
            return draft.finished(_said_of_load)

    async def new_code(self, strategy_id: str, trigger: str) -> ReloadReport:
        """Its file of now, with the parameters that it has."""
        link = self._remotes.links[strategy_id]
        return await self.bring_to(msgspec.structs.replace(link.strategy, config=link.proxy.config), trigger)

    async def _new_code(
        self, link: RemoteLink, runtime: StrategyRuntime, strategy: StrategyConfig, draft: Draft
    ) -> None:
        if link.is_connected:
            with draft.step("prove"):
                path = Path(runtime.spec.source)
                await self._prove(await self._request(link, runtime, strategy, path), path, draft)
        with draft.step("warm up in a new process"):
            had = await link.sizes() if link.is_connected else {}
            await link.replace(dict(strategy.config))
            draft.tell_lost(lost_in_words(had, await link.sizes()))

    async def _prove(self, request: Callable[[], bytes], path: Path, draft: Draft) -> None:
        encoded = await run_aside(request, self._settings.setup_timeout_ms / 1000, path)
        proof = await self._prover.prove(encoded, self._settings.proof_timeout_ms / 1000)
        for line in proof.said:
            self._live.tell(line)
        draft.take_proof(proof)

    async def _parameters(self, link: RemoteLink, strategy: StrategyConfig, draft: Draft) -> None:
        config = dict(strategy.config)
        with draft.step("parameters"):
            await link.give_parameters(config)
            self._live.process(ReloadParameters(strategy.id, config))

    async def _request(
        self, link: RemoteLink, runtime: StrategyRuntime, strategy: StrategyConfig, path: Path
    ) -> Callable[[], bytes]:
        """What makes the proof's request."""
        engine, settings = self._live.engine, self._settings
        instances = [
            Instance.of(key, engine.portfolio.held_by(strategy.id, key), _packed(state), version)
            for key, (state, version) in (await link.instances()).items()
        ]
        spec = runtime.spec
        ticks = await self._ticks(spec.symbols, spec.kinds, [each.key for each in instances])
        slow_ns = runtime.on_tick_latency.percentile_ns(0.5) or 1
        most = min(MOST_PROOF_TICKS, max(1, int(settings.proof_timeout_ms * NS_PER_MS * _SHARE / slow_ns)))
        # Where no instance has run yet, there is nothing to compare with.
        running = {str(file): content for file, content in link.sources.items()} if instances else {}
        config = dict(link.proxy.config)
        return partial(_encoded, settings, strategy, path, ticks[-most:], running, config, instances)

    async def _ticks(
        self, symbols: Sequence[str], kinds: Sequence[DataKind], keys: Sequence[str]
    ) -> Sequence[MarketData]:
        """Recent ones, in order."""
        ticks = await proof_ticks(self._live.engine, symbols, kinds, keys, self._settings.warmup_ticks)
        return [ticks[number][1] for number in sorted(ticks)][-MOST_PROOF_TICKS:]


def _encoded(
    settings: PluginsConfig,
    strategy: StrategyConfig,
    path: Path,
    ticks: Sequence[MarketData],
    running: Mapping[str, bytes] = MappingProxyType({}),
    running_config: Mapping[str, Any] = MappingProxyType({}),
    instances: Sequence[Instance] = (),
) -> bytes:
    """The request of a proof. No budget holds a strategy in its own process, which keeps nobody waiting."""
    trades, rows = pack(ticks)
    request = ProofRequest(
        msgspec.structs.replace(strategy, type="python", isolation="none", plugin=str(path), module=""),
        str(path),
        dict(running),
        dict(running_config),
        instances,
        trades,
        rows,
        tick_budget_us=float("inf"),
        tick_timeout_ms=0.0,
        timeout_s=settings.proof_timeout_ms / 1000,
        is_apart=True,
    )
    return msgspec.msgpack.encode(request)


def has_new_code(link: RemoteLink) -> bool:
    """Whether a process of ours runs other contents than its files have now; what is gone is not new."""
    return link.is_ours and (
        not link.sources or any(content_of(file) not in (was, None) for file, was in link.sources.items())
    )


def _packed(state_json: str) -> bytes | None:
    return msgspec.msgpack.encode(msgspec.json.decode(state_json)) if state_json else None


def _said_of_load(report: ReloadReport) -> str:
    if report.is_done:
        return f"strategy {report.strategy_id} loaded: {report.new_version}; its process is being connected"
    return f"strategy {report.strategy_id} not loaded: {report.place}: {report.reason}"


def _said(report: ReloadReport) -> str:
    if report.reason:
        return (
            f"strategy {report.strategy_id} not reloaded, {report.old_version} runs on: {report.place}: {report.reason}"
        )
    compared = report.compared
    signals = f"; {compared.in_words}" if compared is not None else ""
    versions = f"{report.old_version} -> {report.new_version}"
    said = f"strategy {report.strategy_id} reloaded in its process: {report.what}; {versions}{signals}"
    return said + report.lost_sentence
