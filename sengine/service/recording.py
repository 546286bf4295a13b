"""The journal's part in a live service: recover at the start, record while it runs, stop trading when that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from time import time_ns

from sengine.adapters.journal.journal import FOLDER, Beginning, Journal
from sengine.adapters.journal.recovery import Recovered, new_session_after, recover
from sengine.adapters.store.lead import lead_of
from sengine.adapters.store.link import StoreLink, store_path
from sengine.clock import format_timestamp
from sengine.config import Config
from sengine.domain.events import Flatten, ForgetTime, KillSwitch
from sengine.engine.state.trading_record import DAY_NS
from sengine.runtime.live_engine import LiveEngine
from sengine.runtime.status import ServiceStatus


class Recording:
    """Keeps the journal of one run in ``directory``. ``session`` is the prefix of the run's order ids; ``pull`` pulls
    the kill switch for a reason, on behalf of somebody, by a means."""

    def __init__(
        self,
        live: LiveEngine,
        facts: ServiceStatus,
        config: Config,
        directory: Path,
        session: str,
        pull: Callable[[str, str, str], None],
    ) -> None:
        self.has_past = False
        """Whether an earlier session was taken up."""
        self.past_session = ""
        """The prefix of its order ids."""
        self._live = live
        self._facts = facts
        self._config = config
        self._folder = directory / FOLDER
        self._session = session
        self._pull = pull
        self._journal: Journal | None = None
        self._store: StoreLink | None = None
        self._flattening: Sequence[tuple[str, str]] = ()
        """What the earlier session was bringing to zero."""

    async def start(self) -> None:
        """Take up the past, where it is wanted, and record from here on. Raises ``JournalError`` for a journal that is
        damaged or cannot be written."""
        config, live = self._config, self._live
        if not config.journal.enabled:
            if config.position_tracker.persistence:
                live.say("warning", "no records are kept: position_tracker.persistence needs journal.enabled")
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lead = ""
        killed_already = live.engine.kill_reason
        if config.position_tracker.persistence:
            live.is_recovering, self._facts.waits_for = True, "the journal, which is being taken up"
            # Before its torn end is cut, and before the store follows it.
            lead = lead_of(store_path(config, self._folder.parent), self._folder)
            recovered = await recover(self._folder, live.engine, config.recovery.warmup_events)
            beginning, self._facts.waits_for = recovered.beginning, ""
            self._flattening = list(live.engine.flattening)
            self._tell(recovered)
        else:
            beginning = new_session_after(self._folder)
        self._begin(beginning)
        live.recovered()
        self._forget_future()
        kill_reason = live.engine.kill_reason or killed_already
        if kill_reason:
            # What asked for it, the file or the journal, and what did not both know it now.
            live.process(KillSwitch(kill_reason))
        if lead:
            self._halt(lead)
        if live.gateway is None and config.execution.target == "simulated":
            if lead:
                self.give_up_flattens()
            else:
                self.resume_flattens()

    def _halt(self, lead: str) -> None:
        """The end of the journal is lost: a person must look, or is told at least."""
        said = f"the end of the journal is lost: {lead}; positions are those of before"
        self._live.say("error", said)
        if self._config.recovery.on_mismatch == "halt":
            self._facts.mismatches = [said]
            self._live.process(KillSwitch(f"{said}; compare them with the venue, then `sengine reconcile --adopt`"))

    def _forget_future(self) -> None:
        """Symbols whose last time is yet to come, as after a clock that was wrong, would refuse all that is right."""
        live, max_ahead_ns = self._live, self._config.market_data.max_ahead_ns
        if max_ahead_ns is None:
            return
        now_ns = time_ns()
        wrong = [each for each in live.engine.markets.values() if each.last_ns > now_ns + max_ahead_ns]
        for market in wrong:
            live.say(
                "warning",
                "the last time of a symbol is in the future; it begins anew",
                symbol=market.symbol,
                last=format_timestamp(market.last_ns),
            )
            live.process(ForgetTime(market.symbol, now_ns))
        if not wrong and live.engine.record.day_ends_ns > now_ns + DAY_NS + max_ahead_ns:
            live.process(ForgetTime("", now_ns))

    def resume_flattens(self) -> None:
        """A new command each, so that what is resumed is on record."""
        for strategy_id, symbol in self._flattening:
            self._live.process(Flatten(strategy_id, symbol, "it was under way when the engine ended"))

    def give_up_flattens(self) -> None:
        for strategy_id, symbol in self._flattening:
            self._live.say("warning", f"the flatten of {strategy_id} {symbol} is not resumed; flatten again")

    async def close(self) -> None:
        """The run ended on purpose."""
        if self._journal is not None:
            self._live.journal = None
            if self._store is not None:
                self._store.end_samples()
            self._journal.close()
            if self._store is not None:
                self._store.stop()

    def _begin(self, beginning: Beginning) -> None:
        loop = asyncio.get_running_loop()

        def on_change(failure: str) -> None:
            loop.call_soon_threadsafe(self._changed, failure)

        def on_removal(keys: str, sentence: str) -> None:
            if self._facts.audit is not None:
                self._facts.audit.record("the engine", keys, "Retention", sentence)
            loop.call_soon_threadsafe(self._live.say, "info", sentence)

        self._journal = Journal(
            self._folder,
            self._config,
            self._live.engine,
            self._session,
            beginning,
            on_change=on_change,
            on_removal=on_removal,
        )
        self._live.journal = self._journal
        if self._config.position_tracker.persistence:
            self._store = StoreLink(self._live, self._facts, self._config, self._journal, self._folder.parent)
            self._store.start()

    def _changed(self, failure: str) -> None:
        """On the loop: the journal cannot be written, or can again."""
        if not failure:
            rearm = "; `sengine rearm` lets orders out" if self._live.engine.kill_reason else ""
            self._live.say("warning", f"the journal is written again{rearm}")
        elif self._live.journal is not None:
            reason = f"the journal cannot be written: {failure}"
            self._live.say("error", reason, folder=str(self._folder))
            if self._config.risk.kill_on.journal_failure:
                self._pull(f"journal: {failure}", "the engine", "risk.kill_on.journal_failure")

    def _tell(self, recovered: Recovered) -> None:
        self.has_past = recovered.records > 0
        self.past_session = recovered.session
        for note in recovered.notes:
            self._live.say("warning", note)
        if self.has_past:
            engine = self._live.engine
            self._live.say(
                "info",
                "recovered from the journal",
                records=recovered.records,
                was_stopped=recovered.was_closed,
                positions=sum(1 for each in engine.portfolio.positions() if each.quantity),
                in_flight=sum(1 for _ in engine.orders.open_orders()),
                kill_reason=engine.kill_reason,
            )
