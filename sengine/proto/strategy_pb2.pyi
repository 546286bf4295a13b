from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class InitializeRequest(_message.Message):
    __slots__ = ("strategy_id", "config_json", "symbols", "positions", "saved_json", "saved_version", "default_size")
    class PositionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Position
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Position, _Mapping]] = ...) -> None: ...
    class SavedJsonEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    CONFIG_JSON_FIELD_NUMBER: _ClassVar[int]
    SYMBOLS_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    SAVED_JSON_FIELD_NUMBER: _ClassVar[int]
    SAVED_VERSION_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_SIZE_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    config_json: str
    symbols: _containers.RepeatedScalarFieldContainer[str]
    positions: _containers.MessageMap[str, Position]
    saved_json: _containers.ScalarMap[str, str]
    saved_version: int
    default_size: float
    def __init__(self, strategy_id: _Optional[str] = ..., config_json: _Optional[str] = ..., symbols: _Optional[_Iterable[str]] = ..., positions: _Optional[_Mapping[str, Position]] = ..., saved_json: _Optional[_Mapping[str, str]] = ..., saved_version: _Optional[int] = ..., default_size: _Optional[float] = ...) -> None: ...

class Position(_message.Message):
    __slots__ = ("quantity", "average_price", "largest")
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    AVERAGE_PRICE_FIELD_NUMBER: _ClassVar[int]
    LARGEST_FIELD_NUMBER: _ClassVar[int]
    quantity: float
    average_price: float
    largest: float
    def __init__(self, quantity: _Optional[float] = ..., average_price: _Optional[float] = ..., largest: _Optional[float] = ...) -> None: ...

class InitializeResponse(_message.Message):
    __slots__ = ("success", "error", "version", "route", "market_data", "config_json", "wants_orders")
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    MARKET_DATA_FIELD_NUMBER: _ClassVar[int]
    CONFIG_JSON_FIELD_NUMBER: _ClassVar[int]
    WANTS_ORDERS_FIELD_NUMBER: _ClassVar[int]
    success: bool
    error: str
    version: str
    route: str
    market_data: _containers.RepeatedScalarFieldContainer[str]
    config_json: str
    wants_orders: bool
    def __init__(self, success: _Optional[bool] = ..., error: _Optional[str] = ..., version: _Optional[str] = ..., route: _Optional[str] = ..., market_data: _Optional[_Iterable[str]] = ..., config_json: _Optional[str] = ..., wants_orders: _Optional[bool] = ...) -> None: ...

class Level(_message.Message):
    __slots__ = ("price", "quantity")
    PRICE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    price: float
    quantity: float
    def __init__(self, price: _Optional[float] = ..., quantity: _Optional[float] = ...) -> None: ...

class Trade(_message.Message):
    __slots__ = ("price", "quantity", "timestamp_ns", "side")
    PRICE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_NS_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    price: float
    quantity: float
    timestamp_ns: int
    side: str
    def __init__(self, price: _Optional[float] = ..., quantity: _Optional[float] = ..., timestamp_ns: _Optional[int] = ..., side: _Optional[str] = ...) -> None: ...

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

class Tick(_message.Message):
    __slots__ = ("number", "symbol", "timestamp_ns", "bids", "asks", "new_trades", "bar", "kind", "is_warm_up", "in_flight", "heard_through")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_NS_FIELD_NUMBER: _ClassVar[int]
    BIDS_FIELD_NUMBER: _ClassVar[int]
    ASKS_FIELD_NUMBER: _ClassVar[int]
    NEW_TRADES_FIELD_NUMBER: _ClassVar[int]
    BAR_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    IS_WARM_UP_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    HEARD_THROUGH_FIELD_NUMBER: _ClassVar[int]
    number: int
    symbol: str
    timestamp_ns: int
    bids: _containers.RepeatedCompositeFieldContainer[Level]
    asks: _containers.RepeatedCompositeFieldContainer[Level]
    new_trades: _containers.RepeatedCompositeFieldContainer[Trade]
    bar: Bar
    kind: str
    is_warm_up: bool
    in_flight: float
    heard_through: int
    def __init__(self, number: _Optional[int] = ..., symbol: _Optional[str] = ..., timestamp_ns: _Optional[int] = ..., bids: _Optional[_Iterable[_Union[Level, _Mapping]]] = ..., asks: _Optional[_Iterable[_Union[Level, _Mapping]]] = ..., new_trades: _Optional[_Iterable[_Union[Trade, _Mapping]]] = ..., bar: _Optional[_Union[Bar, _Mapping]] = ..., kind: _Optional[str] = ..., is_warm_up: _Optional[bool] = ..., in_flight: _Optional[float] = ..., heard_through: _Optional[int] = ...) -> None: ...

