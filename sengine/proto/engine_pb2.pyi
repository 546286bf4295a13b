from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListStrategiesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListStrategiesResponse(_message.Message):
    __slots__ = ("strategies", "failed")
    STRATEGIES_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    strategies: _containers.RepeatedCompositeFieldContainer[StrategyState]
    failed: _containers.RepeatedCompositeFieldContainer[FailedStrategy]
    def __init__(self, strategies: _Optional[_Iterable[_Union[StrategyState, _Mapping]]] = ..., failed: _Optional[_Iterable[_Union[FailedStrategy, _Mapping]]] = ...) -> None: ...

class GetStrategyStateRequest(_message.Message):
    __slots__ = ("strategy_id",)
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    def __init__(self, strategy_id: _Optional[str] = ...) -> None: ...

class GetPositionsRequest(_message.Message):
    __slots__ = ("strategy_id", "include_flat")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_FLAT_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    include_flat: bool
    def __init__(self, strategy_id: _Optional[str] = ..., include_flat: _Optional[bool] = ...) -> None: ...

class GetPositionsResponse(_message.Message):
    __slots__ = ("positions", "realized_pnl", "unrealized_pnl", "totals", "not_added_up")
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    REALIZED_PNL_FIELD_NUMBER: _ClassVar[int]
    UNREALIZED_PNL_FIELD_NUMBER: _ClassVar[int]
    TOTALS_FIELD_NUMBER: _ClassVar[int]
    NOT_ADDED_UP_FIELD_NUMBER: _ClassVar[int]
    positions: _containers.RepeatedCompositeFieldContainer[Position]
    realized_pnl: float
    unrealized_pnl: float
    totals: _containers.RepeatedCompositeFieldContainer[CurrencyTotal]
    not_added_up: str
    def __init__(self, positions: _Optional[_Iterable[_Union[Position, _Mapping]]] = ..., realized_pnl: _Optional[float] = ..., unrealized_pnl: _Optional[float] = ..., totals: _Optional[_Iterable[_Union[CurrencyTotal, _Mapping]]] = ..., not_added_up: _Optional[str] = ...) -> None: ...

class GetMarketRequest(_message.Message):
    __slots__ = ("symbol",)
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    def __init__(self, symbol: _Optional[str] = ...) -> None: ...

