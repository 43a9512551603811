//! One chart over time: areas one before the other, a line that tells of a moment, by mouse or by keys.
//!
//! What is drawn, and in which unit, it is told.

import { make } from "./dom.js";
import { minute } from "./format.js";

const { uPlot } = globalThis;

const HEIGHT = 194;

const FONT = '11px system-ui, -apple-system, "Segoe UI", sans-serif';

/** A colour of the style sheet, as it is now: it follows the system's light and dark. */
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** A chart below `root`. */
export class Plot {
  #layers;
  #format;
  #plot;
  #frame;
  #legend;
  #when = make("span", { class: "when" });
  #values = [];
  #data = null;

  /** `layers`: `{ name, colour }`, from the back to the front; `format` writes a value of theirs, and `axis` has
   *  the form of the left axis: `format`, `incrs`, its `size`, and the `least` that its end stands for. */
  constructor(root, { title, layers, format, axis }) {
    this.#layers = layers;
    this.#format = format;
    this.#legend = this.#makeLegend(layers);
    this.#frame = make("div", {
      class: "frame",
      tabindex: "0",
      role: "slider",
      "aria-label": `${title}: moments, by arrow keys`,
      "aria-valuemin": "0",
      "aria-valuemax": "0",
      "aria-valuenow": "0",
    });
    const heading = make("div", { class: "plot-title" }, make("h3", {}, title), this.#when);
    root.append(heading, this.#legend, this.#frame);
    this.#plot = new uPlot(this.#options(axis), [[], ...layers.map(() => [])], this.#frame);
    this.#follow();
  }

  /** Draws columns: `times` at which steps of `step` seconds end, and of each layer where its area ends (`tops`)
   *  and what it stands for (`values`); `totals` are its sums over the `period`, `extent` is what is shown. */
  draw(data) {
    this.#data = data;
    this.#plot.setData([data.times, ...data.tops], false);
    this.#plot.setScale("x", { min: data.extent[0], max: data.extent[1] });
    this.#frame.setAttribute("aria-valuemax", String(Math.max(0, data.times.length - 1)));
    this.#tell(this.#plot.cursor.idx);
  }

  #makeLegend(layers) {
    const items = layers.toReversed().map(({ name, colour }) => {
      const value = make("b");
      this.#values.unshift(value);
      return make("li", {}, make("i", { class: `swatch ${colour}` }), `${name} `, value);
    });
    return make("ul", { class: "legend" }, ...items);
  }

  #options(axis) {
    const line = { stroke: () => colour("--soft"), font: FONT, ticks: { show: false } };
    const grid = { stroke: () => colour("--line"), width: 1 };
    return {
      width: 320,
      height: HEIGHT,
      padding: [8, 8, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      scales: { x: { time: true }, y: { range: (_, __, most) => [0, Math.max(axis.least, most * 1.1)] } },
      axes: [
        { ...line, grid: { show: false }, size: 30, gap: 9, space: 64, values: (_, times) => times.map(minute) },
        { ...line, grid, size: axis.size, space: 36, incrs: axis.incrs, values: (_, values) => values.map(axis.format) },
      ],
      series: [
        {},
        ...this.#layers.map(({ colour: name }) => ({
          fill: () => colour(`--${name}`),
          stroke: () => colour(`--${name}`),
          width: 1,
          points: { show: false },
          paths: uPlot.paths.stepped({ align: -1 }),
        })),
      ],
      hooks: { setCursor: [(plot) => this.#tell(plot.cursor.idx)] },
    };
  }

  /** Writes into the legend what was at a moment, or in the whole period where none is chosen. */
  #tell(at) {
    if (this.#data === null) return;
    const { times, step, values, totals, period } = this.#data;
    const isMoment = at !== null && at !== undefined && at < times.length;
    const figures = isMoment ? values.map((column) => column[at]) : totals;
    this.#when.textContent = isMoment ? minute(times[at] - step) : period;
    figures.forEach((value, layer) => {
      this.#values[layer].textContent = this.#format(value, isMoment);
    });
    const said = this.#layers.map(({ name }, layer) => `${name} ${this.#values[layer].textContent}`);
    const moment = isMoment ? at : Math.max(0, times.length - 1);
    this.#frame.setAttribute("aria-valuenow", String(moment));
    this.#frame.setAttribute("aria-valuetext", `${this.#when.textContent}: ${said.reverse().join(", ")}`);
  }

  #follow() {
    new ResizeObserver(([entry]) => {
      this.#plot.setSize({ width: Math.floor(entry.contentRect.width), height: HEIGHT });
    }).observe(this.#frame);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#plot.redraw(false));
    this.#frame.addEventListener("keydown", (event) => this.#move(event));
    this.#frame.addEventListener("blur", () => this.#choose(null));
  }

  #move(event) {
    const last = (this.#data?.times.length ?? 0) - 1;
    const at = this.#plot.cursor.idx ?? last;
    const page = 10;
    const moved = {
      ArrowLeft: at - 1,
      ArrowRight: at + 1,
      PageDown: at - page,
      PageUp: at + page,
      Home: 0,
      End: last,
      Escape: null,
    };
    if (last < 0 || !Object.hasOwn(moved, event.key)) return;
    event.preventDefault();
    const next = moved[event.key];
    this.#choose(next === null ? null : Math.min(Math.max(next, 0), last));
  }

  #choose(at) {
    const left = at === null ? -10 : this.#plot.valToPos(this.#data.times[at], "x");
    this.#plot.setCursor({ left, top: at === null ? -10 : 0 });
  }
}
