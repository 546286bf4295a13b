"use strict";
// Every text is set with textContent: what strategies and data say is shown, never run.

const SIGNALS_SHOWN = 100, POINTS_KEPT = 1200, STALE_AFTER_MS = 3000, BUDGET_NS = 500000;
const SVG = "http://www.w3.org/2000/svg";
const place = (id) => document.getElementById(id);
const money = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2, signDisplay: "exceptZero" });
// What has no sum, as of several currencies, is null.
const cash = (value) => value === null ? "n/a" : money.format(value);
const added = (one, other) => one === null || other === null ? null : one + other;
const quantity = new Intl.NumberFormat("en", { maximumFractionDigits: 6, signDisplay: "exceptZero" });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
// As many digits as a price of this size wants, so that a column of them lines up.
const price = (value) => {
  const size = Math.abs(value), digits = size >= 1000 ? 2 : size >= 100 ? 3 : size >= 1 ? 4 : 6;
  return value ? value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }) : "-";
};
const micros = (value) => value >= 1000 ? `${(value / 1000).toFixed(1)} ms` : `${value.toFixed(1)} us`;
const time = (ns) => new Date(ns / 1e6).toISOString().slice(11, 23);

let signals = [], profits = [], openedNs = 0, lastSeen = 0, lastTicks = null;

function show(id, text, kind = "") {
  const element = place(id);
  if (element.textContent !== text) element.textContent = text;
  if (element.dataset.kind !== kind) { element.dataset.kind = kind; element.className = kind; }
}

// Rows are lists of [text, class]; cells that did not change are left alone.
function fill(id, rows, nothing) {
  const body = place(id);
  if (!rows.length) {
    const cell = document.createElement("td");
    cell.colSpan = 9; cell.className = "nothing"; cell.textContent = nothing;
    const row = document.createElement("tr");
    row.append(cell);
    body.replaceChildren(row);
    return;
  }
  if (body.rows.length && body.rows[0].cells[0].className === "nothing") body.replaceChildren();
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((cells, at) => {
    const row = body.rows[at] || body.insertRow();
    cells.forEach(([text, kind = ""], column) => {
      const cell = row.cells[column] || row.insertCell();
      if (cell.textContent !== text) cell.textContent = text;
      if (cell.className !== kind) cell.className = kind;
    });
  });
}

const sign = (value) => value > 0 ? "gain" : value < 0 ? "loss" : "";
const tile = (id, value) => show(id, cash(value), sign(value));

