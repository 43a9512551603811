//! The top of the page: which Larder this is, how it is, and before what.

import { fill, find, make, say } from "./dom.js";
import { clock, span } from "./format.js";
import { ACCESS, CLASSES, STATES, word } from "./words.js";

/** Shows it. */
export function showHead(stats) {
  say("version", stats.version);
  showState(STATES[stats.state] ?? { text: stats.state, kind: "wait" });
  say("uptime", span(Math.round(stats.uptime_seconds)));
  say("access", word(ACCESS, stats.access));
  fill(find("upstream"), ...upstream(stats.upstream));
  say("updated", `Updated ${clock(new Date())}`);
}

/** Shows that nothing is known of it now. */
export function showNoState() {
  showState({ text: "No answer", kind: "bad" });
}

/** What is wrong with the upstream, in words; `null` if nothing is. */
export function upstreamTrouble(upstream) {
  if (upstream.credential_refused) return "refuses Larder’s own credential";
  const open = Object.entries(upstream.breakers).filter(([, isOpen]) => isOpen);
  if (open.length === 0) return null;
  const what = open.map(([name]) => word(CLASSES, name)).join(", ");
  return open.length === Object.keys(CLASSES).length ? "keeps failing: left alone" : `keeps failing: left alone with ${what}`;
}

/** The same in a few words; which requests it is about, and what to do, is said by the hints. */
function health(upstream) {
  if (upstream.credential_refused) return { text: "refuses Larder’s credential", kind: "bad" };
  if (upstreamTrouble(upstream) !== null) return { text: "keeps failing", kind: "bad" };
  if (Object.keys(upstream.requests).length === 0) return { text: "not asked yet", kind: "soft" };
  return { text: "no trouble", kind: "good" };
}

function upstream(upstream) {
  if (upstream.url === null) return ["none: Larder is the cache by itself"];
  const { text, kind } = health(upstream);
  return [make("span", {}, upstream.url), " ", make("span", { class: `health ${kind}` }, text)];
}

function showState({ text, kind }) {
  say("state", text);
  find("state").className = `pill ${kind}`;
}
