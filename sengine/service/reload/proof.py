"""The steps that new code must pass before the engine touches it: a function from a request to a proof.

It runs in a process that may die of it. A step that fails ends the proof; what failed is said with file and line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import perf_counter, perf_counter_ns
from typing import Any, Final, TypeAlias

import msgspec

from sengine.adapters.containment.strategy_output import unheard
from sengine.adapters.transport.memory_limit import too_much
from sengine.assembly import strategy_spec
from sengine.domain.market import MarketData
from sengine.domain.reload import ReloadStep, SignalComparison
from sengine.engine.state.recent_ticks import ANY_SYMBOL
from sengine.engine.strategies.faults import describe_error
from sengine.engine.strategies.plain_values import bounded_text
from sengine.engine.strategies.spec import StrategySpec
from sengine.engine.strategies.stamping import InvalidSignalError, several, stamp
from sengine.engine.strategies.swap import take_over
from sengine.errors import PluginError, SengineError
from sengine.plugins.loader import load_plugin, locate
from sengine.plugins.private_modules import compiled_code
from sengine.printable import a_few
from sengine.service.reload.request import Proof, ProofRequest, unpack
from sengine.service.reload.threads import StartedThreads
from sengine.strategy import BaseStrategy

_LEAST_SAMPLES: Final = 20
_MOST_NAMED: Final = 3
NOTHING_HELD: Final = "holding nothing"
Signals: TypeAlias = tuple[tuple[object, ...], ...]
"""What decides about the signals of one answer; empty for none."""


class _StepFailedError(Exception):
    """A step failed; the proof says why."""


def prove(request: ProofRequest, on_step: Callable[[str], None]) -> Proof:
    """All steps, or those up to the first that fails. ``on_step`` hears of each one as it begins, so that somebody
    knows it if this process dies."""
    path, proof = Path(request.path), Proof()
    threads = StartedThreads(path)

    @contextmanager
    def step(name: str, called: Callable[..., object] | None = None) -> Iterator[None]:
        on_step(name)
        began_s = perf_counter()
        try:
            yield
            if not request.is_apart:
                threads.check()
        except BaseException as error:
            proof.reason, proof.where = explained(error, path, called)
            if isinstance(error, MemoryError) or isinstance(error.__cause__, MemoryError):
                proof.reason += f": {too_much(request.strategy.memory_mb)}"
            proof.steps.append(ReloadStep(name, False, (perf_counter() - began_s) * 1000, proof.reason))
            raise _StepFailedError from error
        proof.steps.append(ReloadStep(name, True, (perf_counter() - began_s) * 1000))

    try:
        with threads.watched():
            with step("load"):
                loaded = load_plugin(path)
                spec = strategy_spec(request.strategy, loaded)
                proof.version = loaded.version
            with step("parameters"):
                ticks = unpack(request)
                strategies = {key: spec.create() for key in _keys(spec, request, ticks)}
            with step("warm-up", loaded.strategy_type.on_tick):
                answers, durations_ns = answers_of(spec, strategies, request, ticks)
            with step("state"):
                for instance in request.instances:
                    if instance.state is not None:
                        state = msgspec.msgpack.decode(instance.state)
                        strategies[instance.key].import_state(state, instance.state_version)
            with step("canary"):
                signals = _sane(spec, answers, ticks, strategies)
                _take_times(proof, request, durations_ns)
                if request.running:
                    proof.compared = _beside_running(request, path, ticks, spec, signals)
            proof.sources = {str(file): content for file, content in loaded.sources.items()}
            proof.code = {str(file): code for file, code in compiled_code(loaded.sources).items()}
    except _StepFailedError:
        pass
    return proof


def _keys(spec: StrategySpec, request: ProofRequest, ticks: Sequence[MarketData]) -> Sequence[str]:
    """The instances to prove; one in any case."""
    keys = [instance.key for instance in request.instances]
    if not keys and spec.one_instance_per_symbol:
        keys = list(dict.fromkeys(data.symbol for data in ticks))
    return keys or (ANY_SYMBOL,)


def answers_of(
    spec: StrategySpec, strategies: Mapping[str, BaseStrategy], request: ProofRequest, ticks: Sequence[MarketData]
) -> tuple[list[object], list[int]]:
    """What fresh instances answer that know their position alone, as in the warm-up of a swap."""
    for instance in request.instances:
        strategies[instance.key].position = instance.position
    return shown(spec, strategies, ticks)


def shown(
    spec: StrategySpec, strategies: Mapping[str, BaseStrategy], ticks: Sequence[MarketData]
) -> tuple[list[object], list[int]]:
    """What instances answer to each tick (``None`` where they are not asked), and how long each call took."""
    answers: list[object] = []
    durations_ns: list[int] = []
    for data in ticks:
        strategy = strategies.get(data.symbol) or strategies.get(ANY_SYMBOL)
        if strategy is None or data.kind not in spec.kinds:
            answers.append(None)
            continue
        began_ns = perf_counter_ns()
        answers.append(strategy.on_tick(data))
        durations_ns.append(perf_counter_ns() - began_ns)
    return answers, durations_ns


def compare(
    ticks: Sequence[MarketData], before: Sequence[Signals], now: Sequence[Signals], held: str = NOTHING_HELD
) -> SignalComparison:
    """Two versions' signals on the same ticks; ``held`` says what they held meanwhile."""
    differ, first = 0, ""
    for data, old, new in zip(ticks, before, now, strict=True):
        if old != new:
            differ += 1
            first = first or f"{data.symbol} at {data.timestamp.isoformat()}: {_words(old)} before, {_words(new)} now"
    return SignalComparison(len(ticks), len(ticks) - differ, differ, first, held)


