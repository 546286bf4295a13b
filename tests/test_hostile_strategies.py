"""Strategies that attack with the objects that they hand over, each through a real engine with its journal.

After each of them the engine is alive, its journal decodes, the orders in flight are those that left, and a start and
`sengine verify` find what the engine knew.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy  # noqa: F401 - so that strategies which import it do not run out of time
import pytest

from sengine.adapters.containment.call_timer import time_limit
from sengine.adapters.control.messages import strategy_detail
from sengine.adapters.journal.journal import Beginning, Journal
from sengine.adapters.journal.reader import JournalReader
from sengine.adapters.journal.recovery import recover
from sengine.assembly import build_engine, build_venue, catalog, load_strategies
from sengine.config.schema import Config, ExecutionConfig, JournalConfig, PluginsConfig, RiskConfig, StrategyConfig
from sengine.domain.events import KillSwitch, SoundBookEvent
from sengine.domain.market import OrderBook, PriceLevel
from sengine.domain.order import Fill, Order
from sengine.engine.checkpoint.checkpoint import checkpoint
from sengine.engine.core import Engine
from sengine.runtime.live_engine import LiveEngine
from sengine.runtime.status import ServiceStatus
from sengine.service.verification import verify

TICKS = 24
TICK_TIMEOUT_MS = 40.0
SETUP_TIMEOUT_MS = 400.0

FILE = """
import datetime, decimal, enum, fractions, sys, time, uuid
import numpy
from sengine.strategy import BaseStrategy, Signal

def die(*args, **keywords): sys.exit(3)
def fail(*args, **keywords): raise RuntimeError("gotcha")
def interrupt(*args, **keywords): raise KeyboardInterrupt
def hang(*args, **keywords):
    while True: pass
def hang_for_good(*args, **keywords):
    while True:
        try:
            while True: pass
        except BaseException: pass

METHODS = ("__repr__", "__str__", "__eq__", "__ne__", "__len__", "__iter__", "__contains__", "__getitem__",
    "__format__", "__bool__", "__float__", "__int__", "__index__", "__lt__", "__gt__", "__le__", "__ge__", "__add__",
    "__radd__", "__abs__", "__neg__", "__getattr__", "__reduce_ex__", "__copy__", "__deepcopy__", "__fspath__",
    "__call__")

def hostile(base, deed, methods=METHODS):
    "A class all of whose methods do the deed."
    fields = "__class__", "items", "keys", "values", "tolist", "item", "size"
    return type("Hostile", (base,), {
        **{name: deed for name in methods}, **{name: property(deed) for name in fields}, "__hash__": base.__hash__,
    })

class Ticker(str): "A text with methods of its own."
class Number(float): "A number with methods of its own."
class Member(enum.StrEnum):
    BTC = "BTCUSDT"
    LONG = "LONG"
class Plain(enum.Enum):
    A = "a"

def long(**fields):
    return Signal(**{"direction": "LONG", "confidence": 0.9, "size": 0.1} | fields)

class S(BaseStrategy):
    route = "direct"
    n = 0
    def on_tick(self, data):
        self.n += 1
        if self.n % 4 == 0:
            return self.say(data)
    def say(self, data):
        return long()
