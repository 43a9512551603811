//! The large figures: what Larder was good for since it started.
//!
//! Time is said as what it is. Nothing here is money.

import { fill, find, say, stretches } from "./dom.js";
import { bytes, count, NOTHING, share, span } from "./format.js";

/** Shows them. */
export function showFigures({ reads, bytes: moved, saved }) {
  showRate(reads);
  say("saved-bytes", bytes(moved.saved));
  say("saved-bytes-note", `Of ${bytes(moved.sent)} that clients got.`);
  say("task-time", span(saved.task_seconds));
  showWaiting(saved.waiting_seconds);
}

function showRate(reads) {
  const isKnown = reads.rate !== null;
  say("rate", isKnown ? share(reads.rate) : NOTHING);
  const total = reads.memory + reads.disk + reads.missed;
  const part = (value) => (total > 0 ? value / total : 0);
  const parts = [
    { share: part(reads.memory), kind: "memory" },
    { share: part(reads.disk), kind: "disk" },
  ];
  fill(find("rate-bar"), ...stretches(parts));
  const where = `${share(part(reads.memory))} from memory, ${share(part(reads.disk))} from the disk, of ${total === 1 ? "one download" : `${count(total)} downloads`}.`;
  say("rate-note", isKnown ? where : "No download was answered yet.");
}

function showWaiting(seconds) {
  const isKnown = seconds !== null;
  say("waiting", isKnown ? span(seconds) : NOTHING);
  say(
    "waiting-note",
    isKnown
      ? "Hits, times how much longer a download from upstream took."
      : "Known once ten downloads were fetched upstream, to compare with.",
  );
}
