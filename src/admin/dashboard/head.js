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

function upstream(upstream) {
  if (upstream.url === null) return ["none: Larder is the cache by itself"];
  const trouble = upstreamTrouble(upstream);
  const health = make("span", { class: trouble ? "health bad" : "health good" }, trouble ?? "no trouble");
  return [make("span", { class: "url" }, upstream.url), " ", health];
}

function showState({ text, kind }) {
  say("state", text);
  find("state").className = `pill ${kind}`;
}
