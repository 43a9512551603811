//! What the API's names mean, in plain words. A name that is not known here is shown as it is.

/** States of the process, with how each looks. */
export const STATES = {
  starting: { text: "Starting", kind: "wait" },
  ready: { text: "Ready", kind: "good" },
  stopping: { text: "Stopping", kind: "wait" },
};

/** Who decides about a hit. */
export const ACCESS = {
  upstream: "whoever the upstream lets in",
  tokens: "whoever is on Larder’s list",
  open: "everybody who gets here",
};

/** What an open breaker keeps from the upstream. */
export const CLASSES = {
  reads: "downloads",
  uploads: "uploads",
  others: "other requests",
};

/** Kinds of requests. */
export const ROUTES = {
  get: "Downloads",
  head: "Look-ups",
  put: "Uploads",
  batch: "Batches",
  events: "Events",
  status: "Status",
  preflight: "Preflights",
  pass: "Passed on",
};

/** How requests were answered. */
export const OUTCOMES = {
  "hit-memory": "from memory",
  "hit-disk": "from the disk",
  filled: "fetched and kept",
  collapsed: "joined a fetch",
  absent: "not upstream either",
  degraded: "upstream could not say",
  bypass: "fetched, not kept",
  stored: "accepted and kept",
  refused: "refused upstream",
  denied: "refused here",
  passed: "passed on",
  error: "in error",
};

/** The outcomes that somebody should look at. */
export const TROUBLES = new Set(["degraded", "refused", "denied", "error"]);

/** What is asked of the upstream. */
export const OPERATIONS = {
  get: "Fetch",
  head: "Look-up",
  put: "Upload",
  pass: "Passed on",
  status: "Status",
  events: "Events",
  batch: "Batch",
  keys: "Issuer’s keys",
};

/** Results of that which are answers, and no failures. */
export const ANSWERS = new Set(["ok", "absent", "refused"]);

/** States of a tier in which it does not do its work. */
export const TIER_STATES = {
  "read-only": "Read-only after a fault: what is here is found, nothing is added.",
  off: "Off after a fault: nothing in it is found.",
};

/** The word for a name, or the name. */
export function word(words, name) {
  return Object.hasOwn(words, name) ? words[name] : name;
}
