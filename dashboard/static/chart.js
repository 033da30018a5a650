// Three charts over one session, drawn as SVG: SPY with entries and exits, volatility, P&L.

import { money, price, share } from "./words.js";

const SPACE = "http://www.w3.org/2000/svg";
const LEFT = 8, RIGHT = 64, TOP = 18, GAP = 26, BOTTOM = 20;
const PANES = [
  { name: "spot", title: "SPY", height: 190, words: (v) => price(v) },
  { name: "iv", title: "ATM IV", height: 70, words: (v) => share(v) },
  { name: "pnl", title: "Position P&L", height: 80, words: (v) => money(v), zero: true },
];

function draw(name, facts, parent, words) {
  const element = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(facts)) element.setAttribute(key, value);
  if (words !== undefined) element.textContent = words;
  parent.append(element);
  return element;
}

// Round steps of 1, 2 or 5, about as many as asked for and never fewer than two.
function steps(low, high, wanted) {
  const rough = (high - low) / wanted, power = 10 ** Math.floor(Math.log10(rough));
  const marks = [];
  for (const step of [10, 5, 2, 1, 0.5].map((one) => one * power)) {
    if (step < rough && marks.length > 1) break;
    marks.length = 0;
    for (let n = Math.ceil(low / step); n * step <= high; n += 1) marks.push(n * step);
  }
  return marks;
}

function range(values, zero) {
  const known = values.filter((one) => one !== null);
  if (!known.length) return null;
  if (zero) known.push(0);
  let low = known[0], high = known[0];
  for (const one of known) { low = Math.min(low, one); high = Math.max(high, one); }
  const room = (high - low || Math.abs(high) * 0.01 || 1) * 0.08;
  return [low - room, high + room];
}

function line(times, values, x, y) {
  let path = "", pen = false;
  values.forEach((value, n) => {
    if (value === null) { pen = false; return; }
    path += `${pen ? "L" : "M"}${x(times[n]).toFixed(1)} ${y(value).toFixed(1)}`;
    pen = true;
  });
  return path;
}

export class DayChart {
  constructor(host, readout) {
    this.host = host;
    this.readout = readout;
    this.day = null;
    new ResizeObserver(() => this.draw()).observe(host);
    host.addEventListener("pointermove", (event) => this.point(event));
    host.addEventListener("pointerleave", () => this.point(null));
  }

  show(day) {
    this.day = day;
    this.draw();
  }

  clockAt(minute) {
    const [hours, minutes] = this.day.opens.ny.split(":").map(Number);
    const total = hours * 60 + minutes + minute;
    return `${String(Math.floor(total / 60)).padStart(2, "0")}:${String(Math.floor(total % 60)).padStart(2, "0")}`;
  }

  draw() {
    if (!this.day || !this.host.clientWidth) return;
    const width = this.host.clientWidth, { bars, minutes } = this.day;
    const height = TOP + PANES.reduce((sum, pane) => sum + pane.height + GAP, 0) - GAP + BOTTOM;
    const svg = document.createElementNS(SPACE, "svg");
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("height", height);
    this.x = (minute) => LEFT + (minute / minutes) * (width - LEFT - RIGHT);
    const bottom = height - BOTTOM;
    const every = width < 520 ? 120 : 60;
    for (let minute = 30; minute < minutes; minute += every) {
      draw("line", { x1: this.x(minute), x2: this.x(minute), y1: TOP, y2: bottom, class: "grid" }, svg);
      draw("text", { x: this.x(minute), y: height - 5, "text-anchor": "middle" }, svg, this.clockAt(minute));
    }
    let top = TOP;
    for (const pane of PANES) {
      this.pane(svg, pane, bars, top, width);
      top += pane.height + GAP;
    }
    this.cross = draw("line", { y1: TOP, y2: bottom, class: "cross", visibility: "hidden" }, svg);
    this.host.replaceChildren(svg);
    this.host.setAttribute("aria-label", `The session so far. ${this.words(bars.t.length - 1)}`);
  }

  words(n) {
    if (n < 0) return "Nothing yet.";
    const { bars } = this.day;
    return [this.clockAt(bars.t[n]), ...PANES.map((pane) => `${pane.title} ${pane.words(bars[pane.name][n])}`)].join("   ");
  }

  pane(svg, pane, bars, top, width) {
    const values = bars[pane.name], found = range(values, pane.zero), bottom = top + pane.height;
    draw("text", { x: LEFT, y: top - 6, class: "title" }, svg, pane.title);
    draw("line", { x1: LEFT, x2: width - RIGHT, y1: bottom, y2: bottom, class: "grid" }, svg);
    if (!found) {
      draw("text", { x: LEFT, y: top + pane.height / 2 }, svg, "nothing yet");
      return;
    }
    const [low, high] = found;
    const y = (value) => bottom - ((value - low) / (high - low)) * pane.height;
    const last = values.length - 1, tag = last >= 0 && values[last] !== null ? y(values[last]) : -1000;
    for (const mark of steps(low, high, pane.height / 40)) {
      const kind = pane.zero && Math.abs(mark) < 1e-9 ? "zero" : "grid";
      draw("line", { x1: LEFT, x2: width - RIGHT, y1: y(mark), y2: y(mark), class: kind }, svg);
      if (Math.abs(y(mark) - tag) < 15) continue; // the newest value stands there
      draw("text", { x: width - RIGHT + 6, y: y(mark) + 4 }, svg, pane.words(mark).replace(".00", ""));
    }
    draw("path", { d: line(bars.t, values, this.x, y), class: `line ${pane.name}` }, svg);
    if (tag > -1000) this.last(svg, pane, this.x(bars.t[last]), tag, values[last], width);
    if (pane.name === "spot") this.marks(svg, y);
  }

  // The newest value, in words at its height.
  last(svg, pane, x, y, value, width) {
    draw("circle", { cx: x, cy: y, r: 2.5, class: "now" }, svg);
    draw("rect", { x: width - RIGHT + 2, y: y - 8, width: RIGHT - 2, height: 16, rx: 3, class: "tag" }, svg);
    draw("text", { x: width - RIGHT + 6, y: y + 4, class: "tag-words" }, svg, pane.words(value));
  }

  marks(svg, y) {
    for (const mark of this.day.marks) {
      if (mark.spot === null) continue;
      const x = this.x(mark.t), at = y(mark.spot);
      const shape = mark.entry
        ? `M${x - 6} ${at - 15}h12l-6 11z`
        : `M${x} ${at - 17}l6 6l-6 6l-6 -6z`;
      const drawn = draw("path", { d: shape, class: mark.entry ? "entry" : "exit" }, svg);
      draw("title", {}, drawn, mark.words);
    }
  }

  // The bar under the pointer, in words.
  point(event) {
    if (!this.day || !this.cross || !this.day.bars.t.length) return;
    if (!event) {
      this.cross.setAttribute("visibility", "hidden");
      this.readout.textContent = "";
      return;
    }
    const at = event.clientX - this.host.getBoundingClientRect().left, { bars } = this.day;
    let near = 0;
    bars.t.forEach((minute, n) => {
      if (Math.abs(this.x(minute) - at) < Math.abs(this.x(bars.t[near]) - at)) near = n;
    });
    const x = this.x(bars.t[near]);
    this.cross.setAttribute("x1", x);
    this.cross.setAttribute("x2", x);
    this.cross.setAttribute("visibility", "visible");
    this.readout.textContent = this.words(near);
  }
}
