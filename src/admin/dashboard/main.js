//! The dashboard: asks, and lets each part show its share of the answer.

import { find, show } from "./dom.js";
import { showFigures } from "./figures.js";
import { clock } from "./format.js";
import { showHead, showNoState, upstreamTrouble } from "./head.js";
import { announce, prepareCopy, showHints, showMissing, showSilence, showStart, showTroubles } from "./notices.js";
import { ask, Poll, Refusal } from "./poll.js";
import { showTables } from "./tables.js";
import { Traffic } from "./traffic.js";

/** Newest troubles asked for. */
const LATEST_TROUBLES = "./api/v1/requests?trouble=true&limit=20";

const traffic = new Traffic();

/** What was announced last: whoever listens hears changes, not every round. */
let before = null;

function showStats(stats) {
  const isAsked = Object.values(stats.requests).some((outcomes) => Object.values(outcomes).some((value) => value > 0));
  showHead(stats);
  showHints(stats.hints, isAsked);
  showStart(stats, isAsked);
  showFigures(stats);
  traffic.show(stats.history, Date.parse(stats.time) / 1000);
  showTables(stats);
  showSilence(null);
  announceChanges(stats);
}

function announceChanges(stats) {
  const trouble = stats.upstream.url === null ? null : upstreamTrouble(stats.upstream);
  const now = `Larder is ${stats.state}. The upstream ${trouble ?? "has no trouble"}.`;
  if (before !== null && before !== now) announce(now);
  before = now;
}

function showNoStats(error) {
  if (error instanceof Refusal && error.status === 404) {
    show("shown", false);
    return show("no-figures", true);
  }
  showNoState();
  showSilence(reason(error));
}

function reason(error) {
  if (!(error instanceof Refusal)) {
    return `No connection, or no answer within four seconds, at ${clock(new Date())}. What is shown is older. It is asked again every five seconds.`;
  }
  if (error.status === 401) return "It wants the admin token. Reload the page to be asked for it.";
  return `It answered with status ${error.status}. What is shown is older.`;
}

/** Brings one document to its part of the page. */
async function bring(path, showIt, showNone) {
  let told;
  try {
    told = await ask(path);
  } catch (error) {
    return showNone(error);
  }
  showIt(told);
}

function showNoTroubles(error) {
  if (!(error instanceof Refusal)) return;
  showMissing("troubles", `The latest requests cannot be shown: Larder answered ${error.status}.`);
}

const round = () =>
  Promise.all([
    bring("./api/v1/stats", showStats, showNoStats),
    bring(LATEST_TROUBLES, ({ requests }) => showTroubles(requests), showNoTroubles),
  ]);

prepareCopy();
const poll = new Poll(round);

find("pause").addEventListener("click", ({ currentTarget: button }) => {
  const isPaused = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(isPaused));
  button.textContent = isPaused ? "Go on" : "Pause";
  poll.pause(isPaused);
});
