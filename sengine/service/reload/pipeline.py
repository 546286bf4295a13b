"""From a changed file to a running strategy: proved elsewhere, made and warmed aside, swapped in between two ticks.

Nothing here blocks the engine's loop for long. The proof runs in another process, which compiles as well. Importing and
warming happen in a thread, for a limited time. What is left for the loop is a few ticks and the swap.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import perf_counter, perf_counter_ns
from typing import Any, Final, TypeVar

import msgspec

from sengine.adapters.containment.strategy_output import unheard
from sengine.assembly import strategy_spec
from sengine.config.schema import PluginsConfig, StrategyConfig
from sengine.domain.events import UnloadStrategy
from sengine.domain.market import DataKind
from sengine.domain.reload import ReloadReport
from sengine.engine.core import Engine
from sengine.engine.state.recent_ticks import ANY_SYMBOL, Tick, recent_ticks
from sengine.engine.strategies.exported import exported_state
from sengine.engine.strategies.runtime import StrategyRuntime
from sengine.engine.strategies.spec import LoadStrategy, StrategySpec
from sengine.engine.strategies.swap import SwapStrategy
from sengine.engine.strategies.windows import lost_in_words, sizes_of
from sengine.plugins.loader import LoadedPlugin
from sengine.runtime.live_engine import LiveEngine
from sengine.service.reload.bounded_thread import run_aside
from sengine.service.reload.candidates import Candidate, keys_of, made_aside
from sengine.service.reload.draft import Draft, ReloadFailedError
from sengine.service.reload.prover_child import ProverChild
from sengine.service.reload.request import Instance, ProofRequest, pack
from sengine.service.reload.stall import LoopStall

T = TypeVar("T")
MOST_PROOF_TICKS: Final = 5000
_NO_STATE: Final = (
    "the version that runs cannot give its state ({}), and what is in the file now was not tried; unload the strategy "
    "and load it again (x and L on the screens) to begin without that state"
)


class Pipeline:
    """Carries out one reload at a time."""

    def __init__(self, live: LiveEngine, prover: ProverChild, settings: PluginsConfig) -> None:
        self._live = live
        self._prover = prover
        self._settings = settings
        self._turn = asyncio.Lock()

    async def swap(self, strategy: StrategyConfig, path: Path, trigger: str) -> ReloadReport:
        """Give a running strategy the code in ``path`` and the parameters of ``strategy``.

        The report says how it went; where it failed, the old version runs on. Raises ``EngineError`` where there is no
        such strategy.
        """
        async with self._turn:
            runtime = self._live.engine.registry.get(strategy.id)
            draft = Draft(strategy.id, "code", trigger, runtime.spec.version, path, self._live.engine.guard)
            with suppress(ReloadFailedError):
                await self._swap(runtime, strategy, path, draft)
            return draft.finished(_said_of_swap)

    async def load(self, strategy: StrategyConfig, path: Path, trigger: str) -> ReloadReport:
        """Take a new strategy in, once it is proved, and as if it had run all the while."""
        async with self._turn:
            draft = Draft(strategy.id, "load", trigger, "", path, self._live.engine.guard)
            with suppress(ReloadFailedError):
                await self._load(strategy, path, draft)
            return draft.finished(_said_of_load)

    async def _swap(self, runtime: StrategyRuntime, strategy: StrategyConfig, path: Path, draft: Draft) -> None:
        engine, spec_before = self._live.engine, runtime.spec
        with draft.step("state of the running version", _NO_STATE), runtime.guard.calling(runtime, has_patience=True):
            instances = [
                Instance.of(key, engine.portfolio.held_by(strategy.id, key), exported_state(each), each.state_version)
                for key, each in runtime.instances.items()
            ]
        with LoopStall() as stall:
            with draft.step("prove"):
                loaded = await self._proved(strategy, path, runtime, instances, draft)
            with draft.step("warm up here"):
                spec = strategy_spec(strategy, loaded)
                config = await self._aside(lambda: spec.prepare(dict(spec.config))[1], path)
                candidates = await self._candidates(spec, keys_of(spec, runtime.instances, engine), draft, path)
        draft.note(longest_stall_us=stall.longest_us)
        with draft.step("swap"):
            if engine.registry.find(strategy.id) is not runtime or runtime.spec is not spec_before:
                raise draft.failure("the strategy was changed by somebody else meanwhile; reload it again", str(path))
            self._put_in_place(runtime, spec, config, candidates, self._settings.rollback_ticks, draft)

    async def _load(self, strategy: StrategyConfig, path: Path, draft: Draft) -> None:
        engine = self._live.engine
        with LoopStall() as stall:
            with draft.step("prove"):
                loaded = await self._proved(strategy, path, None, (), draft)
            with draft.step("warm up here"):
                spec = strategy_spec(strategy, loaded)
                spare = await self._aside(spec.create, path)
                config = await self._aside(lambda: spec.prepare(dict(spec.config))[1], path)
                candidates = await self._candidates(spec, keys_of(spec, None, engine), draft, path)
        draft.note(longest_stall_us=stall.longest_us)
        with draft.step("load here"):
            self._live.process(LoadStrategy(spec, spare))
            if not candidates:
                return
            try:
                self._put_in_place(engine.registry.get(strategy.id), spec, config, candidates, 0, draft)
            except ReloadFailedError:
                self._live.process(UnloadStrategy(strategy.id))
                raise

    def _put_in_place(
        self,
        runtime: StrategyRuntime,
        spec: StrategySpec,
        config: Mapping[str, Any],
        candidates: Sequence[Candidate],
        rollback_ticks: int,
        draft: Draft,
    ) -> None:
        """The last ticks and the swap, between two ticks."""
        engine = self._live.engine
        had = sizes_of(runtime)
        began_ns = perf_counter_ns()
        limit_ms, until_s = self._settings.tick_timeout_ms, perf_counter() + self._settings.tick_timeout_ms / 1000
        # What it prints was told by its proof, or by the version that these ticks were for.
        with unheard(), runtime.guard.calling(runtime, has_patience=True):
            has_caught_up = all(each.catch_up(engine, until_s) for each in candidates)
        if not has_caught_up:
            raise draft.failure(
                f"it takes longer than {limit_ms:g} ms (plugins.tick_timeout_ms) to see the ticks that have come, and "
                f"the engine waits no longer; reload it when it is quieter, or set plugins.warmup_ticks to less than "
                f"{self._settings.warmup_ticks}",
                spec.source,
            )
        outcome = self._live.process(
            SwapStrategy(
                spec,
                {each.key: each.warmed for each in candidates},
                {each.key: each.instance for each in candidates},
                rollback_ticks,
                config,
            )
        )
        draft.note(swap_pause_us=(perf_counter_ns() - began_ns) / 1000)
        # A load swaps a spec for itself, so it shows in who runs.
        if runtime.spec is not spec or any(runtime.instances.get(each.key) is not each.instance for each in candidates):
            fault = outcome.faults[-1]
            raise draft.failure(fault.message, fault.where)
        draft.tell_lost(lost_in_words(had, sizes_of(runtime)))

    async def _proved(
        self,
        strategy: StrategyConfig,
        path: Path,
        runtime: StrategyRuntime | None,
        instances: Sequence[Instance],
        draft: Draft,
    ) -> LoadedPlugin:
        """The file, proved in another process and then imported here from the contents that were proved."""
        engine, settings = self._live.engine, self._settings
        running, config = None, dict[str, Any]()
        if runtime is not None:
            running, config = runtime.spec.loaded_from, dict(runtime.written)
            spec, keys = runtime.spec, [each.key for each in instances]
            ticks = await proof_ticks(engine, spec.symbols, spec.kinds, keys, settings.warmup_ticks)
        else:
            # Which kinds it wants is not known yet.
            wanted = [name for name in engine.markets if name in strategy.symbols or ANY_SYMBOL in strategy.symbols]
            ticks = await proof_ticks(engine, strategy.symbols, tuple(DataKind), wanted, settings.warmup_ticks)
        timeout_s = settings.proof_timeout_ms / 1000

        def encoded() -> bytes:
            in_order = [ticks[number] for number in sorted(ticks)[-MOST_PROOF_TICKS:]]
            trades, rows = pack(data for _, data in in_order)
            request = ProofRequest(
                strategy,
                str(path),
                {str(file): content for file, content in running.sources.items()} if running is not None else {},
                config,
                instances,
                trades,
                rows,
                settings.tick_budget_us,
                settings.tick_timeout_ms,
                timeout_s,
            )
            return msgspec.msgpack.encode(request)

        proof = await self._prover.prove(await self._aside(encoded, path), timeout_s)
        for line in proof.said:
            self._live.tell(line)
        draft.take_proof(proof)
        return await self._aside(lambda: proof.load(path), path)

    async def _candidates(
        self, spec: StrategySpec, keys: Sequence[str], draft: Draft, path: Path
    ) -> Sequence[Candidate]:
        engine = self._live.engine
        positions = {key: position_of(engine, spec.strategy_id, key) for key in keys}

        async def aside(work: Callable[[], Any]) -> Any:
            return await self._aside(work, path)

        return await made_aside(engine, spec, positions, self._settings.warmup_ticks, draft.on_tick_us, aside)

    async def _aside(self, work: Callable[[], T], path: Path) -> T:
        return await run_aside(work, self._settings.setup_timeout_ms / 1000, path)


async def proof_ticks(
    engine: Engine, symbols: Sequence[str], kinds: Sequence[DataKind], keys: Sequence[str], most: int
) -> Mapping[int, Tick]:
    """The ticks that a proof is made on, by number."""
    ticks: dict[int, Tick] = {}
    for key in keys:
        kept = recent_ticks(engine.markets, key, symbols, kinds)
        ticks |= {tick[0]: tick for tick in kept[max(0, len(kept) - most) :]}
        # Many symbols keep many ticks, and the loop has others to serve.
        await asyncio.sleep(0)
    return ticks


def _said_of_swap(report: ReloadReport) -> str:
    if not report.is_done:
        return (
            f"strategy {report.strategy_id} not reloaded: {report.place}: {report.reason}; "
            f"version {report.old_version} runs on"
        )
    compared = report.compared
    signals = f"; {compared.in_words}" if compared is not None else ""
    return (
        f"strategy {report.strategy_id} reloaded: {report.old_version} -> {report.new_version}{signals}; "
        f"swapped in {report.swap_pause_us:.0f} us{report.lost_sentence}"
    )


def _said_of_load(report: ReloadReport) -> str:
    if report.is_done:
        return f"strategy {report.strategy_id} loaded: {report.new_version}"
    return f"strategy {report.strategy_id} not loaded: {report.place}: {report.reason}"


def position_of(engine: Engine, strategy_id: str, key: str) -> float:
    """What the instance holds by the engine's books, summed where it holds several symbols."""
    return sum(position.quantity for position in engine.portfolio.held_by(strategy_id, key))
