//! What rests, what runs, what was asked and how it was answered: the lists below the charts.

import { draw, fill, find, make, stretches, table } from "./dom.js";
import { bytes, count, NOTHING, share, span } from "./format.js";
import { ANSWERS, OPERATIONS, OUTCOMES, ROUTES, TIER_STATES, TROUBLES, word } from "./words.js";

const DAY = 86_400;

/** A tier fuller than this lets something go for what comes. */
const NEARLY_FULL = 0.9;

/** Shows them all. */
export function showTables(stats) {
  showTiers(stats.tiers);
  showNow(stats);
  showRequests(stats.requests);
  showOperations(stats.upstream);
}

function showTiers({ memory, disk }) {
  fill(find("tiers"), tier("Memory", "memory", memory), tier("Disk", "disk", disk));
}

function tier(title, kind, { bytes: held, capacity_bytes: capacity, entries, oldest_seconds: oldest, state }) {
  const name = make("h3", {}, title);
  if (capacity === 0) {
    return make("div", { class: "tier" }, name, make("p", { class: "note" }, "Turned off."));
  }
  const full = Math.min(1, held / capacity);
  const amount = entries === 1 ? "1 artifact" : `${count(entries)} artifacts`;
  const bar = draw("svg", { class: "bar", "aria-hidden": "true" }, ...stretches([{ share: full, kind }]));
  const age = oldest === null ? "" : `, the oldest ${span(Math.round(oldest))} old`;
  const parts = [
    make("div", { class: "tier-title" }, name, make("span", {}, `${bytes(held)} of ${bytes(capacity)}`)),
    bar,
    make("p", { class: "note" }, entries === 0 ? "Empty." : `${share(full)} full: ${amount}${age}.`),
  ];
  if (state && state !== "working") parts.push(make("p", { class: "warning" }, word(TIER_STATES, state)));
  if (kind === "disk" && full > NEARLY_FULL && oldest !== null && oldest < DAY) {
    parts.push(make("p", { class: "warning" }, "Artifacts leave within a day: enlarge tier.disk.capacity."));
  }
  return make("div", { class: "tier" }, ...parts);
}

function showNow({ connections, in_flight: flight }) {
  const figures = [
    ["Connections", count(connections)],
    ["Fetches", count(flight.fills)],
    ["Uploads", count(flight.uploads)],
    ["Bodies in memory", bytes(flight.bytes)],
  ];
  fill(find("now"), ...figures.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
}

function showRequests(requests) {
  const counted = Object.entries(requests).map(([route, outcomes]) => ({
    route,
    outcomes: Object.entries(outcomes).sort(([, a], [, b]) => b - a),
    total: Object.values(outcomes).reduce((sum, value) => sum + value, 0),
  }));
  const asked = counted.filter(({ total }) => total > 0);
  if (asked.length === 0) return fill(find("requests"), empty("No request yet."));
  const rows = asked.map(({ route, total, outcomes }) => [word(ROUTES, route), count(total), results(outcomes)]);
  fill(find("requests"), table("Requests since the start, by result", ["Request", "Count", "Results"], rows));
}

function results(outcomes) {
  const items = outcomes.map(([outcome, value]) =>
    make("li", { class: TROUBLES.has(outcome) ? "trouble" : null }, make("b", {}, count(value)), ` ${word(OUTCOMES, outcome)}`),
  );
  return make("ul", { class: "results" }, ...items);
}

function showOperations({ url, requests, seconds }) {
  const rows = Object.entries(requests).map(([operation, results]) => {
    const total = Object.values(results).reduce((sum, value) => sum + value, 0);
    const timed = seconds[operation];
    return [word(OPERATIONS, operation), count(total), failures(results), time(timed?.p50), time(timed?.p95)];
  });
  const none = url === null ? "There is no upstream." : "Nothing was asked of it yet.";
  const heads = ["Request", "Count", "Failed", "Median", "95 % in"];
  fill(find("operations"), rows.length === 0 ? empty(none) : table("Requests to the upstream, and the time to their answer", heads, rows));
}

function failures(results) {
  const failed = Object.entries(results).filter(([result, value]) => !ANSWERS.has(result) && value > 0);
  if (failed.length === 0) return "0";
  const text = failed.map(([result, value]) => `${count(value)} ${result}`).join(", ");
  return make("span", { class: "trouble" }, text);
}

const time = (seconds) => (seconds === null || seconds === undefined ? NOTHING : span(seconds));

const empty = (text) => make("p", { class: "empty" }, text);
