//! What wants somebody's attention: hints, the latest troubles, how to begin, and that nobody answers.

import { fill, find, make, say, show } from "./dom.js";
import { clock, count } from "./format.js";
import { OUTCOMES, ROUTES, word } from "./words.js";

/** The hint that the lines to set stand for. */
const NO_REQUEST = "no-requests";

/** Characters of a hash that tell it from others at a glance; the whole is its title. */
const HASH_SHOWN = 12;

/** Milliseconds that a button says that it did its work. */
const SAID = 2000;

/** Shows what Larder itself thinks should be looked at. */
export function showHints(hints, isAsked) {
  const shown = hints.filter(({ code }) => isAsked || code !== NO_REQUEST);
  fill(find("hint-list"), ...shown.map(({ code, text }) => make("li", { class: "notice warn", "data-code": code }, text)));
  show("hints", shown.length > 0);
}

/** Shows how to begin, until somebody has. */
export function showStart({ api, access, upstream }, isAsked) {
  show("start", !isAsked);
  const own = upstream.url === null;
  const token = access === "tokens" ? "'a token that Larder knows'" : own ? "anything" : "'your token upstream'";
  const lines = [
    access === "tokens" ? "# a token of access.tokens, or the one in the file \"token\" of the data directory" : null,
    api === null ? "# turbo cannot use a unix socket; put a TCP listener beside it" : `export TURBO_API=${api}`,
    `export TURBO_TOKEN=${token}`,
    `export TURBO_TEAM=${own ? "my-team" : "'your team upstream'"}`,
  ];
  say("exports", lines.filter((line) => line !== null).join("\n"));
}

/** Copies the lines; where a browser does not let a page do so, marks them. */
export function prepareCopy() {
  const button = find("copy");
  button.addEventListener("click", async () => {
    const lines = find("exports");
    try {
      await navigator.clipboard.writeText(lines.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(lines);
      button.textContent = "Marked";
    }
    setTimeout(() => (button.textContent = "Copy"), SAID);
  });
}

/** Shows the latest requests that did not go as their clients wished. */
export function showTroubles(requests) {
  const none = make("p", { class: "empty" }, "Nothing. Requests that were refused or broke off, or for which the upstream did not answer, are listed here, with the reason.");
  fill(find("troubles"), requests.length === 0 ? none : make("ul", { class: "troubles" }, ...requests.map(trouble)));
}

/** Says that a part of the page cannot be shown. */
export function showMissing(id, text) {
  fill(find(id), make("p", { class: "empty" }, text));
}

/** Shows that Larder does not answer, or that it does again; tells whoever listens to the page when that changes. */
export function showSilence(reason) {
  const before = !find("silence").hidden;
  show("silence", reason !== null);
  document.body.classList.toggle("stale", reason !== null);
  say("silence-reason", reason ?? "");
  if (reason !== null && !before) announce("Larder does not answer.");
  if (reason === null && before) announce("Larder answers again.");
}

/** Tells whoever listens to the page. */
export function announce(text) {
  say("announcement", text);
}

function trouble(request) {
  const time = new Date(request.time);
  const head = make(
    "p",
    { class: "what" },
    make("time", { datetime: request.time, title: time.toLocaleString("en-GB") }, clock(time)),
    " ",
    make("b", {}, `${word(ROUTES, request.route).replace(/s$/, "")}, ${word(OUTCOMES, request.outcome)}`),
    make("span", { class: "soft" }, ` ${count(request.status)}`),
  );
  const of = make("p", { class: "of" }, make("code", { title: request.hash }, shortened(request.hash)), team(request.team));
  return make("li", {}, head, make("p", { class: "why" }, request.explanation), of);
}

function shortened(hash) {
  if (!hash) return "";
  return hash.length > HASH_SHOWN ? `${hash.slice(0, HASH_SHOWN)}…` : hash;
}

const team = (name) => (name ? ` of ${name}` : null);
