"""From a changed file to a running strategy: proved elsewhere, made and warmed aside, swapped in between two ticks.

Nothing here blocks the engine's loop for long. The proof runs in another process. Importing and warming happen in a
thread, which gives the interpreter back twice a millisecond. What is left for the loop is a few ticks and the swap.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from time import perf_counter_ns
from typing import Final, TypeVar

import msgspec

from sengine.assembly import strategy_spec
from sengine.config.schema import PluginsConfig, StrategyConfig
from sengine.domain.reload import ReloadReport
from sengine.engine.core import Engine
from sengine.engine.guest import Guest
from sengine.engine.recent import ANY_SYMBOL, Tick, recent_ticks
from sengine.engine.roster import LoadStrategy
from sengine.engine.spec import StrategySpec
from sengine.engine.swap import SwapStrategy, Warmed, exported_state, warm
from sengine.live import LiveEngine
from sengine.plugins.loader import LoadedPlugin, load_plugin
from sengine.reloading.draft import Draft, ReloadFailedError
from sengine.reloading.prover_child import ProverChild
from sengine.reloading.request import Instance, ProofRequest, pack
from sengine.reloading.stall import LoopStall
from sengine.strategy import BaseStrategy

T = TypeVar("T")
_FEW_TICKS: Final = 32
_MOST_PROOF_TICKS: Final = 5000
_MOST_ROUNDS: Final = 10
# How long a thread may keep the interpreter from the loop; Python's own default is ten times that.
_SWITCH_S: Final = 0.0005


class Pipeline:
    """Carries out one reload at a time."""

    def __init__(self, live: LiveEngine, prover: ProverChild, settings: PluginsConfig) -> None:
        self._live = live
        self._prover = prover
        self._settings = settings
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reload")

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def swap(self, strategy: StrategyConfig, path: Path, trigger: str) -> ReloadReport:
        """Give a running strategy the code in ``path`` and the parameters of ``strategy``.

        The report says how it went; where it failed, the old version runs on. Raises ``EngineError`` where there is no
        such strategy.
        """
        async with self._turn:
            guest = self._live.engine.roster.get(strategy.id)
            draft = Draft(strategy.id, "code", trigger, guest.spec.version, path)
            with suppress(ReloadFailedError):
                await self._swap(guest, strategy, path, draft)
            return draft.finished(_said_of_swap)

    async def load(self, strategy: StrategyConfig, path: Path, trigger: str) -> ReloadReport:
        """Take a new strategy in, once it is proved."""
        async with self._turn:
            draft = Draft(strategy.id, "load", trigger, "", path)
            with suppress(ReloadFailedError):
                with draft.step("prove"):
                    loaded = await self._proved(strategy, path, None, (), draft)
                with draft.step("load here"):
                    self._live.take(LoadStrategy(strategy_spec(strategy, loaded)))
            return draft.finished(_said_of_load)

    async def _swap(self, guest: Guest, strategy: StrategyConfig, path: Path, draft: Draft) -> None:
        engine, spec_before = self._live.engine, guest.spec
        with draft.step("state of the running version"), guest.guard.calling(guest, has_patience=True):
            instances = [
                Instance(key, _position(engine, guest, key), exported_state(each), each.state_version)
                for key, each in guest.instances.items()
            ]
        async with LoopStall() as stall:
            with draft.step("prove"):
                loaded = await self._proved(strategy, path, guest, instances, draft)
            with draft.step("warm up here"):
                spec = strategy_spec(strategy, loaded)
                positions = {key: _position(engine, guest, key) for key in _keys(spec, guest, engine)}
                most = self._settings.warmup_ticks
                candidates = await self._in_thread(
                    lambda: {key: _Candidate(key, spec.create(), held, most) for key, held in positions.items()}
                )
                await self._warm(spec, candidates)
        draft.note(longest_stall_us=stall.longest_us)
        with draft.step("swap"):
            if engine.roster.find(strategy.id) is not guest or guest.spec is not spec_before:
                raise draft.failure("the strategy was changed by somebody else meanwhile; reload it again", str(path))
            began_ns = perf_counter_ns()
            with guest.guard.calling(guest, has_patience=True):
                for each in candidates.values():
                    each.show(each.missed(engine, spec), engine.ticks)
            outcome = self._live.take(
                SwapStrategy(
                    spec,
                    {key: Warmed(each.shown, each.position) for key, each in candidates.items()},
                    {key: each.instance for key, each in candidates.items()},
                    self._settings.rollback_ticks,
                )
            )
            draft.note(swap_pause_us=(perf_counter_ns() - began_ns) / 1000)
            if guest.spec is not spec:
                fault = outcome.faults[-1]
                raise draft.failure(fault.message, fault.where)

    async def _proved(
        self, strategy: StrategyConfig, path: Path, guest: Guest | None, instances: Sequence[Instance], draft: Draft
    ) -> LoadedPlugin:
        """The file, proved in another process and then imported here from the contents that were proved."""
        engine, settings = self._live.engine, self._settings
        running, config, ticks = None, {}, []
        if guest is not None:
            running, config = guest.spec.loaded_from, guest.written
            ticks = _recent(engine, guest.spec, [instance.key for instance in instances], settings.warmup_ticks)
        timeout_s = settings.proof_timeout_ms / 1000

        def encoded() -> bytes:
            trades, rows = pack(data for _, data in ticks)
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

        proof = await self._prover.prove(await self._in_thread(encoded), timeout_s)
        draft.take_proof(proof)
        return await self._in_thread(lambda: load_plugin(path, proof.by_file))

    async def _warm(self, spec: StrategySpec, candidates: Mapping[str, _Candidate]) -> None:
        """Show what there is, and what comes meanwhile, until only a few ticks are left."""
        engine = self._live.engine
        for _ in range(_MOST_ROUNDS):
            number = engine.ticks
            missed = [(each, each.missed(engine, spec)) for each in candidates.values()]
            if sum(len(ticks) for _, ticks in missed) <= _FEW_TICKS:
                return

            def show(missed: Sequence[tuple[_Candidate, Sequence[Tick]]] = missed, number: int = number) -> None:
                for each, ticks in missed:
                    each.show(ticks, number)

            await self._in_thread(show)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        def quickly() -> T:
            with _switching_often():
                return work()

        return await asyncio.get_running_loop().run_in_executor(self._thread, quickly)


class _Candidate:
    """A new instance, and what it has been shown."""

    def __init__(self, key: str, instance: BaseStrategy, position: float, most: int) -> None:
        self.key = key
        self.instance = instance
        self.position = position
        self.shown = 0
        self._most = most
        self._last = 0

    def missed(self, engine: Engine, spec: StrategySpec) -> Sequence[Tick]:
        """Ticks it has not seen; the first time, the most recent ones."""
        ticks = recent_ticks(engine.markets, self.key, spec.symbols, spec.kinds, self._last)
        return ticks if self._last else ticks[-self._most :] if self._most else ()

    def show(self, ticks: Sequence[Tick], number: int) -> None:
        """Show them; ``number`` is that of the engine's last tick when they were taken."""
        warm(self.instance, ticks, self.position)
        self.shown += len(ticks)
        self._last = number