"""

SAY = {
    # What authors write without a thought.
    **{
        f"metadata {text}": f"return long(metadata={text})"
        for text in (
            "{1: 2.0}", "{(1, 2): 0.5}", "[1, 2]", "0.7", "'crossed'", "{'x': float('nan')}", "{'t': data.timestamp}",
            "{'d': decimal.Decimal('1.5')}", "{'s': {1, 2}}", "{'n': numpy.float64(1.5)}", "{'n': numpy.zeros(3)}",
            "{numpy.int64(3): 1}", "{'b': b'x'}", "{b'k': 1}", "{None: 1}", "{Plain.A: 1}",
            "{'d': data.timestamp.date()}",
            "{'i': 10**30}", "{'data': data}", "{'c': 1+2j}", "{'levels': {0: 1.5}}", "{'u': uuid.uuid4()}", "{0.5: 1}",
            "{'o': object()}", "{'t': 'x' * 10**6}", "{'lone': chr(0xd800)}", "{chr(0xd800): 1}", "{'w': Ticker('w')}",
            "{i: i for i in range(10**5)}", "{'nan': {'x': [[[[[[[[[[[1]]]]]]]]]]]}}", "numpy.zeros(3)",
        )
    },
    "text of a class of its own for a symbol": "return long(symbol=Ticker('BTCUSDT'))",
    "NumPy text for a symbol": "return long(symbol=numpy.str_('BTCUSDT'))",
    "member of an enum for a symbol": "return long(symbol=Member.BTC, direction=Member.LONG)",
    "NumPy numbers": "return long(size=numpy.float64(0.1), confidence=numpy.float32(0.5))",
    "numbers of a class of their own": "return long(size=Number(0.1), limit_price=Number(data.mid * 1.001))",
    "decimal": "return long(size=decimal.Decimal('0.1'))",
    "endless symbol": "return long(symbol='B' * 10**7)",
    "lone surrogate for a symbol": "return long(symbol=chr(0xd800))",
    "lone surrogate for a direction": "return long(direction=chr(0xd800))",
    "257 signals": "return [long()] * 257",
    "a million signals": "return [long()] * 10**6",
    "signal of a subclass": """
        kind = type('Mine', (Signal,), {}, frozen=True)
        return kind(direction='LONG', confidence=0.9, size=0.1)""",
    "not a signal": "return 'LONG'",
    "long error": "raise ValueError('x' * 10**6)",
    "error of many lines": "raise ValueError('\\n' * 10**5)",
    "error with a lone surrogate": "raise ValueError(chr(0xd800))",
    "error reported as another process would": """
        from sengine.domain.events import ReportedError
        return [ReportedError(object(), Ticker(chr(0xd800)), [], {})]""",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "SystemExit": "sys.exit(3)",
    "GeneratorExit": "raise GeneratorExit",
    "generator": "yield long()",
    # What nobody writes by accident.
    **{
        f"{deed} in {what}": text.format(deed=deed)
        for deed in ("fail", "die", "interrupt", "hang", "hang_for_good")
        for what, text in {
            "metadata": "return long(metadata={{'x': hostile(object, {deed})()}})",
            "a key of metadata": "return long(metadata={{hostile(str, {deed})('k'): 1}})",
            "a dict of metadata": "return long(metadata=hostile(dict, {deed})(a=1))",
            "a symbol": "return long(symbol=hostile(str, {deed})('BTCUSDT'))",
            "a direction": "return long(direction=hostile(str, {deed})('LONG'))",
            "a size": "return long(size=hostile(float, {deed})(0.1))",
            "a confidence": "return long(confidence=hostile(object, {deed})())",
            "an answer": "return hostile(object, {deed})()",
            "a list": "return hostile(list, {deed})([long(), long(symbol='NO')])",
            "an error's text": "raise type('E', (Exception,), {{'__str__': {deed}, '__repr__': {deed}}})(1)",
            "an error's fields": '''
        names = "__class__", "__traceback__", "__cause__", "__context__", "__notes__", "args", "call", "where", "kind"
        raise type("E", (Exception,), {{name: property({deed}) for name in names}})("x")''',
            "an error's class": '''
        class Meta(type):
            __name__ = __mro__ = __dict__ = __class__ = __bases__ = property({deed})
            __instancecheck__ = __subclasscheck__ = __repr__ = __eq__ = __getattribute__ = {deed}
            __hash__ = type.__hash__
        raise Meta("E", (ValueError,), {{}})("x")''',
            "a signal's fields": '''
        names = "direction", "symbol", "confidence", "size", "metadata", "limit_price", "__class__"
        kind = type("Mine", (Signal,), {{name: property({deed}) for name in names}}, frozen=True)
        return kind()''',
            "a class": "return hostile(type, {deed}, ())('X', (), {{}})",
            "an answer that is asked for anything": "return hostile(object, {deed}, ('__getattribute__',))()",
        }.items()
        if deed in ("fail", "die", "hang") or what in ("metadata", "an error's text", "a signal's fields")
    },
}  # fmt: skip

METHODS = {
    "position": "position = property(lambda self: Number(1.5), lambda self, value: None)",
    **{
        f"{deed} in {what}": text.format(deed=deed)
        for deed in ("fail", "die", "interrupt", "hang")
        for what, text in {
            "export_state": "export_state = {deed}",
            "what export_state returns": "def export_state(self): return {{'x': hostile(object, {deed})()}}",
            "state_version": "state_version = property({deed})",
            "get_state": "get_state = {deed}",
            "what get_state returns": "def get_state(self): return hostile(dict, {deed})(x=hostile(str, {deed})('x'))",
            "on_fill": "on_fill = {deed}",
            "on_order": "on_order = {deed}",
            "shutdown": "shutdown = {deed}",
        }.items()
    },
    "int keys, NumPy and texts of their own in export_state": (
        "def export_state(self): return {1: numpy.float64(2.5), 'w': Ticker('w'), 't': (1, 2), 'a': numpy.zeros(2)}"
    ),
    "a huge number in export_state": "def export_state(self): return {'x': 10**30}",
    "a lone surrogate in export_state": "def export_state(self): return {'x': chr(0xd800)}",
    "too much in export_state": "def export_state(self): return {'x': 'x' * (17 << 20)}",
    "a huge state_version": "state_version = 10**30\n    def export_state(self): return {}",
    "itself in get_state": "def get_state(self): return self.__dict__",
    "metadata that is changed when it comes back": (
        "def say(self, data): return long(metadata={'seen': [1.0]})\n"
        "    def on_order(self, news): news.metadata['seen'].append(object()); news.metadata[object()] = 1"
    ),
    "books in a set, by their types": """
    def __init__(self, i):
        super().__init__(i)
        self.seen = set()
        self.tuples = 0
    def say(self, data):
        self.seen.add((data.orderbook.bids, data.orderbook.asks, data.recent_trades))
        self.tuples += type(data.orderbook.bids) is tuple
        return long(direction="LONG" if self.tuples * 4 == self.n else "SHORT")""",
}


class Venue:
    """A gateway that takes every order and fills none by itself."""

    def __init__(self) -> None:
        self.sent: list[Order] = []

    def send(self, order: Order, received_ns: int = 0) -> None:
        self.sent.append(order)

    def cancel(self, order_id: str) -> None:
        pass

    def change_bounds(self, execution: ExecutionConfig) -> None:
        pass


def configured(folder: Path, text: str, target: str = "external") -> Config:
    plugins = folder / "plugins"
    plugins.mkdir(exist_ok=True)
    (plugins / "hostile.py").write_text(f"{FILE}\n    {text}\n\ndef create_strategy(): return S('hostile')\n")
    neighbour = StrategyConfig(id="neighbour", plugin="momentum", config={"short_window": 2, "long_window": 5})
    return Config(
        plugins=PluginsConfig(directory=str(plugins)),
        strategies=[StrategyConfig(id="hostile", plugin="hostile"), neighbour],
        risk=RiskConfig(filters=[]),
        execution=ExecutionConfig(target=target),
        journal=JournalConfig(compress="none"),
    )


def new_engine(config: Config) -> Engine:
    venue = build_venue(config) if config.execution.target == "simulated" else None
    engine = build_engine(config, venue, "s-", reloads=True)
    engine.guard.passes_on = ()
    assert not load_strategies(engine, config.strategies, catalog(config))
    return engine


def quote(number: int) -> SoundBookEvent:
    bid = 100.0 + number % 7
    book = OrderBook((PriceLevel(bid, 5.0),), (PriceLevel(bid + 1.0, 5.0),))
    return SoundBookEvent("BTCUSDT", number * 1_000_000_000, book)


def attack(folder: Path, text: str) -> None:
    """One strategy, from its first tick to what a start and a second run make of it."""
    config, journal_folder = configured(folder, text), folder / "journal"
    journal_folder.mkdir()
    engine = new_engine(config)
    live, venue = LiveEngine(engine), Venue()
    live.gateway = venue
    with time_limit(engine.guard, TICK_TIMEOUT_MS, SETUP_TIMEOUT_MS):
        live.journal = journal = Journal(journal_folder, config, engine, "s-", Beginning())
        for number in range(1, TICKS + 1):
            sent = len(venue.sent)
            live.process(quote(number))
            for order in venue.sent[sent::2]:  # every other order stays open
                fill_id = f"{order.order_id}/f"
                live.process(Fill(order.order_id, "", order.symbol, order.side, 101.0, order.quantity, 0.1, 1, fill_id))
            detail = strategy_detail(live, ServiceStatus("t"), engine.registry.get("hostile"))
            detail.SerializeToString()
        open_orders = {working.order.order_id for working in engine.orders.open_orders()}
        assert open_orders == {order.order_id for order in venue.sent} - set(_filled(engine))
        journal._roll()
        live.process(quote(TICKS + 1))
        live.process(KillSwitch("enough"))
        journal.close()
    assert engine.guard.running is None
    assert engine.ticks == TICKS + 1
    assert journal.unrecorded == 0

    reader = JournalReader(journal_folder)
    assert sum(1 for _ in reader) == journal.records
    assert reader.left_out.told() == []

    again = new_engine(config)
    with time_limit(again.guard, TICK_TIMEOUT_MS, SETUP_TIMEOUT_MS):
        asyncio.run(recover(journal_folder, again, 1_000_000))
    ours, theirs = checkpoint_of(engine), checkpoint_of(again)
    assert theirs == ours

    (check,) = verify(journal_folder)
    assert check.is_equal, check.divergence or check.skipped
    assert check.orders == len(venue.sent)


def _filled(engine: Engine) -> list[str]:
    return [identity.removesuffix("/f") for identity in engine.orders.state().seen]


def checkpoint_of(engine: Engine) -> tuple[Any, ...]:
    """What must outlive the process."""
    with time_limit(engine.guard, TICK_TIMEOUT_MS, SETUP_TIMEOUT_MS):
        state = checkpoint(engine)
    return state.books, state.orders, state.signals, state.orders_sent, state.kill_reason


@pytest.mark.parametrize("deed", SAY)
def test_nothing_that_a_strategy_answers_harms_the_engine_or_its_journal(deed: str, tmp_path: Path) -> None:
    attack(tmp_path, f"def say(self, data):\n        {SAY[deed].strip()}")


@pytest.mark.parametrize("deed", METHODS)
def test_nothing_that_a_strategys_methods_do_harms_the_engine_or_its_journal(deed: str, tmp_path: Path) -> None:
    attack(tmp_path, METHODS[deed].strip())


MODULES = {
    **{
        f"{deed} in {what}": text.format(deed=deed)
        for deed in ("fail", "die", "hang")
        for what, text in {
            "the module's __getattr__": "def __getattr__(name): return {deed}()",
            "its plugin": "plugin = Plugin(*[hostile(str, {deed})(c) for c in 'nvd'])",
            "its doc": "S.__doc__ = hostile(str, {deed})('d')",
            "its route": "S.route = hostile(str, {deed})('direct')",
            "its market_data": "S.market_data = hostile(list, {deed})(['book'])",
            "its parameters": "S.parameters = hostile(object, {deed})()",
            "its parameters' checks": "S.parameters = type('P', (msgspec.Struct,), {{'__post_init__': {deed}}})",
            "one_instance_per_symbol": "S.one_instance_per_symbol = hostile(object, {deed})()",
            "its constructor": "S.__init__ = {deed}",
            "initialize": "S.initialize = {deed}",
            "an error of the import": (
                "raise type('E', (SyntaxError,), {{'msg': property({deed}), '__str__': {deed}}})()"
            ),
            "what create_strategy returns": "def create_strategy(): return hostile(object, {deed})()",
            "what create_strategy raises": (
                "class E(Exception): __str__ = {deed}; args = property({deed})\ndef create_strategy(): raise E"
            ),
        }.items()
    },
    "lone surrogates in its words": "plugin = Plugin('n', chr(0xd800), chr(0xd800)); S.__doc__ = chr(0xd800)",
    "a plugin of numbers": "plugin = Plugin(1, 2.5, None)",
    "parameters of its own types": (
        "S.parameters = type('P', (msgspec.Struct,), {'__annotations__': {'x': int}, 'x': 1, "
        "'__post_init__': lambda self: setattr(self, 'x', hostile(str, die)('x'))})"
    ),
}


@pytest.mark.parametrize("deed", MODULES)
def test_nothing_in_a_strategys_module_or_class_harms_a_start(deed: str, tmp_path: Path) -> None:
    """It is loaded or is refused with a sentence; a neighbour runs either way, and what is recorded can be read."""
    config = configured(tmp_path, "pass", "simulated")
    file = tmp_path / "plugins" / "hostile.py"
    text = file.read_text().replace(
        "import BaseStrategy, Signal", "import BaseStrategy, Plugin, Signal\nimport msgspec"
    )
    file.write_text(f"{text}\n{MODULES[deed]}\n")
    engine = build_engine(config, build_venue(config), "s-", reloads=True)
    engine.guard.passes_on = ()
    folder = tmp_path / "journal"
    folder.mkdir()
    with time_limit(engine.guard, TICK_TIMEOUT_MS, SETUP_TIMEOUT_MS):
        failed = load_strategies(engine, config.strategies, catalog(config))
        live = LiveEngine(engine)
        live.journal = journal = Journal(folder, config, engine, "s-", Beginning())
        for number in range(1, 9):
            live.process(quote(number))
        journal.close()
    assert engine.guard.running is None
    assert all(one.reason.startswith(str(tmp_path)) and len(one.reason) < 5_000 for one in failed)
    assert [runtime.strategy_id for runtime in engine.registry] == ["neighbour"] if failed else ["hostile", "neighbour"]
    assert sum(1 for _ in JournalReader(folder)) == journal.records
    assert journal.unrecorded == 0
    for runtime in engine.registry:
        strategy_detail(live, ServiceStatus("t"), runtime).SerializeToString()