class Signal(_message.Message):
    __slots__ = ("symbol", "direction", "confidence", "size", "limit_price", "metadata_json")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_PRICE_FIELD_NUMBER: _ClassVar[int]
    METADATA_JSON_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    direction: str
    confidence: float
    size: float
    limit_price: float
    metadata_json: str
    def __init__(self, symbol: _Optional[str] = ..., direction: _Optional[str] = ..., confidence: _Optional[float] = ..., size: _Optional[float] = ..., limit_price: _Optional[float] = ..., metadata_json: _Optional[str] = ...) -> None: ...

class Error(_message.Message):
    __slots__ = ("kind", "message", "where", "traceback")
    KIND_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    WHERE_FIELD_NUMBER: _ClassVar[int]
    TRACEBACK_FIELD_NUMBER: _ClassVar[int]
    kind: str
    message: str
    where: str
    traceback: str
    def __init__(self, kind: _Optional[str] = ..., message: _Optional[str] = ..., where: _Optional[str] = ..., traceback: _Optional[str] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("tick", "signals", "errors")
    TICK_FIELD_NUMBER: _ClassVar[int]
    SIGNALS_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    tick: int
    signals: _containers.RepeatedCompositeFieldContainer[Signal]
    errors: _containers.RepeatedCompositeFieldContainer[Error]
    def __init__(self, tick: _Optional[int] = ..., signals: _Optional[_Iterable[_Union[Signal, _Mapping]]] = ..., errors: _Optional[_Iterable[_Union[Error, _Mapping]]] = ...) -> None: ...

class Fill(_message.Message):
    __slots__ = ("order_id", "symbol", "side", "price", "quantity", "commission", "timestamp_ns", "fill_id", "in_flight", "heard_through")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    COMMISSION_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_NS_FIELD_NUMBER: _ClassVar[int]
    FILL_ID_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    HEARD_THROUGH_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    symbol: str
    side: str
    price: float
    quantity: float
    commission: float
    timestamp_ns: int
    fill_id: str
    in_flight: float
    heard_through: int
    def __init__(self, order_id: _Optional[str] = ..., symbol: _Optional[str] = ..., side: _Optional[str] = ..., price: _Optional[float] = ..., quantity: _Optional[float] = ..., commission: _Optional[float] = ..., timestamp_ns: _Optional[int] = ..., fill_id: _Optional[str] = ..., in_flight: _Optional[float] = ..., heard_through: _Optional[int] = ...) -> None: ...

class OnFillResponse(_message.Message):
    __slots__ = ("errors",)
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    errors: _containers.RepeatedCompositeFieldContainer[Error]
    def __init__(self, errors: _Optional[_Iterable[_Union[Error, _Mapping]]] = ...) -> None: ...

class OrderNews(_message.Message):
    __slots__ = ("status", "symbol", "quantity", "timestamp_ns", "direction", "side", "filled", "limit_price", "order_id", "check", "code", "reason", "signal_sequence", "metadata_json", "in_flight", "heard_through")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_NS_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    FILLED_FIELD_NUMBER: _ClassVar[int]
    LIMIT_PRICE_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    CHECK_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    METADATA_JSON_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    HEARD_THROUGH_FIELD_NUMBER: _ClassVar[int]
    status: str
    symbol: str
    quantity: float
    timestamp_ns: int
    direction: str
    side: str
    filled: float
    limit_price: float
    order_id: str
    check: str
    code: str
    reason: str
    signal_sequence: int
    metadata_json: str
    in_flight: float
    heard_through: int
    def __init__(self, status: _Optional[str] = ..., symbol: _Optional[str] = ..., quantity: _Optional[float] = ..., timestamp_ns: _Optional[int] = ..., direction: _Optional[str] = ..., side: _Optional[str] = ..., filled: _Optional[float] = ..., limit_price: _Optional[float] = ..., order_id: _Optional[str] = ..., check: _Optional[str] = ..., code: _Optional[str] = ..., reason: _Optional[str] = ..., signal_sequence: _Optional[int] = ..., metadata_json: _Optional[str] = ..., in_flight: _Optional[float] = ..., heard_through: _Optional[int] = ...) -> None: ...

class OnOrderResponse(_message.Message):
    __slots__ = ("errors",)
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    errors: _containers.RepeatedCompositeFieldContainer[Error]
    def __init__(self, errors: _Optional[_Iterable[_Union[Error, _Mapping]]] = ...) -> None: ...

class GetStateRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStateResponse(_message.Message):
    __slots__ = ("state_json", "saved_json", "saved_version")
    class SavedJsonEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    STATE_JSON_FIELD_NUMBER: _ClassVar[int]
    SAVED_JSON_FIELD_NUMBER: _ClassVar[int]
    SAVED_VERSION_FIELD_NUMBER: _ClassVar[int]
    state_json: str
    saved_json: _containers.ScalarMap[str, str]
    saved_version: int
    def __init__(self, state_json: _Optional[str] = ..., saved_json: _Optional[_Mapping[str, str]] = ..., saved_version: _Optional[int] = ...) -> None: ...

class HotReloadRequest(_message.Message):
    __slots__ = ("config_json",)
    CONFIG_JSON_FIELD_NUMBER: _ClassVar[int]
    config_json: str
    def __init__(self, config_json: _Optional[str] = ...) -> None: ...

class HotReloadResponse(_message.Message):
    __slots__ = ("success", "error", "config_json")
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CONFIG_JSON_FIELD_NUMBER: _ClassVar[int]
    success: bool
    error: str
    config_json: str
    def __init__(self, success: _Optional[bool] = ..., error: _Optional[str] = ..., config_json: _Optional[str] = ...) -> None: ...

class ShutdownRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ShutdownResponse(_message.Message):
    __slots__ = ("errors",)
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    errors: _containers.RepeatedCompositeFieldContainer[Error]
    def __init__(self, errors: _Optional[_Iterable[_Union[Error, _Mapping]]] = ...) -> None: ...

class TickBatch(_message.Message):
    __slots__ = ("ticks",)
    TICKS_FIELD_NUMBER: _ClassVar[int]
    ticks: _containers.RepeatedCompositeFieldContainer[Tick]
    def __init__(self, ticks: _Optional[_Iterable[_Union[Tick, _Mapping]]] = ...) -> None: ...

class EngineMessage(_message.Message):
    __slots__ = ("ticks", "fill", "order")
    TICKS_FIELD_NUMBER: _ClassVar[int]
    FILL_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    ticks: TickBatch
    fill: Fill
    order: OrderNews
    def __init__(self, ticks: _Optional[_Union[TickBatch, _Mapping]] = ..., fill: _Optional[_Union[Fill, _Mapping]] = ..., order: _Optional[_Union[OrderNews, _Mapping]] = ...) -> None: ...

class AnswerBatch(_message.Message):
    __slots__ = ("through", "answers")
    THROUGH_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    through: int
    answers: _containers.RepeatedCompositeFieldContainer[Answer]
    def __init__(self, through: _Optional[int] = ..., answers: _Optional[_Iterable[_Union[Answer, _Mapping]]] = ...) -> None: ...

class HostMessage(_message.Message):
    __slots__ = ("answers", "error")
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    answers: AnswerBatch
    error: Error
    def __init__(self, answers: _Optional[_Union[AnswerBatch, _Mapping]] = ..., error: _Optional[_Union[Error, _Mapping]] = ...) -> None: ...
