// A strategy in Node.js: long while the price is above its moving average, short while it is below.
//
//   node strategy.js unix:/tmp/node-strategy.sock        (or 127.0.0.1:50051)
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const address = process.argv[2] ?? "127.0.0.1:50051";
const proto = process.env.SENGINE_STRATEGY_PROTO ?? fileURLToPath(new URL("strategy.proto", import.meta.url));
const definition = loader.loadSync(proto, { keepCase: true, longs: String, defaults: true, oneofs: true });
const { StrategyService } = grpc.loadPackageDefinition(definition).sengine.strategy.v1;

// What tells this code from any other, as the engine shows it on every signal.
const hash = createHash("sha256").update(readFileSync(fileURLToPath(import.meta.url))).digest("hex").slice(0, 12);
const version = `1.0.0+${hash}`;

let parameters = { window: 20, size: 1.0 };
let symbols = new Map();
let said = [];

function parse(json) {
  const given = { window: 20, size: 1.0, ...JSON.parse(json || "{}") };
  if (!Number.isInteger(given.window) || given.window < 2) {
    throw new Error(`window: expected an integer >= 2, got ${given.window}`);
  }
  return given;
}

// Each symbol has its own window and position; largest is the largest |position| since it was last flat.
function stateOf(symbol) {
  if (!symbols.has(symbol)) symbols.set(symbol, { mids: [], position: 0, largest: 0 });
  return symbols.get(symbol);
}

// What the engine has in flight, and what this host said to ticks whose answers it had not heard when it sent this one.
function inFlight({ symbol, in_flight, heard_through }) {
  said = said.filter((each) => each.tick > Number(heard_through));
  return said.reduce((sum, each) => (each.symbol === symbol ? sum + each.quantity : sum), in_flight);
}

function onTick(tick) {
  const state = stateOf(tick.symbol);
  if (!tick.bids.length) return null;
  const mid = (tick.bids[0].price + tick.asks[0].price) / 2;
  state.mids.push(mid);
  if (state.mids.length > parameters.window) state.mids.shift();
  if (state.mids.length < parameters.window || tick.is_warm_up) return null;
  const mean = state.mids.reduce((sum, each) => sum + each, 0) / parameters.window;
  // What is in flight counts: a fill that takes its time is not asked for twice.
  const position = state.position;
  const heading = position + inFlight(tick);
  const direction =
    mid > mean && position <= 0 && heading <= 0 ? "LONG" : mid < mean && position >= 0 && heading >= 0 ? "SHORT" : "";
  if (!direction) return null;
  const metadata_json = JSON.stringify({ mean });
  const quantity = direction === "LONG" ? parameters.size : -parameters.size;
  said.push({ tick: Number(tick.number), symbol: tick.symbol, quantity });
  return { tick: tick.number, signals: [{ direction, confidence: 0.7, size: parameters.size, metadata_json }] };
}

function onFill(fill) {
  const state = stateOf(fill.symbol);
  const before = state.position;
  const after = before + (fill.side === "buy" ? fill.quantity : -fill.quantity);
  const largest = Math.max(state.largest, Math.abs(before));
  // What rounding leaves is flat, by the engine's own measure: buy 26, sell 260 times 0.1, and 1e-13 is over.
  state.position = Math.abs(after) <= 1e-9 * largest ? 0 : after;
  state.largest = state.position * before > 0 ? Math.max(largest, Math.abs(after)) : Math.abs(state.position);
}

// What became of a signal or an order: the last refusal of a symbol is part of its state, for operators to see.
function onOrder({ status, symbol, reason }) {
  if (["overruled", "filtered", "rejected"].includes(status)) stateOf(symbol).refused = reason;
}

// An exception becomes an error of the strategy, which the engine counts.
function answer(tick) {
  try {
    return onTick(tick);
  } catch (error) {
    const reported = { kind: "exception", message: String(error), where: "strategy.js", traceback: error.stack };
    return { tick: tick.number, errors: [reported] };
  }
}

const implementation = {
  Initialize({ request }, reply) {
    try {
      parameters = parse(request.config_json);
    } catch (error) {
      return reply(null, { success: false, error: error.message });
    }
    symbols = new Map();
    said = [];
    for (const [symbol, held] of Object.entries(request.positions)) {
      Object.assign(stateOf(symbol), { position: held.quantity, largest: held.largest });
    }
    const config_json = JSON.stringify(parameters);
    reply(null, { success: true, version, route: "vote", market_data: ["book"], config_json, wants_orders: true });
  },
  OnTick({ request }, reply) {
    reply(null, answer(request) ?? { tick: request.number });
  },
  OnFill({ request }, reply) {
    onFill(request);
    reply(null, {});
  },
  OnOrder({ request }, reply) {
    onOrder(request);
    reply(null, {});
  },
  GetState(_, reply) {
    const shown = Object.fromEntries([...symbols].map(([symbol, { position, refused }]) => [symbol, { position, refused }]));
    reply(null, { state_json: JSON.stringify(shown) });
  },
  HotReload({ request }, reply) {
    try {
      parameters = parse(request.config_json);
      reply(null, { success: true, config_json: JSON.stringify(parameters) });
    } catch (error) {
      reply(null, { success: false, error: error.message });
    }
  },
  Shutdown(_, reply) {
    reply(null, {});
  },
  Run(stream) {
    stream.on("data", ({ ticks: batch, fill, order }) => {
      if (fill) return onFill(fill);
      if (order) return onOrder(order);
      if (!batch?.ticks.length) return undefined;
      const answers = batch.ticks.map(answer).filter(Boolean);
      return stream.write({ answers: { through: batch.ticks.at(-1).number, answers } });
    });
    stream.on("end", () => stream.end());
    stream.on("error", () => {});
  },
};

const server = new grpc.Server();
server.addService(StrategyService.service, implementation);
server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error) {
    console.error(`cannot listen on ${address}: ${error.message}`);
    process.exit(1);
  }
  console.log(`strategy node ${version} at ${address}`);
});
process.on("SIGTERM", () => server.forceShutdown());
