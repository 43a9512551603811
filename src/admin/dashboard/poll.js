//! Asks the API again and again, while somebody looks.
//!
//! What an answer means, and how it is shown, is others' business.

/** Milliseconds between two rounds. */
const EVERY = 5000;

/** Milliseconds after which an answer is not waited for any more: less than a round. */
const PATIENCE = 4000;

/** An answer that is none of what was asked for. */
export class Refusal extends Error {
  constructor(status) {
    super(`answered ${status}`);
    this.status = status;
  }
}

/** An answer that says nothing to this page: of another version, or of somebody in between. */
export class Unclear extends Error {}

/** Asks for a document; the paths are relative, so that the page also works below a gateway's prefix. */
export async function ask(path) {
  const url = new URL(path, location.href);
  // A page that was opened with the token in its address may ask for nothing with it there; the browser keeps it.
  url.username = url.password = "";
  // Whoever takes JSON alone is refused without a browser asking for the token, every five seconds anew.
  const headers = { accept: "application/json" };
  const response = await fetch(url, { headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
  if (!response.ok) throw new Refusal(response.status);
  try {
    return await response.json();
  } catch (error) {
    throw error instanceof SyntaxError ? new Unclear(error.message) : error;
  }
}

/** Runs `round` now and every five seconds, but not while the page is hidden or paused. */
export class Poll {
  #round;
  #timer = null;
  #isRunning = false;
  #isPaused = false;

  constructor(round) {
    this.#round = round;
    document.addEventListener("visibilitychange", () => this.#resume());
    this.#resume();
  }

  /** Stops, or goes on at once. */
  pause(isPaused) {
    this.#isPaused = isPaused;
    this.#resume();
  }

  #resume() {
    clearTimeout(this.#timer);
    if (!this.#isPaused && !document.hidden) this.#run();
  }

  async #run() {
    // The round that is under way sets the timer for the next.
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      await this.#round();
    } finally {
      this.#isRunning = false;
      if (!this.#isPaused && !document.hidden) this.#timer = setTimeout(() => this.#run(), EVERY);
    }
  }
}
