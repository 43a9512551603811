//! Traffic over the last hour and the last day: two charts, and the same as a table.

import { fill, find, show, table } from "./dom.js";
import { bytes, count, mark, minute, rate } from "./format.js";
import { columns, extent, rows, STEPS, totals } from "./history.js";
import { Plot } from "./plot.js";

const PERIODS = { fine: "in all of the last hour", coarse: "in all of the last 24 hours" };

/** Distances of an axis' lines: whole, and for bytes powers of two, as their units are. */
const DECIMAL = Array.from({ length: 36 }, (_, at) => [1, 2, 5][at % 3] * 10 ** Math.floor(at / 3));
const BINARY = Array.from({ length: 50 }, (_, power) => 2 ** power);

const MINUTE = 60;

/** The charts and what chooses among them. */
export class Traffic {
  #requests;
  #bytes;
  #history = null;
  #now = 0;
  #range = "fine";

  constructor() {
    this.#requests = new Plot(find("plot-requests"), {
      title: "Downloads a minute",
      layers: [
        { name: "missed", colour: "missed" },
        { name: "disk", colour: "disk" },
        { name: "memory", colour: "memory" },
      ],
      format: (value, isMoment) => (isMoment ? rate(value) : count(value)),
      axis: { format: count, incrs: DECIMAL, size: 46, least: 4 },
    });
    this.#bytes = new Plot(find("plot-bytes"), {
      title: "Bytes a second",
      layers: [
        { name: "sent to clients", colour: "missed" },
        { name: "not fetched", colour: "memory" },
      ],
      format: (value, isMoment) => (isMoment ? `${bytes(value)}/s` : bytes(value)),
      axis: { format: mark, incrs: BINARY, size: 62, least: 4096 },
    });
    for (const input of document.querySelectorAll("input[name=range]")) {
      input.addEventListener("change", () => this.#choose(input.value));
    }
    find("table-toggle").addEventListener("click", ({ currentTarget }) => this.#unfold(currentTarget));
  }

  /** Shows what is known `now`, by Larder's clock: the browser's may differ. */
  show(history, now) {
    this.#history = history;
    this.#now = now;
    this.#draw();
  }

  #choose(range) {
    this.#range = range;
    this.#draw();
  }

  #unfold(button) {
    const isOpen = button.getAttribute("aria-expanded") !== "true";
    button.setAttribute("aria-expanded", String(isOpen));
    show("traffic-table", isOpen);
  }

  #draw() {
    if (this.#history === null) return;
    const history = this.#history[this.#range];
    const known = columns(this.#range, history);
    const counted = totals(history.samples);
    const common = {
      times: known.times,
      step: STEPS[this.#range],
      extent: extent(this.#range, known.times, this.#now),
      period: PERIODS[this.#range],
    };
    const minutely = (column) => column.map((value) => value * MINUTE);
    this.#requests.draw({
      ...common,
      tops: [known.all, known.hits, known.memory].map(minutely),
      values: [known.missed, known.disk, known.memory].map(minutely),
      totals: [counted.missed, counted.disk, counted.memory],
    });
    const amounts = [known.sent, known.saved];
    this.#bytes.draw({ ...common, tops: amounts, values: amounts, totals: [counted.bytes_sent, counted.bytes_saved] });
    fill(find("traffic-table"), this.#table(history.samples));
  }

  #table(samples) {
    const cells = rows(this.#range, samples).map((row) => [
      minute(row.begin),
      count(row.memory),
      count(row.disk),
      count(row.missed),
      bytes(row.bytes_sent),
      bytes(row.bytes_saved),
    ]);
    const heads = ["From", "Memory", "Disk", "Missed", "Sent", "Not fetched"];
    return table(`Downloads and bytes by time, ${PERIODS[this.#range]}`, heads, cells);
  }
}
