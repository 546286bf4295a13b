from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Side(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SIDE_UNSPECIFIED: _ClassVar[Side]
    SIDE_BUY: _ClassVar[Side]
    SIDE_SELL: _ClassVar[Side]

class OrderType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORDER_TYPE_UNSPECIFIED: _ClassVar[OrderType]
    ORDER_TYPE_MARKET: _ClassVar[OrderType]
    ORDER_TYPE_LIMIT: _ClassVar[OrderType]

class OrderStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORDER_STATUS_UNSPECIFIED: _ClassVar[OrderStatus]
    ORDER_STATUS_ACCEPTED: _ClassVar[OrderStatus]
    ORDER_STATUS_REJECTED: _ClassVar[OrderStatus]
    ORDER_STATUS_CANCELLED: _ClassVar[OrderStatus]
    ORDER_STATUS_FILLED: _ClassVar[OrderStatus]

class ReportCause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REPORT_CAUSE_UNSPECIFIED: _ClassVar[ReportCause]
    REPORT_CAUSE_SUBMIT: _ClassVar[ReportCause]
    REPORT_CAUSE_CANCEL: _ClassVar[ReportCause]
    REPORT_CAUSE_MARKET: _ClassVar[ReportCause]
SIDE_UNSPECIFIED: Side
SIDE_BUY: Side
SIDE_SELL: Side
ORDER_TYPE_UNSPECIFIED: OrderType
ORDER_TYPE_MARKET: OrderType
ORDER_TYPE_LIMIT: OrderType
ORDER_STATUS_UNSPECIFIED: OrderStatus
ORDER_STATUS_ACCEPTED: OrderStatus
ORDER_STATUS_REJECTED: OrderStatus
ORDER_STATUS_CANCELLED: OrderStatus
ORDER_STATUS_FILLED: OrderStatus
REPORT_CAUSE_UNSPECIFIED: ReportCause
REPORT_CAUSE_SUBMIT: ReportCause
REPORT_CAUSE_CANCEL: ReportCause
REPORT_CAUSE_MARKET: ReportCause

class OrderRequest(_message.Message):
    __slots__ = ("client_order_id", "symbol", "side", "type", "quantity", "limit_price", "timestamp_ns", "book_crc")
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_PRICE_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_NS_FIELD_NUMBER: _ClassVar[int]
    BOOK_CRC_FIELD_NUMBER: _ClassVar[int]
    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    quantity: float
    limit_price: float
    timestamp_ns: int
    book_crc: int
    def __init__(self, client_order_id: _Optional[str] = ..., symbol: _Optional[str] = ..., side: _Optional[_Union[Side, str]] = ..., type: _Optional[_Union[OrderType, str]] = ..., quantity: _Optional[float] = ..., limit_price: _Optional[float] = ..., timestamp_ns: _Optional[int] = ..., book_crc: _Optional[int] = ...) -> None: ...

class CancelRequest(_message.Message):
    __slots__ = ("client_order_id", "timestamp_ns")
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_NS_FIELD_NUMBER: _ClassVar[int]
    client_order_id: str
    timestamp_ns: int
    def __init__(self, client_order_id: _Optional[str] = ..., timestamp_ns: _Optional[int] = ...) -> None: ...

class OrderReply(_message.Message):
    __slots__ = ("client_order_id", "status", "reason", "timestamp_ns")
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_NS_FIELD_NUMBER: _ClassVar[int]
    client_order_id: str
    status: OrderStatus
    reason: str
    timestamp_ns: int
    def __init__(self, client_order_id: _Optional[str] = ..., status: _Optional[_Union[OrderStatus, str]] = ..., reason: _Optional[str] = ..., timestamp_ns: _Optional[int] = ...) -> None: ...

class OrderCommand(_message.Message):
    __slots__ = ("submit", "cancel")
    SUBMIT_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    submit: OrderRequest
    cancel: CancelRequest
    def __init__(self, submit: _Optional[_Union[OrderRequest, _Mapping]] = ..., cancel: _Optional[_Union[CancelRequest, _Mapping]] = ...) -> None: ...

class OrderReport(_message.Message):
    __slots__ = ("client_order_id", "status", "reason", "timestamp_ns", "cause", "filled_quantity")
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_NS_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    FILLED_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    client_order_id: str
    status: OrderStatus
    reason: str
    timestamp_ns: int
    cause: ReportCause
    filled_quantity: float
    def __init__(self, client_order_id: _Optional[str] = ..., status: _Optional[_Union[OrderStatus, str]] = ..., reason: _Optional[str] = ..., timestamp_ns: _Optional[int] = ..., cause: _Optional[_Union[ReportCause, str]] = ..., filled_quantity: _Optional[float] = ...) -> None: ...

class ReconcileRequest(_message.Message):
    __slots__ = ("since_ns", "client_order_ids")
    SINCE_NS_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_IDS_FIELD_NUMBER: _ClassVar[int]
    since_ns: int
    client_order_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, since_ns: _Optional[int] = ..., client_order_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class ReconcileItem(_message.Message):
    __slots__ = ("order", "fill")
    ORDER_FIELD_NUMBER: _ClassVar[int]
    FILL_FIELD_NUMBER: _ClassVar[int]
    order: OrderState
    fill: OrderFill
    def __init__(self, order: _Optional[_Union[OrderState, _Mapping]] = ..., fill: _Optional[_Union[OrderFill, _Mapping]] = ...) -> None: ...

class OrderState(_message.Message):
    __slots__ = ("client_order_id", "status", "reason", "symbol", "side", "type", "quantity", "limit_price", "filled_quantity", "timestamp_ns")
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_PRICE_FIELD_NUMBER: _ClassVar[int]
    FILLED_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_NS_FIELD_NUMBER: _ClassVar[int]
    client_order_id: str
    status: OrderStatus
    reason: str
    symbol: str
    side: Side
    type: OrderType
    quantity: float
    limit_price: float
    filled_quantity: float
    timestamp_ns: int
    def __init__(self, client_order_id: _Optional[str] = ..., status: _Optional[_Union[OrderStatus, str]] = ..., reason: _Optional[str] = ..., symbol: _Optional[str] = ..., side: _Optional[_Union[Side, str]] = ..., type: _Optional[_Union[OrderType, str]] = ..., quantity: _Optional[float] = ..., limit_price: _Optional[float] = ..., filled_quantity: _Optional[float] = ..., timestamp_ns: _Optional[int] = ...) -> None: ...

class OrderFill(_message.Message):
    __slots__ = ("fill_id", "client_order_id", "symbol", "side", "price", "quantity", "commission", "timestamp_ns")
    FILL_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    COMMISSION_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_NS_FIELD_NUMBER: _ClassVar[int]
    fill_id: str
    client_order_id: str
    symbol: str
    side: Side
    price: float
    quantity: float
    commission: float
    timestamp_ns: int
    def __init__(self, fill_id: _Optional[str] = ..., client_order_id: _Optional[str] = ..., symbol: _Optional[str] = ..., side: _Optional[_Union[Side, str]] = ..., price: _Optional[float] = ..., quantity: _Optional[float] = ..., commission: _Optional[float] = ..., timestamp_ns: _Optional[int] = ...) -> None: ...