def explained(
    error: BaseException,
    path: Path,
    called: Callable[..., object] | None = None,
    describe: Callable[[BaseException], str] = describe_error,
) -> tuple[str, str]:
    """Why and where, as of ``locate``. Our own sentences begin with the place; it is taken off them. ``describe`` runs
    its author's code."""
    if not issubclass(type(error), SengineError):
        return describe(error), locate(error, path, called)
    text = bounded_text(str(error))
    head, colon, rest = text.partition(": ")
    return (rest, head) if colon and head.startswith(str(path.parent)) else (text, str(path))


def _sane(
    spec: StrategySpec, answers: Sequence[object], ticks: Sequence[MarketData], strategies: Mapping[str, BaseStrategy]
) -> list[Signals]:
    """The engine's reading of each answer. Raises ``PluginError`` at the strategy's ``on_tick`` for an invalid one."""
    try:
        return [_read(spec, answer, data) for answer, data in zip(answers, ticks, strict=True)]
    except InvalidSignalError as error:
        on_tick = type(next(iter(strategies.values()))).on_tick
        raise PluginError(f"{locate(error, Path(spec.source), on_tick)}: invalid signal: {error}") from error


def _read(spec: StrategySpec, answer: object, data: MarketData) -> Signals:
    if answer is None:
        return ()
    read = [stamp(spec, signal, data, 1) for signal in several(answer)]
    return tuple((each.symbol, str(each.direction), each.confidence, each.size, each.limit_price) for each in read)


def _take_times(proof: Proof, request: ProofRequest, durations_ns: list[int]) -> None:
    """Raises ``PluginError`` where most calls are over the budget, or one in a hundred over the hard limit."""
    if not durations_ns:
        return
    durations_ns.sort()
    proof.on_tick_p50_us = durations_ns[len(durations_ns) // 2] / 1000
    proof.on_tick_p99_us = durations_ns[min(len(durations_ns) * 99 // 100, len(durations_ns) - 1)] / 1000
    if len(durations_ns) < _LEAST_SAMPLES:
        return
    if proof.on_tick_p50_us > request.tick_budget_us:
        raise PluginError(
            f"{request.path}: on_tick takes {proof.on_tick_p50_us:,.0f} us in the middle of {len(durations_ns)} calls; "
            f"the budget is {request.tick_budget_us:g} us"
        )
    if request.tick_timeout_ms and proof.on_tick_p99_us > request.tick_timeout_ms * 1000:
        raise PluginError(
            f"{request.path}: one on_tick in a hundred takes {proof.on_tick_p99_us / 1000:,.1f} ms or more; "
            f"the limit is {request.tick_timeout_ms:g} ms"
        )


def _beside_running(
    request: ProofRequest, path: Path, ticks: Sequence[MarketData], spec: StrategySpec, signals: Sequence[Signals]
) -> SignalComparison | None:
    """The new version beside a fresh instance of the running one; ``None`` where that one fails by itself.

    What a stop does depends on the entry price, which a strategy learns by ``on_fill`` or keeps in its state. So where
    something is held or declared, both are told before the ticks. A strategy that cannot be told before its first tick
    is compared by its position alone, and that is said.
    """
    try:
        known = {Path(file): content for file, content in request.running.items()}
        strategy = msgspec.structs.replace(request.strategy, config=dict(request.running_config))
        running = strategy_spec(strategy, load_plugin(path, known))
        with unheard():
            told = _compared_when_told(running, spec, request, ticks)
            if told is not None:
                return told
            strategies = {instance.key: running.create() for instance in request.instances}
            answers, _ = answers_of(running, strategies, request, ticks)
        before = _sane(running, answers, ticks, strategies)
    except BaseException:
        return None
    held = _held(request)
    return compare(ticks, before, signals, held if held == NOTHING_HELD else f"{held}, entry prices left out")


def _compared_when_told(
    running: StrategySpec, spec: StrategySpec, request: ProofRequest, ticks: Sequence[MarketData]
) -> SignalComparison | None:
    """``None`` where there is nothing to tell, or where it cannot be told before the first tick."""
    if not any(instance.held or instance.state is not None for instance in request.instances):
        return None
    with suppress(Exception):
        before, now = (_answers_when_told(each, request, ticks) for each in (running, spec))
        return compare(ticks, before, now, _held(request))
    return None


def _answers_when_told(spec: StrategySpec, request: ProofRequest, ticks: Sequence[MarketData]) -> list[Signals]:
    """Signals of fresh instances that know what is held, at which price, and the state that is declared."""
    strategies = {instance.key: spec.create() for instance in request.instances}
    now_ns = ticks[0].timestamp_ns if ticks else 0
    for instance in request.instances:
        take_over(strategies[instance.key], instance.key, None, instance.positions(), now_ns)
        if instance.state is not None:
            strategies[instance.key].import_state(msgspec.msgpack.decode(instance.state), instance.state_version)
    return _sane(spec, shown(spec, strategies, ticks)[0], ticks, strategies)


def _held(request: ProofRequest) -> str:
    """``holding 2 BTCUSDT at 65000``."""
    held = [each for instance in request.instances for each in instance.held]
    if not held:
        return NOTHING_HELD
    words = [f"{each.quantity:.10g} {each.symbol} at {each.average_price:.10g}" for each in held]
    return f"holding {a_few(words, _MOST_NAMED)}"


def _words(signals: Any) -> str:
    words = []
    for _, direction, confidence, size, limit_price in signals:
        limit = f" at {limit_price:g}" if limit_price is not None else ""
        words.append(f"{direction} {size:g}{limit} (confidence {confidence:.2f})")
    return ", ".join(words) or "nothing"
