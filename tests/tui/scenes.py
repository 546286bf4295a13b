"""Scripted engines for the screens' tests: what they show is fixed to the nanosecond."""

from __future__ import annotations

from math import sin
from typing import Any

from msgspec.structs import replace

from sengine.adapters.control import views
from sengine.clock import NS_PER_MS, NS_PER_S
from tui.fake_link import FakeLink

NOW_NS = 1_700_000_000 * NS_PER_S


def latency(p50_us: float, p99_us: float, *octaves: int) -> views.LatencyView:
    """``octaves`` are counts from 1 us on."""
    return views.LatencyView(
        count=sum(octaves), p50_us=p50_us, p99_us=p99_us, max_us=p99_us * 3, octave_counts=(0,) * 10 + octaves
    )


def strategy(strategy_id: str, symbol: str = "BTCUSDT", **changes: Any) -> views.StrategyView:
    plain = views.StrategyView(
        strategy_id=strategy_id,
        state="ACTIVE",
        is_active=True,
        pause_reason="",
        version="1.0.0+5dc32e966ff8",
        source=f"strategies/{strategy_id.split('_')[0]}.py",
        route="vote",
        symbols=(symbol,),
        data=("book",),
        ticks=48_211,
        signals=1_204,
        last_signal_ns=NOW_NS,
        errors=0,
        errors_by_type={},
        last_error="",
        last_error_where="",
        last_error_ns=0,
        last_reload_ns=0,
        position=1.5,
        realized_pnl=120.25,
        unrealized_pnl=-14.5,
        peak_pnl=180.0,
        on_tick=latency(17.1, 66.0, 23, 9, 517, 1101, 2019, 4137, 99, 45, 26, 6, 5),
        over_budget=0,
        stalled_s=0.0,
        stalled_reason="",
    )
    return replace(plain, **changes)


def position(strategy_id: str, symbol: str, quantity: float, realized: float, unrealized: float) -> views.PositionView:
    return views.PositionView(
        strategy_id=strategy_id,
        symbol=symbol,
        quantity=quantity,
        in_flight=0.0,
        average_price=60_001.5 if symbol == "BTCUSDT" else 2_496.82,
        mark_price=60_034.25 if symbol == "BTCUSDT" else 2_496.23,
        realized_pnl=realized,
        unrealized_pnl=unrealized,
        commission=0.0,
    )


def order(number: int, side: str = "buy", symbol: str = "ETHUSDT") -> views.OpenOrderView:
    return views.OpenOrderView(
        order_id=f"order-{number}",
        symbol=symbol,
        side=side,
        quantity=0.5,
        filled=0.0,
        limit_price=2_496.2,
        timestamp_ns=NOW_NS,
        strategy_ids=("maker_eth",),
        is_cancelling=False,
    )


def signal(number: int, disposition: str = "passed", direction: str = "LONG", reason: str = "") -> views.SignalView:
    return views.SignalView(
        timestamp_ns=NOW_NS - (40 - number) * 250 * NS_PER_MS,
        strategy_id=("momentum_btc", "rsi_btc", "maker_eth")[number % 3],
        symbol=("BTCUSDT", "BTCUSDT", "ETHUSDT")[number % 3],
        direction=direction,
        confidence=0.55 + number % 9 / 20,
        size=0.5,
        disposition=disposition,
        check="confidence" if reason else "",
        reason=reason,
        version="1.0.0",
    )


def empty_snapshot() -> views.SnapshotView:
    nothing = latency(0.0, 0.0)
    return views.SnapshotView(
        service=views.ServiceView(
            name="desk-one",
            version="0.1.0",
            pid=4211,
            started_ns=NOW_NS - 3_723 * NS_PER_S,
            uptime_s=3_723.0,
            address="unix:/run/sengine/engine.sock",
            listeners={},
        ),
        time_ns=NOW_NS,
        now_ns=NOW_NS,
        is_ready=True,
        not_ready_because=(),
        kill_reason="",
        ticks=0,
        strategies=(),
        failed=(),
        positions=(),
        orders=(),
        symbols=(),
        risk=(),
        initial_capital=100_000.0,
        realized_pnl=0.0,
        unrealized_pnl=0.0,
        peak_pnl=0.0,
        signals=0,
        dispositions={},
        orders_sent=0,
        order_updates={},
        rejected={},
        gaps={},
        anomalies={},
        tick=nothing,
        feed=views.FeedView(
            state="connected",
            messages=0,
            decoded=0,
            malformed={},
            oversized=0,
            dropped=0,
            conflated=0,
            reconnects=0,
            pending=0,
            lag=nothing,
        ),
        gateway=views.GatewayView(
            state="connected",
            sent=0,
            accepted=0,
            rejected=0,
            unknown=0,
            retried=0,
            dropped=0,
            queue_depth=0,
            ack=nothing,
            tick_to_order=nothing,
        ),
    )


