//! The samples of the last hour and day as columns to draw, and as rows to read.

/** Seconds that each range shows. */
export const SPANS = { fine: 3600, coarse: 86_400 };

/** Seconds of a step that is drawn: single samples are too restless to be read. */
export const STEPS = { fine: 60, coarse: 900 };

/** While little is known, this share of the range is shown, so that a young process has more than a dot. */
const LEAST_SHARE = 1 / 6;

/** Rows of the table: each sums up a twelfth of the range. */
const ROWS = 12;

const SUMMED = ["memory", "disk", "missed", "bytes_sent", "bytes_saved"];

/** The columns of what is drawn, oldest first: each step's end in `times`, and rates a second over it. */
export function columns(range, { interval_seconds: interval, samples }) {
  const width = STEPS[range];
  const steps = joined(summed(samples, width), width);
  const column = (name) => steps.map((step) => step[name] / (Math.max(1, step.samples) * interval));
  const [memory, disk, missed] = ["memory", "disk", "missed"].map(column);
  return {
    times: steps.map(({ begin }) => begin + width),
    memory,
    disk,
    missed,
    hits: memory.map((value, at) => value + disk[at]),
    all: memory.map((value, at) => value + disk[at] + missed[at]),
    sent: column("bytes_sent"),
    saved: column("bytes_saved"),
  };
}

/** From when to when is drawn: the whole range once that much is known. */
export function extent(range, times, now) {
  const span = SPANS[range];
  const first = times.length > 0 ? times[0] : now;
  return [Math.max(now - span, Math.min(first, now - span * LEAST_SHARE)), now];
}

/** What was counted over the whole range. */
export function totals(samples) {
  const sum = (name) => samples.reduce((total, sample) => total + sample[name], 0);
  return Object.fromEntries(SUMMED.map((name) => [name, sum(name)]));
}

/** The range in twelfths, newest first: from when on, and what was counted in it. Empty ones are left out. */
export function rows(range, samples) {
  return summed(samples, SPANS[range] / ROWS).reverse();
}

/** The samples summed up over steps of this many seconds, oldest first. */
function summed(samples, width) {
  const found = new Map();
  for (const sample of samples) {
    // A sample bears the moment at which it ends.
    const begin = Math.floor((sample.time - 1) / width) * width;
    const step = found.get(begin) ?? nothing(begin);
    for (const name of SUMMED) step[name] += sample[name];
    step.samples += 1;
    found.set(begin, step);
  }
  // A clock that was set back left labels out of order.
  return [...found.values()].sort((one, other) => one.begin - other.begin);
}

/** The steps, and before each that follows upon none (the first, or where the process slept or its clock was set) one of
 *  nothing: an area begins where the one before it ends. */
function joined(steps, width) {
  return steps.flatMap((step, at) => {
    const before = step.begin - width;
    return at > 0 && steps[at - 1].begin === before ? [step] : [nothing(before), step];
  });
}

function nothing(begin) {
  return { begin, samples: 0, ...Object.fromEntries(SUMMED.map((name) => [name, 0])) };
}