def _keys(spec: StrategySpec, guest: Guest, engine: Engine) -> Sequence[str]:
    """The instances that a new version begins with: those that there are, or, where it divides symbols another way, one
    for each symbol of the market that it wants, or one for all."""
    if not guest.instances:
        return ()
    if not spec.one_instance_per_symbol:
        return (ANY_SYMBOL,)
    symbols = list(engine.markets) if ANY_SYMBOL in guest.instances else list(guest.instances)
    return [symbol for symbol in symbols if symbol in spec.symbols or ANY_SYMBOL in spec.symbols]


def _recent(engine: Engine, spec: StrategySpec, keys: Sequence[str], most: int) -> list[Tick]:
    """The ticks that a proof is made on, in the order of their arrival."""
    ticks = {
        tick[0]: tick for key in keys for tick in recent_ticks(engine.markets, key, spec.symbols, spec.kinds)[-most:]
    }
    return [ticks[number] for number in sorted(ticks)[-_MOST_PROOF_TICKS:]]


def _said_of_swap(report: ReloadReport) -> str:
    if not report.is_done:
        return (
            f"strategy {report.strategy_id} not reloaded: {report.where}: {report.reason}; "
            f"version {report.old_version} runs on"
        )
    compared = report.compared
    signals = f"; {compared.same} of {compared.ticks} recent ticks answered as before" if compared is not None else ""
    return (
        f"strategy {report.strategy_id} reloaded: {report.old_version} -> {report.new_version}{signals}; "
        f"swapped in {report.swap_pause_us:.0f} us"
    )


def _said_of_load(report: ReloadReport) -> str:
    if report.is_done:
        return f"strategy {report.strategy_id} loaded: {report.new_version}"
    return f"strategy {report.strategy_id} not loaded: {report.where}: {report.reason}"


@contextmanager
def _switching_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _position(engine: Engine, guest: Guest, key: str) -> float:
    """What the instance holds by the engine's books, summed where it holds several symbols."""
    return sum(
        position.quantity
        for position in engine.positions.positions()
        if position.strategy_id == guest.strategy_id and key in (ANY_SYMBOL, position.symbol)
    )