def busy_snapshot() -> views.SnapshotView:
    plain = empty_snapshot()
    return replace(
        plain,
        ticks=241_055,
        strategies=(
            strategy("momentum_btc"),
            strategy("rsi_btc", realized_pnl=-61.0, unrealized_pnl=4.25, position=-2.0, signals=310),
            strategy("maker_eth", "ETHUSDT", position=2.5, realized_pnl=-6.0, unrealized_pnl=-1.46, signals=96_420),
            strategy(
                "breakout_eth",
                "ETHUSDT",
                state="PAUSED",
                is_active=False,
                pause_reason="5 errors in a row",
                errors=5,
                errors_by_type={"ZeroDivisionError": 5},
                last_error="division by zero",
                last_error_where="breakout.py:31",
                last_error_ns=NOW_NS - 90 * NS_PER_S,
                last_reload_ns=NOW_NS - 600 * NS_PER_S,
                position=0.0,
                realized_pnl=0.0,
                unrealized_pnl=0.0,
            ),
        ),
        failed=(views.FailedStrategyView(strategy_id="pairs", reason="strategies/pairs.py:4: no module named statz"),),
        positions=(
            position("momentum_btc", "BTCUSDT", 1.5, 120.25, -14.5),
            position("rsi_btc", "BTCUSDT", -2.0, -61.0, 4.25),
            position("maker_eth", "ETHUSDT", 2.5, -6.0, -1.46),
        ),
        orders=(order(1), order(2, "sell"), order(3, "buy", "BTCUSDT")),
        symbols=(
            views.SymbolView(
                symbol="BTCUSDT",
                bid=60_034.2,
                ask=60_034.3,
                bid_quantity=0.296,
                ask_quantity=1.691,
                mid=60_034.25,
                last_ns=NOW_NS,
            ),
            views.SymbolView(
                symbol="ETHUSDT",
                bid=2_496.22,
                ask=2_496.24,
                bid_quantity=8.1,
                ask_quantity=3.6,
                mid=2_496.23,
                last_ns=NOW_NS - 7 * NS_PER_S,
            ),
        ),
        risk=(
            _check("confidence", "min_confidence", 0.3, None, "", 50, {"below_min_confidence": 50}),
            _check("position_limit", "max_position", 10.0, 2.5, "maker_eth ETHUSDT", 0, {}),
            _check("drawdown", "max_drawdown", 0.2, 0.151, "rsi_btc", 2, {"drawdown_exceeded": 2}),
        ),
        realized_pnl=53.25,
        unrealized_pnl=-11.71,
        peak_pnl=171.8,
        signals=97_934,
        dispositions={"passed": 84_120, "overruled": 13_764, "filtered": 50},
        orders_sent=16_441,
        tick=latency(63.0, 290.8, 6, 13, 1860, 2998, 7807, 6382, 4741, 222, 73, 16, 4, 1),
        feed=replace(plain.feed, messages=241_100, decoded=241_055, reconnects=1, lag=latency(512.0, 1884.0, 1)),
        gateway=replace(
            plain.gateway,
            sent=16_441,
            accepted=16_438,
            rejected=3,
            ack=latency(909.0, 4784.0, 1),
            tick_to_order=latency(209.3, 808.4, 0, 0, 0, 0, 0, 136, 2721, 4597, 3799, 453, 26, 9, 2),
        ),
    )


def _check(
    name: str, limit_name: str, limit: float, used: float | None, by: str, refusals: int, reasons: dict[str, int]
) -> views.RiskCheckView:
    return views.RiskCheckView(
        name=name,
        limit_name=limit_name,
        limit=limit,
        used=used,
        used_by=by,
        refusals=refusals,
        refusals_by_reason=reasons,
        bypassed=False,
    )


def empty() -> FakeLink:
    return FakeLink(empty_snapshot())


