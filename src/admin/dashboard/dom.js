//! Elements: found, made, and changed only where something changed.
//!
//! Everything that comes from outside is set as text. What it says is others' business.

const SVG = "http://www.w3.org/2000/svg";

/** The element of the page with this id. */
export const find = (id) => document.getElementById(id);

/** A new element with attributes and children; what is `null` is left out. */
export function make(tag, attributes = {}, ...children) {
  return complete(document.createElement(tag), attributes, children);
}

/** The same for a piece of a drawing. */
export function draw(tag, attributes = {}, ...children) {
  return complete(document.createElementNS(SVG, tag), attributes, children);
}

/** Sets an element's text, and leaves alone what says so already: a reader may have marked it. */
export function say(id, text) {
  const element = find(id);
  if (element.textContent !== text) element.textContent = text;
}

/** Puts children in the place of others, unless they are the same. */
export function fill(parent, ...children) {
  const next = parent.cloneNode(false);
  next.append(...children);
  if (!next.isEqualNode(parent)) parent.replaceChildren(...next.childNodes);
}

/** Shows or hides a part of the page. */
export function show(id, isShown) {
  find(id).hidden = !isShown;
}

/** A table; each row is a list of cells, the first of them its head. Cells are texts or elements. */
export function table(caption, heads, rows) {
  const head = heads.map((text) => make("th", { scope: "col" }, text));
  const body = rows.map(([first, ...cells]) =>
    make("tr", {}, make("th", { scope: "row" }, first), ...cells.map((cell) => make("td", {}, cell))),
  );
  return make(
    "table",
    {},
    make("caption", { class: "unseen" }, caption),
    make("thead", {}, make("tr", {}, ...head)),
    make("tbody", {}, ...body),
  );
}

/** The parts of a whole as stretches of one bar: `{ share, kind }`, shares of 0 to 1, from the left. */
export function stretches(parts) {
  let begin = 0;
  return parts.map(({ share, kind }) => {
    const x = begin;
    begin += share;
    return draw("rect", { class: kind, x: percent(x), width: percent(share), height: "100%" });
  });
}

const percent = (share) => `${(share * 100).toFixed(2)}%`;

function complete(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}
