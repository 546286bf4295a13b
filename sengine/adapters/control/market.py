"""Symbols, their books and prices as the control API's messages."""

from __future__ import annotations

from collections.abc import Iterable

from sengine.engine.state.markets import Market
from sengine.proto import engine_pb2 as pb


def symbol_message(market: Market) -> pb.SymbolState:
    if not market.has_book:
        return pb.SymbolState(symbol=market.symbol, mid=market.mid, last_ns=max(market.last_ns, 0))
    bid, ask = market.book.bids[0], market.book.asks[0]
    return pb.SymbolState(
        symbol=market.symbol,
        bid=bid.price,
        ask=ask.price,
        bid_quantity=bid.quantity,
        ask_quantity=ask.quantity,
        mid=market.mid,
        last_ns=max(market.last_ns, 0),
    )


def market_message(market: Market, mid_times_ns: Iterable[int], mids: Iterable[float]) -> pb.MarketDetail:
    bar = market.bar
    return pb.MarketDetail(
        state=symbol_message(market),
        bids=[pb.PriceLevel(price=level.price, quantity=level.quantity) for level in market.book.bids],
        asks=[pb.PriceLevel(price=level.price, quantity=level.quantity) for level in market.book.asks],
        trades=[
            pb.Trade(timestamp_ns=each.timestamp_ns, price=each.price, quantity=each.quantity, side=each.side)
            for each in market.recent_trades
        ],
        bar=None
        if bar is None
        else pb.Bar(open=bar.open, high=bar.high, low=bar.low, close=bar.close, volume=bar.volume),
        mid_times_ns=mid_times_ns,
        mids=mids,
    )
