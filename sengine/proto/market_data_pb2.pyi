from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PriceLevel(_message.Message):
    __slots__ = ("price", "quantity")
    PRICE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    price: float
    quantity: float
    def __init__(self, price: _Optional[float] = ..., quantity: _Optional[float] = ...) -> None: ...

class OrderBook(_message.Message):
    __slots__ = ("symbol", "timestamp_ns", "bids", "asks", "seq")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_NS_FIELD_NUMBER: _ClassVar[int]
    BIDS_FIELD_NUMBER: _ClassVar[int]
    ASKS_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    timestamp_ns: int
    bids: _containers.RepeatedCompositeFieldContainer[PriceLevel]
    asks: _containers.RepeatedCompositeFieldContainer[PriceLevel]
    seq: int
    def __init__(self, symbol: _Optional[str] = ..., timestamp_ns: _Optional[int] = ..., bids: _Optional[_Iterable[_Union[PriceLevel, _Mapping]]] = ..., asks: _Optional[_Iterable[_Union[PriceLevel, _Mapping]]] = ..., seq: _Optional[int] = ...) -> None: ...

class Trade(_message.Message):
    __slots__ = ("symbol", "timestamp_ns", "price", "quantity", "side", "seq")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_NS_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    timestamp_ns: int
    price: float
    quantity: float
    side: str
    seq: int
    def __init__(self, symbol: _Optional[str] = ..., timestamp_ns: _Optional[int] = ..., price: _Optional[float] = ..., quantity: _Optional[float] = ..., side: _Optional[str] = ..., seq: _Optional[int] = ...) -> None: ...

class Bar(_message.Message):
    __slots__ = ("symbol", "timestamp_ns", "open", "high", "low", "close", "volume", "seq")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_NS_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    CLOSE_FIELD_NUMBER: _ClassVar[int]
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    timestamp_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    seq: int
    def __init__(self, symbol: _Optional[str] = ..., timestamp_ns: _Optional[int] = ..., open: _Optional[float] = ..., high: _Optional[float] = ..., low: _Optional[float] = ..., close: _Optional[float] = ..., volume: _Optional[float] = ..., seq: _Optional[int] = ...) -> None: ...