def busy() -> FakeLink:
    link = FakeLink(busy_snapshot())
    for number in range(40):
        kind = ("passed", "passed", "overruled", "filtered", "no_change")[number % 5]
        reason = "below_min_confidence" if kind == "filtered" else ""
        link.signals.extend([signal(number, kind, ("LONG", "SHORT", "CLOSE")[number % 4 % 3], reason)])
    link.log.extend(
        [
            log_line(300, "info", "connected to NATS", server="127.0.0.1:4222"),
            log_line(90, "error", "strategy failed", strategy="breakout_eth", error="division by zero"),
            log_line(88, "warning", "strategy paused", strategy="breakout_eth", reason="5 errors in a row"),
            log_line(10, "info", "order rejected", order="order-17", reason="self trade"),
        ]
    )
    for view in link.snapshot.strategies if link.snapshot else ():
        link.details[view.strategy_id] = views.StrategyDetailView(
            state=view,
            config={"short_window": 20, "long_window": 120},
            own_state={"BTCUSDT": {"fast": 60_031.2, "slow": 60_012.9}},
            last_traceback="Traceback (most recent call last):\n  line 31\nZeroDivisionError" if view.errors else "",
            positions=(position(view.strategy_id, view.symbols[0], view.position, 120.25, -14.5),),
            signals=tuple(signal(number) for number in range(0, 30, 3)),
            fills=tuple(
                views.StrategyFillView(
                    timestamp_ns=NOW_NS - (9 - number) * NS_PER_S,
                    order_id=f"order-{number}",
                    symbol=view.symbols[0],
                    side=("buy", "sell")[number % 2],
                    price=60_030.5 + number,
                    quantity=0.5,
                    commission=0.0,
                    realized_pnl=(None, 1.75)[number % 2],
                )
                for number in range(8)
            ),
        )
    link.markets["BTCUSDT"] = views.MarketView(
        state=busy_snapshot().symbols[0],
        bids=tuple(views.LevelView(price=60_034.2 - n / 10, quantity=0.3 + n) for n in range(6)),
        asks=tuple(views.LevelView(price=60_034.3 + n / 10, quantity=1.7 + n / 2) for n in range(6)),
        trades=tuple(
            views.TradeView(
                timestamp_ns=NOW_NS - n * NS_PER_S, price=60_034.2, quantity=0.1, side=("buy", "sell")[n % 2]
            )
            for n in range(8, 0, -1)
        ),
        bar=views.BarView(open=60_010.0, high=60_040.0, low=60_001.0, close=60_034.2, volume=12.5),
        mid_times_ns=tuple(NOW_NS - (120 - n) * NS_PER_S for n in range(120)),
        mids=tuple(60_020.0 + 12 * sin(n / 9) + n / 8 for n in range(120)),
    )
    return link


def disconnected() -> FakeLink:
    link = busy()
    link.problem = "no engine answers on unix:/run/sengine/engine.sock; start one with `sengine run`"
    link.age_s = 72.0
    return link


def killed() -> FakeLink:
    link = busy()
    assert link.snapshot is not None
    link.snapshot = replace(link.snapshot, kill_reason="by the operator", orders=())
    return link


def stalled() -> FakeLink:
    link = busy()
    assert link.snapshot is not None
    first, *others = link.snapshot.strategies
    link.snapshot = replace(
        link.snapshot, strategies=(replace(first, stalled_s=83.4, stalled_reason="no tick"), *others)
    )
    return link


def log_line(seconds_ago: int, level: str, event: str, **fields: Any) -> views.LogLineView:
    return views.LogLineView(time_ns=NOW_NS - seconds_ago * NS_PER_S, level=level, event=event, fields=fields)


def reload_report(strategy_id: str, trigger: str, reason: str = "") -> views.ReloadReportView:
    """Of a new version's code, refused for ``reason`` where there is one."""
    where = f"/home/trader/strategies/{strategy_id}.py:63" if reason else ""
    said = f"not reloaded: {strategy_id}.py:63: {reason}; version 1.0.0 runs on" if reason else "reloaded"
    return views.ReloadReportView(
        strategy_id=strategy_id,
        what="code",
        trigger=trigger,
        time_ns=NOW_NS,
        is_done=not reason,
        old_version="1.0.0",
        new_version="" if reason else "1.0.1",
        message=f"strategy {strategy_id} {said}",
        reason=reason,
        where=where,
        steps=(),
        compared=None,
        on_tick_p50_us=0.0,
        on_tick_p99_us=0.0,
        swap_pause_us=0.0,
        longest_stall_us=0.0,
        took_ms=12.0,
    )