function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function drawProfits() {
  const low = Math.min(...profits), high = Math.max(...profits), span = high - low || 1;
  show("pnl-low", money.format(low));
  show("pnl-high", money.format(high));
  const y = (value) => 155 - 150 * (value - low) / span;
  const x = (at) => profits.length > 1 ? 600 * at / (profits.length - 1) : 0;
  const points = profits.map((value, at) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  const ground = y(low < 0 && high > 0 ? 0 : low).toFixed(1);
  const area = profits.length > 1 ? `0,${ground} ${points} 600,${ground}` : "";
  place("pnl-picture").replaceChildren(
    element("polygon", { points: area, class: "under" }),
    ...(low < 0 && high > 0 ? [element("line", { x1: 0, x2: 600, y1: y(0), y2: y(0), class: "zero" })] : []),
    element("polyline", { points, class: "curve" }));
}

function drawLatency(counts) {
  const first = 8, last = 24, most = Math.max(1, ...counts);
  const width = 600 / (last - first);
  const drawn = [];
  for (let octave = first; octave < last; octave++) {
    const count = counts[octave] || 0;
    // A logarithm, so that the rare slow ticks are seen beside the many fast ones.
    const height = count ? 8 + 145 * Math.log1p(count) / Math.log1p(most) : 0;
    const kind = 2 ** octave >= BUDGET_NS ? "bar over" : "bar";
    const bar = element("rect", { x: (octave - first) * width + 2, y: 158 - height, width: width - 4, height, class: kind });
    const title = element("title", {});
    title.textContent = `${micros(2 ** octave / 1000)} to ${micros(2 ** (octave + 1) / 1000)}: ${whole.format(count)}`;
    bar.append(title);
    drawn.push(bar);
  }
  const budget = (Math.log2(BUDGET_NS) - first) * width;
  drawn.push(element("line", { x1: budget, x2: budget, y1: 0, y2: 160, class: "budget" }));
  place("latency-picture").replaceChildren(...drawn);
}

function takeSnapshot(now) {
  lastSeen = Date.now();
  show("name", now.service.name);
  const profit = added(now.realized_pnl, now.unrealized_pnl);
  document.title = `${now.service.name} ${cash(profit)}`;
  const trouble = now.kill_reason ? `kill switch: ${now.kill_reason}` : "";
  const alarm = place("alarm");
  alarm.hidden = !trouble;
  alarm.textContent = trouble;
  show("state", now.is_ready ? "trading" : `not ready: ${now.not_ready_because.join("; ")}`, now.is_ready ? "badge good" : "badge warn");
  if (trouble) show("state", "killed", "badge bad");
  show("clock", `${time(now.time_ns).slice(0, 8)} UTC`, "quiet");
  tile("pnl", profit); tile("realized", now.realized_pnl); tile("unrealized", now.unrealized_pnl);
  show("orders", whole.format(now.orders_sent));
  show("signal-count", whole.format(now.signals));
  if (lastTicks && now.time_ns > lastTicks.time_ns) {
    show("rate", whole.format((now.ticks - lastTicks.ticks) / ((now.time_ns - lastTicks.time_ns) / 1e9)));
  }
  lastTicks = { ticks: now.ticks, time_ns: now.time_ns };
  show("lag", now.feed ? micros(now.feed.lag.p99_us) : "-");
  show("tick", micros(now.tick.p99_us), now.tick.p99_us > 500 ? "loss" : "");
  const totals = place("totals");
  totals.hidden = profit !== null;
  totals.textContent = profit === null ? `${now.totals.map((each) => `${money.format(each.realized_pnl + each.unrealized_pnl)} ${each.currency || "other"}`).join(", ")}: ${now.not_added_up}` : "";
  if (profit !== null) profits.push(profit);
  openedNs = openedNs || now.time_ns;
  show("pnl-from", time(openedNs).slice(0, 8));
  show("pnl-to", time(now.time_ns).slice(0, 8));
  if (profits.length > POINTS_KEPT) profits = profits.filter((_, at) => at % 2 === 0);
  if (profits.length) drawProfits();
  drawLatency(now.tick.octave_counts);
  fill("strategies", now.strategies.map((each) => {
    const state = each.stalled_s ? `stalled ${Math.round(each.stalled_s)} s: ${each.stalled_reason}` : each.pause_reason ? `${each.state.toLowerCase()}: ${each.pause_reason}` : each.state.toLowerCase();
    return [[each.strategy_id], [state, `text ${each.is_active && !each.stalled_s ? "good" : "warn"}`],
      [cash(added(each.realized_pnl, each.unrealized_pnl)), sign(added(each.realized_pnl, each.unrealized_pnl))],
      [whole.format(each.ticks), "minor"], [whole.format(each.signals)], [whole.format(each.errors), each.errors ? "bad" : ""],
      [each.on_tick.p50_us.toFixed(1), "minor"], [each.on_tick.p99_us.toFixed(1), each.on_tick.p99_us > 500 ? "minor bad" : "minor"],
      [each.version, "text minor quiet"]];
  }), "no strategy is loaded");
  const held = now.positions.sort((a, b) => a.strategy_id < b.strategy_id ? -1 : a.strategy_id > b.strategy_id ? 1 : a.symbol < b.symbol ? -1 : 1);
  fill("positions", held.map((each) => [[each.strategy_id], [each.symbol, "text"], [quantity.format(each.quantity), sign(each.quantity)],
    [each.quantity ? price(each.average_price) : "-", "minor"], [price(each.mark_price), "minor"],
    [money.format(each.realized_pnl), `minor ${sign(each.realized_pnl)}`], [money.format(each.unrealized_pnl), sign(each.unrealized_pnl)]]),
    "no position has been opened");
}

const STATUS = { passed: "good", filtered: "bad", overruled: "warn", no_change: "quiet" };

function drawSignals() {
  const wanted = place("disposition").value;
  fill("signals", signals.filter((each) => !wanted || each.disposition === wanted).slice(0, SIGNALS_SHOWN).map((each) => [
    [time(each.timestamp_ns)], [each.strategy_id, "text"], [each.symbol, "text"],
    [each.direction, each.direction === "LONG" ? "text gain" : each.direction === "SHORT" ? "text loss" : "text"],
    [each.confidence.toFixed(2)], [each.disposition.replace("_", " "), `text ${STATUS[each.disposition] || ""}`],
    [each.check ? `${each.check}: ${each.reason}` : "", "words"]]), wanted ? `no signal was ${wanted.replace("_", " ")} lately` : "no signal yet");
}

function takeSignals(batch) {
  signals = batch.reverse().concat(signals).slice(0, 5 * SIGNALS_SHOWN);
  drawSignals();
}

place("disposition").addEventListener("change", drawSignals);
const events = new EventSource("events");
events.addEventListener("snapshot", (event) => takeSnapshot(JSON.parse(event.data)));
events.addEventListener("signals", (event) => takeSignals(JSON.parse(event.data)));
// After a break the stream begins with the past again.
events.addEventListener("open", () => { signals = []; });
drawSignals();
setInterval(() => {
  const age = Date.now() - lastSeen;
  if (lastSeen && age > STALE_AFTER_MS) show("state", `no answer for ${Math.round(age / 1000)} s`, "badge bad");
}, 1000);
