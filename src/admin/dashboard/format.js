//! Figures as people read them. Sizes are binary, as in the configuration.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** What stands where nothing is known. */
export const NOTHING = "–";

/** A count, with its thousands apart. */
export function count(value) {
  return Math.round(value).toLocaleString("en");
}

/** A rate: one decimal while it is small. */
export function rate(value) {
  return value > 0 && value < 10 ? value.toFixed(1) : count(value);
}

/** Bytes in the largest unit of which there is one. */
export function bytes(value) {
  const power = value < 1 ? 0 : Math.min(Math.floor(Math.log2(value) / 10), UNITS.length - 1);
  const scaled = value / 1024 ** power;
  const digits = power === 0 || scaled >= 100 ? 0 : 1;
  return `${scaled.toFixed(digits)} ${UNITS[power]}`;
}

/** The same for an axis, whose marks are whole. */
export function mark(value) {
  return bytes(value).replace(".0 ", " ");
}

/** A share of 0 to 1; one that is not whole is never called so. */
export function share(value) {
  if (value > 0 && value < 0.01) return "< 1 %";
  if (value > 0.99 && value < 1) return "> 99 %";
  return `${Math.round(value * 100)} %`;
}

/** A span of seconds, in its two largest units. */
export function span(seconds) {
  if (seconds === 0) return "0 s";
  if (seconds < 0.9995) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return pair(minutes, "min", whole % 60, "s");
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return pair(hours, "h", minutes % 60, "min");
  return pair(Math.floor(hours / 24), "d", hours % 24, "h");
}

/** A time of day, with seconds. */
export function clock(date) {
  return date.toLocaleTimeString("en-GB");
}

/** A time of day, without. */
export function minute(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
}

function pair(large, largeUnit, small, smallUnit) {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}
