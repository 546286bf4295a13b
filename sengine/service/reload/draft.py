"""A report while it is being written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter, time_ns
from typing import Any

import msgspec

from sengine.domain.reload import ReloadReport, ReloadStep
from sengine.engine.strategies.faults import in_words
from sengine.engine.strategies.guard import Guard, Loading
from sengine.service.reload.proof import explained
from sengine.service.reload.request import Proof


class ReloadFailedError(Exception):
    """A step failed; the draft says why."""


class Draft:
    """Collects steps and figures of one reload. ``step`` ends the reload with ``ReloadFailedError`` when it fails."""

    def __init__(
        self, strategy_id: str, what: str, trigger: str, old_version: str, path: Path, guard: Guard | None = None
    ) -> None:
        self._began_s = perf_counter()
        self._path = path
        self._describe = partial(_described, guard or Guard(), Loading(strategy_id))
        self.steps: list[ReloadStep] = []
        self._step_note = ""
        self._report = ReloadReport(strategy_id, what, trigger, time_ns(), False, old_version, "", "")

    def note(self, **figures: Any) -> None:
        """Fields of the report."""
        self._report = msgspec.structs.replace(self._report, **figures)

    def take_proof(self, proof: Proof) -> None:
        """The steps and figures of a proof. Raises ``ReloadFailedError`` where it failed."""
        self.steps += proof.steps
        self.note(
            new_version=proof.version,
            compared=proof.compared,
            on_tick_p50_us=proof.on_tick_p50_us,
            on_tick_p99_us=proof.on_tick_p99_us,
        )
        if proof.reason:
            raise self.failure(proof.reason, proof.where)

    def tell_lost(self, lost: str) -> None:
        """What is remembered less of than before, in words: in the report and as the note of the step that is on."""
        self.note(lost=lost)
        self._step_note = f"remembers less than before: {lost}" if lost else ""

    @property
    def on_tick_us(self) -> float:
        """How long a call of the new version's ``on_tick`` takes, as the proof has measured."""
        return self._report.on_tick_p50_us

    @contextmanager
    def step(self, name: str, sentence: str = "{}") -> Iterator[None]:
        """One step, timed; where it fails, ``sentence`` says so around the reason. Cancellation is none of its
        business."""
        began_s = perf_counter()
        try:
            yield
        except ReloadFailedError as failure:
            if not self.steps or self.steps[-1].is_done:
                self.steps.append(ReloadStep(name, False, (perf_counter() - began_s) * 1000, str(failure)))
            raise
        except (asyncio.CancelledError, GeneratorExit):
            raise
        # Whatever else it is, it is the strategy's doing.
        except BaseException as error:
            reason, where = explained(error, self._path, describe=self._describe)
            reason = sentence.format(reason)
            self.steps.append(ReloadStep(name, False, (perf_counter() - began_s) * 1000, reason))
            raise self.failure(reason, where) from error
        note, self._step_note = self._step_note, ""
        self.steps.append(ReloadStep(name, True, (perf_counter() - began_s) * 1000, note))

    def failure(self, reason: str, where: str) -> ReloadFailedError:
        """What to raise, after writing it down."""
        self.note(reason=reason, where=where)
        return ReloadFailedError(reason)

    def finished(self, say: Callable[[ReloadReport], str]) -> ReloadReport:
        """The report; ``say`` makes its message."""
        took_ms = (perf_counter() - self._began_s) * 1000
        report = msgspec.structs.replace(
            self._report, steps=tuple(self.steps), took_ms=took_ms, is_done=not self._report.reason
        )
        return msgspec.structs.replace(report, message=say(report))


def _described(guard: Guard, callee: Loading, error: BaseException) -> str:
    return in_words(guard, callee, error)[0]
