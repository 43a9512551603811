//! The dashboard: asks, and lets each part show its share of the answer.

import { find, show } from "./dom.js";
import { showFigures } from "./figures.js";
import { clock } from "./format.js";
import { showHead, showNoState, upstreamTrouble } from "./head.js";
import { announce, prepareCopy, showHints, showMissing, showSilence, showStart, showTroubles } from "./notices.js";
import { ask, Poll, Refusal, Unclear } from "./poll.js";
import { showTables } from "./tables.js";
import { Traffic } from "./traffic.js";

/** Newest troubles asked for. */
const LATEST_TROUBLES = "./api/v1/requests?trouble=true&limit=20";

const traffic = new Traffic();

/** The version that this page is of. */
let version = null;

/** What was announced last: whoever listens hears changes, not every round. */
let before = null;

function showStats(stats) {
  // After an upgrade a page that somebody left open is of another version than what it asks.
  if (version !== null && stats.version !== version) return location.reload();
  version = stats.version;
  const isAsked = Object.values(stats.requests).some((outcomes) => Object.values(outcomes).some((value) => value > 0));
  showHead(stats);
  showHints(stats.hints, isAsked);
  showStart(stats, isAsked);
  showFigures(stats);
  traffic.show(stats.history, Date.parse(stats.time) / 1000);
  showTables(stats);
  showSilence(null);
  showWhole(true);
  announceChanges(stats);
}

function announceChanges(stats) {
  const trouble = stats.upstream.url === null ? null : upstreamTrouble(stats.upstream);
  const now = `Larder is ${stats.state}. The upstream ${trouble ?? "has no trouble"}.`;
  if (before !== null && before !== now) announce(now);
  before = now;
}

function showNoStats(error) {
  showNoState();
  if (error instanceof Unclear || error.status === 404) return showWhole(false);
  showSilence(reason(error));
}

/** Shows the figures, or that there are none which this page understands. */
function showWhole(isWhole) {
  show("shown", isWhole);
  show("no-figures", !isWhole);
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
  try {
    showIt(told);
  } catch (error) {
    console.error(error);
    showNone(new Unclear(error.message));
  }
}

function showNoTroubles(error) {
  const why = error instanceof Refusal ? `Larder answered ${error.status}` : "they are not what this page knows";
  if (error instanceof Refusal || error instanceof Unclear) showMissing("troubles", `The latest requests cannot be shown: ${why}.`);
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