class PauseRequest(_message.Message):
    __slots__ = ("strategy_id", "reason")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    reason: str
    def __init__(self, strategy_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ResumeRequest(_message.Message):
    __slots__ = ("strategy_id",)
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    def __init__(self, strategy_id: _Optional[str] = ...) -> None: ...

class ReloadRequest(_message.Message):
    __slots__ = ("strategy_id", "config_json", "validate_only")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    CONFIG_JSON_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    config_json: str
    validate_only: bool
    def __init__(self, strategy_id: _Optional[str] = ..., config_json: _Optional[str] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class ReloadReply(_message.Message):
    __slots__ = ("message", "config_json", "report")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    CONFIG_JSON_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    message: str
    config_json: str
    report: ReloadReport
    def __init__(self, message: _Optional[str] = ..., config_json: _Optional[str] = ..., report: _Optional[_Union[ReloadReport, _Mapping]] = ...) -> None: ...

class ReloadReport(_message.Message):
    __slots__ = ("strategy_id", "what", "trigger", "time_ns", "is_done", "old_version", "new_version", "message", "reason", "where", "steps", "compared", "on_tick_p50_us", "on_tick_p99_us", "swap_pause_us", "longest_stall_us", "took_ms")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    WHAT_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_FIELD_NUMBER: _ClassVar[int]
    TIME_NS_FIELD_NUMBER: _ClassVar[int]
    IS_DONE_FIELD_NUMBER: _ClassVar[int]
    OLD_VERSION_FIELD_NUMBER: _ClassVar[int]
    NEW_VERSION_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    WHERE_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    COMPARED_FIELD_NUMBER: _ClassVar[int]
    ON_TICK_P50_US_FIELD_NUMBER: _ClassVar[int]
    ON_TICK_P99_US_FIELD_NUMBER: _ClassVar[int]
    SWAP_PAUSE_US_FIELD_NUMBER: _ClassVar[int]
    LONGEST_STALL_US_FIELD_NUMBER: _ClassVar[int]
    TOOK_MS_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    what: str
    trigger: str
    time_ns: int
    is_done: bool
    old_version: str
    new_version: str
    message: str
    reason: str
    where: str
    steps: _containers.RepeatedCompositeFieldContainer[ReloadStep]
    compared: SignalComparison
    on_tick_p50_us: float
    on_tick_p99_us: float
    swap_pause_us: float
    longest_stall_us: float
    took_ms: float
    def __init__(self, strategy_id: _Optional[str] = ..., what: _Optional[str] = ..., trigger: _Optional[str] = ..., time_ns: _Optional[int] = ..., is_done: _Optional[bool] = ..., old_version: _Optional[str] = ..., new_version: _Optional[str] = ..., message: _Optional[str] = ..., reason: _Optional[str] = ..., where: _Optional[str] = ..., steps: _Optional[_Iterable[_Union[ReloadStep, _Mapping]]] = ..., compared: _Optional[_Union[SignalComparison, _Mapping]] = ..., on_tick_p50_us: _Optional[float] = ..., on_tick_p99_us: _Optional[float] = ..., swap_pause_us: _Optional[float] = ..., longest_stall_us: _Optional[float] = ..., took_ms: _Optional[float] = ...) -> None: ...

class ReloadStep(_message.Message):
    __slots__ = ("name", "is_done", "took_ms", "note")
    NAME_FIELD_NUMBER: _ClassVar[int]
    IS_DONE_FIELD_NUMBER: _ClassVar[int]
    TOOK_MS_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    name: str
    is_done: bool
    took_ms: float
    note: str
    def __init__(self, name: _Optional[str] = ..., is_done: _Optional[bool] = ..., took_ms: _Optional[float] = ..., note: _Optional[str] = ...) -> None: ...

class SignalComparison(_message.Message):
    __slots__ = ("ticks", "same", "differ", "first_difference")
    TICKS_FIELD_NUMBER: _ClassVar[int]
    SAME_FIELD_NUMBER: _ClassVar[int]
    DIFFER_FIELD_NUMBER: _ClassVar[int]
    FIRST_DIFFERENCE_FIELD_NUMBER: _ClassVar[int]
    ticks: int
    same: int
    differ: int
    first_difference: str
    def __init__(self, ticks: _Optional[int] = ..., same: _Optional[int] = ..., differ: _Optional[int] = ..., first_difference: _Optional[str] = ...) -> None: ...

class LoadRequest(_message.Message):
    __slots__ = ("plugin", "strategy_id", "symbols", "config_json", "isolation")
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOLS_FIELD_NUMBER: _ClassVar[int]
    CONFIG_JSON_FIELD_NUMBER: _ClassVar[int]
    ISOLATION_FIELD_NUMBER: _ClassVar[int]
    plugin: str
    strategy_id: str
    symbols: _containers.RepeatedScalarFieldContainer[str]
    config_json: str
    isolation: str
    def __init__(self, plugin: _Optional[str] = ..., strategy_id: _Optional[str] = ..., symbols: _Optional[_Iterable[str]] = ..., config_json: _Optional[str] = ..., isolation: _Optional[str] = ...) -> None: ...

class UnloadRequest(_message.Message):
    __slots__ = ("strategy_id",)
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    def __init__(self, strategy_id: _Optional[str] = ...) -> None: ...

class KillSwitchRequest(_message.Message):
    __slots__ = ("reason", "flatten")
    REASON_FIELD_NUMBER: _ClassVar[int]
    FLATTEN_FIELD_NUMBER: _ClassVar[int]
    reason: str
    flatten: bool
    def __init__(self, reason: _Optional[str] = ..., flatten: _Optional[bool] = ...) -> None: ...

class ReloadRiskRequest(_message.Message):
    __slots__ = ("allow_loosening",)
    ALLOW_LOOSENING_FIELD_NUMBER: _ClassVar[int]
    allow_loosening: bool
    def __init__(self, allow_loosening: _Optional[bool] = ...) -> None: ...

class RearmRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class FlattenRequest(_message.Message):
    __slots__ = ("strategy_id", "symbol", "reason", "validate_only")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    symbol: str
    reason: str
    validate_only: bool
    def __init__(self, strategy_id: _Optional[str] = ..., symbol: _Optional[str] = ..., reason: _Optional[str] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class FlattenReply(_message.Message):
    __slots__ = ("message", "cancels", "trades", "crosses")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    CANCELS_FIELD_NUMBER: _ClassVar[int]
    TRADES_FIELD_NUMBER: _ClassVar[int]
    CROSSES_FIELD_NUMBER: _ClassVar[int]
    message: str
    cancels: _containers.RepeatedScalarFieldContainer[str]
    trades: _containers.RepeatedCompositeFieldContainer[FlattenTrade]
    crosses: _containers.RepeatedCompositeFieldContainer[FlattenCross]
    def __init__(self, message: _Optional[str] = ..., cancels: _Optional[_Iterable[str]] = ..., trades: _Optional[_Iterable[_Union[FlattenTrade, _Mapping]]] = ..., crosses: _Optional[_Iterable[_Union[FlattenCross, _Mapping]]] = ...) -> None: ...

class FlattenCross(_message.Message):
    __slots__ = ("symbol", "seller", "buyer", "quantity")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    SELLER_FIELD_NUMBER: _ClassVar[int]
    BUYER_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    seller: str
    buyer: str
    quantity: float
    def __init__(self, symbol: _Optional[str] = ..., seller: _Optional[str] = ..., buyer: _Optional[str] = ..., quantity: _Optional[float] = ...) -> None: ...

class FlattenTrade(_message.Message):
    __slots__ = ("symbol", "side", "quantity", "strategy_ids")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_IDS_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    side: str
    quantity: float
    strategy_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, symbol: _Optional[str] = ..., side: _Optional[str] = ..., quantity: _Optional[float] = ..., strategy_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class CancelOrderRequest(_message.Message):
    __slots__ = ("order_id",)
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    def __init__(self, order_id: _Optional[str] = ...) -> None: ...

class SettleFillRequest(_message.Message):
    __slots__ = ("fill_id", "accept")
    FILL_ID_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_FIELD_NUMBER: _ClassVar[int]
    fill_id: str
    accept: bool
    def __init__(self, fill_id: _Optional[str] = ..., accept: _Optional[bool] = ...) -> None: ...

class ShutdownRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DriveReplayRequest(_message.Message):
    __slots__ = ("is_paused", "speed", "steps", "finish")
    IS_PAUSED_FIELD_NUMBER: _ClassVar[int]
    SPEED_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    FINISH_FIELD_NUMBER: _ClassVar[int]
    is_paused: bool
    speed: float
    steps: int
    finish: bool
    def __init__(self, is_paused: _Optional[bool] = ..., speed: _Optional[float] = ..., steps: _Optional[int] = ..., finish: _Optional[bool] = ...) -> None: ...

class CommandReply(_message.Message):
    __slots__ = ("message", "orders_to_cancel")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ORDERS_TO_CANCEL_FIELD_NUMBER: _ClassVar[int]
    message: str
    orders_to_cancel: int
    def __init__(self, message: _Optional[str] = ..., orders_to_cancel: _Optional[int] = ...) -> None: ...

class GetPnlHistoryRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PnlHistory(_message.Message):
    __slots__ = ("times_ns", "pnl")
    TIMES_NS_FIELD_NUMBER: _ClassVar[int]
    PNL_FIELD_NUMBER: _ClassVar[int]
    times_ns: _containers.RepeatedScalarFieldContainer[int]
    pnl: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, times_ns: _Optional[_Iterable[int]] = ..., pnl: _Optional[_Iterable[float]] = ...) -> None: ...

class CurrencyTotal(_message.Message):
    __slots__ = ("currency", "realized_pnl", "unrealized_pnl", "commission")
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    REALIZED_PNL_FIELD_NUMBER: _ClassVar[int]
    UNREALIZED_PNL_FIELD_NUMBER: _ClassVar[int]
    COMMISSION_FIELD_NUMBER: _ClassVar[int]
    currency: str
    realized_pnl: float
    unrealized_pnl: float
    commission: float
    def __init__(self, currency: _Optional[str] = ..., realized_pnl: _Optional[float] = ..., unrealized_pnl: _Optional[float] = ..., commission: _Optional[float] = ...) -> None: ...

class GetSnapshotRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StreamSnapshotsRequest(_message.Message):
    __slots__ = ("interval_ms",)
    INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    interval_ms: int
    def __init__(self, interval_ms: _Optional[int] = ...) -> None: ...

class StreamSignalsRequest(_message.Message):
    __slots__ = ("history", "strategy_id", "disposition")
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    DISPOSITION_FIELD_NUMBER: _ClassVar[int]
    history: int
    strategy_id: str
    disposition: str
    def __init__(self, history: _Optional[int] = ..., strategy_id: _Optional[str] = ..., disposition: _Optional[str] = ...) -> None: ...

class StreamLogRequest(_message.Message):
    __slots__ = ("history",)
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    history: int
    def __init__(self, history: _Optional[int] = ...) -> None: ...

class SignalBatch(_message.Message):
    __slots__ = ("signals", "dropped")
    SIGNALS_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    signals: _containers.RepeatedCompositeFieldContainer[Signal]
    dropped: int
    def __init__(self, signals: _Optional[_Iterable[_Union[Signal, _Mapping]]] = ..., dropped: _Optional[int] = ...) -> None: ...

class LogBatch(_message.Message):
    __slots__ = ("lines", "dropped")
    LINES_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    lines: _containers.RepeatedCompositeFieldContainer[LogLine]
    dropped: int
    def __init__(self, lines: _Optional[_Iterable[_Union[LogLine, _Mapping]]] = ..., dropped: _Optional[int] = ...) -> None: ...

class Signal(_message.Message):
    __slots__ = ("timestamp_ns", "strategy_id", "symbol", "direction", "confidence", "size", "disposition", "check", "reason", "version")
    TIMESTAMP_NS_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    DISPOSITION_FIELD_NUMBER: _ClassVar[int]
    CHECK_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    timestamp_ns: int
    strategy_id: str
    symbol: str
    direction: str
    confidence: float
    size: float
    disposition: str
    check: str
    reason: str
    version: str
    def __init__(self, timestamp_ns: _Optional[int] = ..., strategy_id: _Optional[str] = ..., symbol: _Optional[str] = ..., direction: _Optional[str] = ..., confidence: _Optional[float] = ..., size: _Optional[float] = ..., disposition: _Optional[str] = ..., check: _Optional[str] = ..., reason: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class LogLine(_message.Message):
    __slots__ = ("time_ns", "level", "event", "fields_json")
    TIME_NS_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    FIELDS_JSON_FIELD_NUMBER: _ClassVar[int]
    time_ns: int
    level: str
    event: str
    fields_json: str
    def __init__(self, time_ns: _Optional[int] = ..., level: _Optional[str] = ..., event: _Optional[str] = ..., fields_json: _Optional[str] = ...) -> None: ...

class Latency(_message.Message):
    __slots__ = ("count", "p50_us", "p99_us", "max_us", "octave_counts")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    P50_US_FIELD_NUMBER: _ClassVar[int]
    P99_US_FIELD_NUMBER: _ClassVar[int]
    MAX_US_FIELD_NUMBER: _ClassVar[int]
    OCTAVE_COUNTS_FIELD_NUMBER: _ClassVar[int]
    count: int
    p50_us: float
    p99_us: float
    max_us: float
    octave_counts: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, count: _Optional[int] = ..., p50_us: _Optional[float] = ..., p99_us: _Optional[float] = ..., max_us: _Optional[float] = ..., octave_counts: _Optional[_Iterable[int]] = ...) -> None: ...

class StrategyState(_message.Message):
    __slots__ = ("strategy_id", "state", "is_active", "pause_reason", "version", "source", "route", "symbols", "data", "ticks", "signals", "last_signal_ns", "errors", "errors_by_type", "last_error", "last_error_where", "last_error_ns", "last_reload_ns", "position", "realized_pnl", "unrealized_pnl", "peak_pnl", "on_tick", "over_budget", "stalled_s", "stalled_reason", "not_added_up")
    class ErrorsByTypeEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    IS_ACTIVE_FIELD_NUMBER: _ClassVar[int]
    PAUSE_REASON_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    SYMBOLS_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    TICKS_FIELD_NUMBER: _ClassVar[int]
    SIGNALS_FIELD_NUMBER: _ClassVar[int]
    LAST_SIGNAL_NS_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    ERRORS_BY_TYPE_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_WHERE_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_NS_FIELD_NUMBER: _ClassVar[int]
    LAST_RELOAD_NS_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    REALIZED_PNL_FIELD_NUMBER: _ClassVar[int]
    UNREALIZED_PNL_FIELD_NUMBER: _ClassVar[int]
    PEAK_PNL_FIELD_NUMBER: _ClassVar[int]
    ON_TICK_FIELD_NUMBER: _ClassVar[int]
    OVER_BUDGET_FIELD_NUMBER: _ClassVar[int]
    STALLED_S_FIELD_NUMBER: _ClassVar[int]
    STALLED_REASON_FIELD_NUMBER: _ClassVar[int]
    NOT_ADDED_UP_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    state: str
    is_active: bool
    pause_reason: str
    version: str
    source: str
    route: str
    symbols: _containers.RepeatedScalarFieldContainer[str]
    data: _containers.RepeatedScalarFieldContainer[str]
    ticks: int
    signals: int
    last_signal_ns: int
    errors: int
    errors_by_type: _containers.ScalarMap[str, int]
    last_error: str
    last_error_where: str
    last_error_ns: int
    last_reload_ns: int
    position: float
    realized_pnl: float
    unrealized_pnl: float
    peak_pnl: float
    on_tick: Latency
    over_budget: int
    stalled_s: float
    stalled_reason: str
    not_added_up: str
    def __init__(self, strategy_id: _Optional[str] = ..., state: _Optional[str] = ..., is_active: _Optional[bool] = ..., pause_reason: _Optional[str] = ..., version: _Optional[str] = ..., source: _Optional[str] = ..., route: _Optional[str] = ..., symbols: _Optional[_Iterable[str]] = ..., data: _Optional[_Iterable[str]] = ..., ticks: _Optional[int] = ..., signals: _Optional[int] = ..., last_signal_ns: _Optional[int] = ..., errors: _Optional[int] = ..., errors_by_type: _Optional[_Mapping[str, int]] = ..., last_error: _Optional[str] = ..., last_error_where: _Optional[str] = ..., last_error_ns: _Optional[int] = ..., last_reload_ns: _Optional[int] = ..., position: _Optional[float] = ..., realized_pnl: _Optional[float] = ..., unrealized_pnl: _Optional[float] = ..., peak_pnl: _Optional[float] = ..., on_tick: _Optional[_Union[Latency, _Mapping]] = ..., over_budget: _Optional[int] = ..., stalled_s: _Optional[float] = ..., stalled_reason: _Optional[str] = ..., not_added_up: _Optional[str] = ...) -> None: ...

class FailedStrategy(_message.Message):
    __slots__ = ("strategy_id", "reason")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    reason: str
    def __init__(self, strategy_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class StrategyDetail(_message.Message):
    __slots__ = ("state", "config_json", "own_state_json", "last_traceback", "positions", "signals", "fills", "reloads")
    STATE_FIELD_NUMBER: _ClassVar[int]
    CONFIG_JSON_FIELD_NUMBER: _ClassVar[int]
    OWN_STATE_JSON_FIELD_NUMBER: _ClassVar[int]
    LAST_TRACEBACK_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    SIGNALS_FIELD_NUMBER: _ClassVar[int]
    FILLS_FIELD_NUMBER: _ClassVar[int]
    RELOADS_FIELD_NUMBER: _ClassVar[int]
    state: StrategyState
    config_json: str
    own_state_json: str
    last_traceback: str
    positions: _containers.RepeatedCompositeFieldContainer[Position]
    signals: _containers.RepeatedCompositeFieldContainer[Signal]
    fills: _containers.RepeatedCompositeFieldContainer[StrategyFill]
    reloads: _containers.RepeatedCompositeFieldContainer[ReloadReport]
    def __init__(self, state: _Optional[_Union[StrategyState, _Mapping]] = ..., config_json: _Optional[str] = ..., own_state_json: _Optional[str] = ..., last_traceback: _Optional[str] = ..., positions: _Optional[_Iterable[_Union[Position, _Mapping]]] = ..., signals: _Optional[_Iterable[_Union[Signal, _Mapping]]] = ..., fills: _Optional[_Iterable[_Union[StrategyFill, _Mapping]]] = ..., reloads: _Optional[_Iterable[_Union[ReloadReport, _Mapping]]] = ...) -> None: ...

class StrategyFill(_message.Message):
    __slots__ = ("timestamp_ns", "order_id", "symbol", "side", "price", "quantity", "commission", "realized_pnl")
    TIMESTAMP_NS_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    COMMISSION_FIELD_NUMBER: _ClassVar[int]
    REALIZED_PNL_FIELD_NUMBER: _ClassVar[int]
    timestamp_ns: int
    order_id: str
    symbol: str
    side: str
    price: float
    quantity: float
    commission: float
    realized_pnl: float
    def __init__(self, timestamp_ns: _Optional[int] = ..., order_id: _Optional[str] = ..., symbol: _Optional[str] = ..., side: _Optional[str] = ..., price: _Optional[float] = ..., quantity: _Optional[float] = ..., commission: _Optional[float] = ..., realized_pnl: _Optional[float] = ...) -> None: ...

class Position(_message.Message):
    __slots__ = ("strategy_id", "symbol", "quantity", "in_flight", "average_price", "mark_price", "realized_pnl", "unrealized_pnl", "commission")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    AVERAGE_PRICE_FIELD_NUMBER: _ClassVar[int]
    MARK_PRICE_FIELD_NUMBER: _ClassVar[int]
    REALIZED_PNL_FIELD_NUMBER: _ClassVar[int]
    UNREALIZED_PNL_FIELD_NUMBER: _ClassVar[int]
    COMMISSION_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    symbol: str
    quantity: float
    in_flight: float
    average_price: float
    mark_price: float
    realized_pnl: float
    unrealized_pnl: float
    commission: float
    def __init__(self, strategy_id: _Optional[str] = ..., symbol: _Optional[str] = ..., quantity: _Optional[float] = ..., in_flight: _Optional[float] = ..., average_price: _Optional[float] = ..., mark_price: _Optional[float] = ..., realized_pnl: _Optional[float] = ..., unrealized_pnl: _Optional[float] = ..., commission: _Optional[float] = ...) -> None: ...

class OpenOrder(_message.Message):
    __slots__ = ("order_id", "symbol", "side", "quantity", "filled", "limit_price", "timestamp_ns", "strategy_ids", "is_cancelling")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    FILLED_FIELD_NUMBER: _ClassVar[int]
    LIMIT_PRICE_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_NS_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_IDS_FIELD_NUMBER: _ClassVar[int]
    IS_CANCELLING_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    symbol: str
    side: str
    quantity: float
    filled: float
    limit_price: float
    timestamp_ns: int
    strategy_ids: _containers.RepeatedScalarFieldContainer[str]
    is_cancelling: bool
    def __init__(self, order_id: _Optional[str] = ..., symbol: _Optional[str] = ..., side: _Optional[str] = ..., quantity: _Optional[float] = ..., filled: _Optional[float] = ..., limit_price: _Optional[float] = ..., timestamp_ns: _Optional[int] = ..., strategy_ids: _Optional[_Iterable[str]] = ..., is_cancelling: _Optional[bool] = ...) -> None: ...

class SymbolState(_message.Message):
    __slots__ = ("symbol", "bid", "ask", "bid_quantity", "ask_quantity", "mid", "last_ns")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    BID_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    BID_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    ASK_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    MID_FIELD_NUMBER: _ClassVar[int]
    LAST_NS_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    bid: float
    ask: float
    bid_quantity: float
    ask_quantity: float
    mid: float
    last_ns: int
    def __init__(self, symbol: _Optional[str] = ..., bid: _Optional[float] = ..., ask: _Optional[float] = ..., bid_quantity: _Optional[float] = ..., ask_quantity: _Optional[float] = ..., mid: _Optional[float] = ..., last_ns: _Optional[int] = ...) -> None: ...

class PriceLevel(_message.Message):
    __slots__ = ("price", "quantity")
    PRICE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    price: float
    quantity: float
    def __init__(self, price: _Optional[float] = ..., quantity: _Optional[float] = ...) -> None: ...

class Trade(_message.Message):
    __slots__ = ("timestamp_ns", "price", "quantity", "side")
    TIMESTAMP_NS_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    timestamp_ns: int
    price: float
    quantity: float
    side: str
    def __init__(self, timestamp_ns: _Optional[int] = ..., price: _Optional[float] = ..., quantity: _Optional[float] = ..., side: _Optional[str] = ...) -> None: ...

class Bar(_message.Message):
    __slots__ = ("open", "high", "low", "close", "volume")
    OPEN_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    CLOSE_FIELD_NUMBER: _ClassVar[int]
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    open: float
    high: float
    low: float
    close: float
    volume: float
    def __init__(self, open: _Optional[float] = ..., high: _Optional[float] = ..., low: _Optional[float] = ..., close: _Optional[float] = ..., volume: _Optional[float] = ...) -> None: ...

class MarketDetail(_message.Message):
    __slots__ = ("state", "bids", "asks", "trades", "bar", "mid_times_ns", "mids")
    STATE_FIELD_NUMBER: _ClassVar[int]
    BIDS_FIELD_NUMBER: _ClassVar[int]
    ASKS_FIELD_NUMBER: _ClassVar[int]
    TRADES_FIELD_NUMBER: _ClassVar[int]
    BAR_FIELD_NUMBER: _ClassVar[int]
    MID_TIMES_NS_FIELD_NUMBER: _ClassVar[int]
    MIDS_FIELD_NUMBER: _ClassVar[int]
    state: SymbolState
    bids: _containers.RepeatedCompositeFieldContainer[PriceLevel]
    asks: _containers.RepeatedCompositeFieldContainer[PriceLevel]
    trades: _containers.RepeatedCompositeFieldContainer[Trade]
    bar: Bar
    mid_times_ns: _containers.RepeatedScalarFieldContainer[int]
    mids: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, state: _Optional[_Union[SymbolState, _Mapping]] = ..., bids: _Optional[_Iterable[_Union[PriceLevel, _Mapping]]] = ..., asks: _Optional[_Iterable[_Union[PriceLevel, _Mapping]]] = ..., trades: _Optional[_Iterable[_Union[Trade, _Mapping]]] = ..., bar: _Optional[_Union[Bar, _Mapping]] = ..., mid_times_ns: _Optional[_Iterable[int]] = ..., mids: _Optional[_Iterable[float]] = ...) -> None: ...

class RiskCheck(_message.Message):
    __slots__ = ("name", "limit_name", "limit", "used", "used_by", "refusals", "refusals_by_reason", "bypassed")
    class RefusalsByReasonEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    LIMIT_NAME_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    USED_BY_FIELD_NUMBER: _ClassVar[int]
    REFUSALS_FIELD_NUMBER: _ClassVar[int]
    REFUSALS_BY_REASON_FIELD_NUMBER: _ClassVar[int]
    BYPASSED_FIELD_NUMBER: _ClassVar[int]
    name: str
    limit_name: str
    limit: float
    used: float
    used_by: str
    refusals: int
    refusals_by_reason: _containers.ScalarMap[str, int]
    bypassed: bool
    def __init__(self, name: _Optional[str] = ..., limit_name: _Optional[str] = ..., limit: _Optional[float] = ..., used: _Optional[float] = ..., used_by: _Optional[str] = ..., refusals: _Optional[int] = ..., refusals_by_reason: _Optional[_Mapping[str, int]] = ..., bypassed: _Optional[bool] = ...) -> None: ...

class FeedHealth(_message.Message):
    __slots__ = ("state", "messages", "decoded", "malformed", "oversized", "dropped", "conflated", "reconnects", "pending", "lag")
    class MalformedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    STATE_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    DECODED_FIELD_NUMBER: _ClassVar[int]
    MALFORMED_FIELD_NUMBER: _ClassVar[int]
    OVERSIZED_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    CONFLATED_FIELD_NUMBER: _ClassVar[int]
    RECONNECTS_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    LAG_FIELD_NUMBER: _ClassVar[int]
    state: str
    messages: int
    decoded: int
    malformed: _containers.ScalarMap[str, int]
    oversized: int
    dropped: int
    conflated: int
    reconnects: int
    pending: int
    lag: Latency
    def __init__(self, state: _Optional[str] = ..., messages: _Optional[int] = ..., decoded: _Optional[int] = ..., malformed: _Optional[_Mapping[str, int]] = ..., oversized: _Optional[int] = ..., dropped: _Optional[int] = ..., conflated: _Optional[int] = ..., reconnects: _Optional[int] = ..., pending: _Optional[int] = ..., lag: _Optional[_Union[Latency, _Mapping]] = ...) -> None: ...

class GatewayHealth(_message.Message):
    __slots__ = ("state", "sent", "accepted", "rejected", "unknown", "retried", "dropped", "queue_depth", "ack", "tick_to_order")
    STATE_FIELD_NUMBER: _ClassVar[int]
    SENT_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    RETRIED_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    QUEUE_DEPTH_FIELD_NUMBER: _ClassVar[int]
    ACK_FIELD_NUMBER: _ClassVar[int]
    TICK_TO_ORDER_FIELD_NUMBER: _ClassVar[int]
    state: str
    sent: int
    accepted: int
    rejected: int
    unknown: int
    retried: int
    dropped: int
    queue_depth: int
    ack: Latency
    tick_to_order: Latency
    def __init__(self, state: _Optional[str] = ..., sent: _Optional[int] = ..., accepted: _Optional[int] = ..., rejected: _Optional[int] = ..., unknown: _Optional[int] = ..., retried: _Optional[int] = ..., dropped: _Optional[int] = ..., queue_depth: _Optional[int] = ..., ack: _Optional[_Union[Latency, _Mapping]] = ..., tick_to_order: _Optional[_Union[Latency, _Mapping]] = ...) -> None: ...

class ServiceInfo(_message.Message):
    __slots__ = ("name", "version", "pid", "started_ns", "uptime_s", "address", "listeners")
    class ListenersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    STARTED_NS_FIELD_NUMBER: _ClassVar[int]
    UPTIME_S_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    LISTENERS_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    pid: int
    started_ns: int
    uptime_s: float
    address: str
    listeners: _containers.ScalarMap[str, str]
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., pid: _Optional[int] = ..., started_ns: _Optional[int] = ..., uptime_s: _Optional[float] = ..., address: _Optional[str] = ..., listeners: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ReplayProgress(_message.Message):
    __slots__ = ("source", "fraction_done", "speed", "is_paused", "is_over")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    FRACTION_DONE_FIELD_NUMBER: _ClassVar[int]
    SPEED_FIELD_NUMBER: _ClassVar[int]
    IS_PAUSED_FIELD_NUMBER: _ClassVar[int]
    IS_OVER_FIELD_NUMBER: _ClassVar[int]
    source: str
    fraction_done: float
    speed: float
    is_paused: bool
    is_over: bool
    def __init__(self, source: _Optional[str] = ..., fraction_done: _Optional[float] = ..., speed: _Optional[float] = ..., is_paused: _Optional[bool] = ..., is_over: _Optional[bool] = ...) -> None: ...

class HeldFill(_message.Message):
    __slots__ = ("fill_id", "order_id", "symbol", "side", "price", "quantity", "commission", "timestamp_ns", "reason")
    FILL_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    COMMISSION_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_NS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    fill_id: str
    order_id: str
    symbol: str
    side: str
    price: float
    quantity: float
    commission: float
    timestamp_ns: int
    reason: str
    def __init__(self, fill_id: _Optional[str] = ..., order_id: _Optional[str] = ..., symbol: _Optional[str] = ..., side: _Optional[str] = ..., price: _Optional[float] = ..., quantity: _Optional[float] = ..., commission: _Optional[float] = ..., timestamp_ns: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class Snapshot(_message.Message):
    __slots__ = ("service", "time_ns", "now_ns", "is_ready", "not_ready_because", "kill_reason", "ticks", "strategies", "failed", "positions", "orders", "symbols", "risk", "initial_capital", "realized_pnl", "unrealized_pnl", "peak_pnl", "signals", "dispositions", "orders_sent", "order_updates", "rejected", "gaps", "anomalies", "tick", "feed", "gateway", "loosened_limits", "held_fills", "overruled_closes", "replay", "reloads", "totals", "not_added_up")
    class DispositionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class OrderUpdatesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class RejectedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class GapsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class AnomaliesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class OverruledClosesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    TIME_NS_FIELD_NUMBER: _ClassVar[int]
    NOW_NS_FIELD_NUMBER: _ClassVar[int]
    IS_READY_FIELD_NUMBER: _ClassVar[int]
    NOT_READY_BECAUSE_FIELD_NUMBER: _ClassVar[int]
    KILL_REASON_FIELD_NUMBER: _ClassVar[int]
    TICKS_FIELD_NUMBER: _ClassVar[int]
    STRATEGIES_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    SYMBOLS_FIELD_NUMBER: _ClassVar[int]
    RISK_FIELD_NUMBER: _ClassVar[int]
    INITIAL_CAPITAL_FIELD_NUMBER: _ClassVar[int]
    REALIZED_PNL_FIELD_NUMBER: _ClassVar[int]
    UNREALIZED_PNL_FIELD_NUMBER: _ClassVar[int]
    PEAK_PNL_FIELD_NUMBER: _ClassVar[int]
    SIGNALS_FIELD_NUMBER: _ClassVar[int]
    DISPOSITIONS_FIELD_NUMBER: _ClassVar[int]
    ORDERS_SENT_FIELD_NUMBER: _ClassVar[int]
    ORDER_UPDATES_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    GAPS_FIELD_NUMBER: _ClassVar[int]
    ANOMALIES_FIELD_NUMBER: _ClassVar[int]
    TICK_FIELD_NUMBER: _ClassVar[int]
    FEED_FIELD_NUMBER: _ClassVar[int]
    GATEWAY_FIELD_NUMBER: _ClassVar[int]
    LOOSENED_LIMITS_FIELD_NUMBER: _ClassVar[int]
    HELD_FILLS_FIELD_NUMBER: _ClassVar[int]
    OVERRULED_CLOSES_FIELD_NUMBER: _ClassVar[int]
    REPLAY_FIELD_NUMBER: _ClassVar[int]
    RELOADS_FIELD_NUMBER: _ClassVar[int]
    TOTALS_FIELD_NUMBER: _ClassVar[int]
    NOT_ADDED_UP_FIELD_NUMBER: _ClassVar[int]
    service: ServiceInfo
    time_ns: int
    now_ns: int
    is_ready: bool
    not_ready_because: _containers.RepeatedScalarFieldContainer[str]
    kill_reason: str
    ticks: int
    strategies: _containers.RepeatedCompositeFieldContainer[StrategyState]
    failed: _containers.RepeatedCompositeFieldContainer[FailedStrategy]
    positions: _containers.RepeatedCompositeFieldContainer[Position]
    orders: _containers.RepeatedCompositeFieldContainer[OpenOrder]
    symbols: _containers.RepeatedCompositeFieldContainer[SymbolState]
    risk: _containers.RepeatedCompositeFieldContainer[RiskCheck]
    initial_capital: float
    realized_pnl: float
    unrealized_pnl: float
    peak_pnl: float
    signals: int
    dispositions: _containers.ScalarMap[str, int]
    orders_sent: int
    order_updates: _containers.ScalarMap[str, int]
    rejected: _containers.ScalarMap[str, int]
    gaps: _containers.ScalarMap[str, int]
    anomalies: _containers.ScalarMap[str, int]
    tick: Latency
    feed: FeedHealth
    gateway: GatewayHealth
    loosened_limits: _containers.RepeatedScalarFieldContainer[str]
    held_fills: _containers.RepeatedCompositeFieldContainer[HeldFill]
    overruled_closes: _containers.ScalarMap[str, int]
    replay: ReplayProgress
    reloads: _containers.RepeatedCompositeFieldContainer[ReloadReport]
    totals: _containers.RepeatedCompositeFieldContainer[CurrencyTotal]
    not_added_up: str
    def __init__(self, service: _Optional[_Union[ServiceInfo, _Mapping]] = ..., time_ns: _Optional[int] = ..., now_ns: _Optional[int] = ..., is_ready: _Optional[bool] = ..., not_ready_because: _Optional[_Iterable[str]] = ..., kill_reason: _Optional[str] = ..., ticks: _Optional[int] = ..., strategies: _Optional[_Iterable[_Union[StrategyState, _Mapping]]] = ..., failed: _Optional[_Iterable[_Union[FailedStrategy, _Mapping]]] = ..., positions: _Optional[_Iterable[_Union[Position, _Mapping]]] = ..., orders: _Optional[_Iterable[_Union[OpenOrder, _Mapping]]] = ..., symbols: _Optional[_Iterable[_Union[SymbolState, _Mapping]]] = ..., risk: _Optional[_Iterable[_Union[RiskCheck, _Mapping]]] = ..., initial_capital: _Optional[float] = ..., realized_pnl: _Optional[float] = ..., unrealized_pnl: _Optional[float] = ..., peak_pnl: _Optional[float] = ..., signals: _Optional[int] = ..., dispositions: _Optional[_Mapping[str, int]] = ..., orders_sent: _Optional[int] = ..., order_updates: _Optional[_Mapping[str, int]] = ..., rejected: _Optional[_Mapping[str, int]] = ..., gaps: _Optional[_Mapping[str, int]] = ..., anomalies: _Optional[_Mapping[str, int]] = ..., tick: _Optional[_Union[Latency, _Mapping]] = ..., feed: _Optional[_Union[FeedHealth, _Mapping]] = ..., gateway: _Optional[_Union[GatewayHealth, _Mapping]] = ..., loosened_limits: _Optional[_Iterable[str]] = ..., held_fills: _Optional[_Iterable[_Union[HeldFill, _Mapping]]] = ..., overruled_closes: _Optional[_Mapping[str, int]] = ..., replay: _Optional[_Union[ReplayProgress, _Mapping]] = ..., reloads: _Optional[_Iterable[_Union[ReloadReport, _Mapping]]] = ..., totals: _Optional[_Iterable[_Union[CurrencyTotal, _Mapping]]] = ..., not_added_up: _Optional[str] = ...) -> None: ...
