// Figures and times in words. What is not known is a dash, never a zero.

export const DASH = "\u2013";
const MINUS = "\u2212";

export function price(value, digits = 2) {
  return value === null || value === undefined ? DASH : value.toFixed(digits);
}

export function money(value) {
  if (value === null || value === undefined) return DASH;
  const cents = Math.round(Math.abs(value) * 100) / 100;
  const sign = cents === 0 ? "" : value < 0 ? MINUS : "+";
  const words = cents.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  return `${sign}$${words}`;
}

export function whole(value) {
  if (value === null || value === undefined) return DASH;
  const words = Math.round(Math.abs(value)).toLocaleString("en-US");
  return `${words === "0" ? "" : value < 0 ? MINUS : "+"}$${words}`;
}

export function dollars(value) {
  return value === null || value === undefined ? DASH : money(value).replace("+", "");
}

export function signed(value, digits = 2) {
  if (value === null || value === undefined) return DASH;
  const text = Math.abs(value).toFixed(digits);
  return `${Number(text) === 0 ? "" : value < 0 ? MINUS : "+"}${text}`;
}

export function share(value, digits = 1) {
  return value === null || value === undefined ? DASH : `${(100 * value).toFixed(digits)} %`;
}

export function seconds(value) {
  if (value === null || value === undefined) return DASH;
  return value < 120 ? `${value.toFixed(value < 10 ? 1 : 0)} s` : `${(value / 60).toFixed(0)} min`;
}

// "gain", "loss" or "": blue or orange, always beside the figure's own sign.
export function tone(value) {
  return !value ? "" : value > 0 ? "gain" : "loss";
}

// Fill a <time>: New York's clock, and the reader's own on hover.
export function clock(element, moment) {
  element.textContent = moment ? moment.ny : DASH;
  if (moment && moment.utc) {
    element.dateTime = moment.utc;
    element.title = `${new Date(moment.utc).toLocaleTimeString()} here, ${moment.ny} in New York`;
  } else {
    element.removeAttribute("title");
  }
}

export function timeOf(moment) {
  const element = document.createElement("time");
  clock(element, moment);
  return element;
}

export function set(id, words, kind = "") {
  const element = document.getElementById(id);
  if (element.textContent !== words) element.textContent = words;
  if (element.dataset.kind !== kind) {
    if (element.dataset.kind) element.classList.remove(element.dataset.kind);
    if (kind) element.classList.add(kind);
    element.dataset.kind = kind;
  }
}

// A cell of a table: text or an element, with classes.
export function cell(content, kinds = "") {
  const element = document.createElement("td");
  if (kinds) element.className = kinds;
  if (content instanceof Node) element.append(content);
  else element.textContent = content ?? DASH;
  return element;
}

export function heading(words, scope) {
  const element = document.createElement("th");
  [element.scope, element.textContent] = [scope, words];
  return element;
}

export function row(...cells) {
  const element = document.createElement("tr");
  element.append(...cells);
  return element;
}

// Replace a table's rows; without any, say so.
export function fill(id, rows, empty) {
  const table = document.getElementById(id);
  const body = table.tBodies[0];
  if (!rows.length && empty) {
    const only = cell(empty, "quiet");
    only.colSpan = table.tHead.rows[0].cells.length;
    rows = [row(only)];
  }
  const names = [...table.tHead.rows[0].cells].map((one) => one.textContent);
  for (const one of rows) {
    if (one.cells.length === names.length) names.forEach((name, n) => { one.cells[n].dataset.name = name; });
  }
  body.replaceChildren(...rows);
}
