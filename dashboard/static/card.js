// The question: what is asked, what a yes does, and the buttons that answer it.

import { DASH, cell, heading, price, row, seconds, set, share, signed, tone, whole } from "./words.js";
import { instruct, post } from "./sending.js";

const REST = 500; // ms: a button that has just come up under the pointer takes no click
const NAMES = { y: "yes", n: "no", skip: "skip" };
const GREEKS = [["delta", "Delta", "shares"], ["gamma", "Gamma", "shares per 1\u00a0%"], ["theta", "Theta", "$ an hour"], ["vega", "Vega", "$ a vol point"]];
const by = (id) => document.getElementById(id);

export class Card {
  constructor(ring) {
    this.ring = ring;
    this.open = null;
    this.since = 0;
    this.armed = "";
    this.doubt = ""; // why a yes would be refused now
    this.sending = false;
    this.usable = false;
    this.whole = true; // false while the desk cannot make the card: what is shown is an earlier one
    this.limits = { age: Number(document.body.dataset.ageLimit), drift: Number(document.body.dataset.driftLimit) };
    for (const button of document.querySelectorAll(".answer")) {
      button.addEventListener("click", () => this.give(button.dataset.answer));
    }
    for (const chip of document.querySelectorAll(".chip")) {
      chip.addEventListener("click", () => this.choose(chip));
    }
    by("terms").addEventListener("submit", (event) => { event.preventDefault(); this.change(); });
  }

  // A card came: a question, other terms, or its end.
  show(card) {
    const before = this.open;
    this.open = card.open ? card : null;
    by("card").classList.toggle("is-open", card.open);
    by("open").hidden = !card.open;
    by("quiet").hidden = card.open;
    if (!card.open) return this.closed(card, before);
    const anew = !before || before.terms !== card.terms;
    if (anew) this.begin(card, before && before.key === card.key);
    by("card-title").textContent = card.entry ? card.title : `EXIT: ${card.title}`;
    set("text", card.text);
    this.plan(card.plan);
    this.moves(card.moves);
    const of = card.bar ? `, at the bar of ${card.bar.ny}` : "";
    by("moves").caption.textContent = `${card.entry ? "Dollars if SPY moves" : "Dollars if the position is kept and SPY moves"}${of}`;
    by("greeks").caption.textContent = `The book in Greeks${of}`;
    this.greeks(card.greeks);
    this.wants(card.wants);
    by("terms").hidden = !card.entry || card.worst === null;
    this.refresh();
  }

  begin(card, changed) {
    this.since = performance.now();
    this.disarm();
    this.sending = false;
    set("said", changed ? "The terms changed: look again." : "", changed ? "is-bad" : "");
    by("quantity").value = card.quantity;
    by("worst").value = card.worst === null ? "" : card.worst.toFixed(2);
    if (!changed) {
      by("reason").value = "";
      for (const chip of document.querySelectorAll(".chip")) chip.setAttribute("aria-pressed", "false");
      this.ring();
    }
    const within = card.entry ? ` Answer within ${Number(document.body.dataset.seconds)} seconds.` : "";
    set("announce", changed ? `The terms changed: ${card.title}.` : `Question: ${card.entry ? "" : "exit, "}${card.title}.${within} Keys y, n, s, then Enter.`);
    setTimeout(() => this.refresh(), REST + 20);
  }

  closed(card, before) {
    by("card-title").textContent = "Suggestion";
    by("countdown").hidden = true;
    set("left", "");
    this.disarm();
    document.title = "zdte desk";
    if (before && by("said").dataset.kind !== "is-bad") set("said", ""); // a refusal stays
    const words = `No question is open.${card.ended ? ` The last one: ${card.ended.words}.` : ""}`;
    set("quiet", words);
    set("announce", before || card.ended ? words : "");
  }

  // The moving part: prices, ages, seconds left.
  move(question) {
    if (!this.open || !question || question.terms !== this.open.terms) return;
    this.open.given = question.given;
    const quote = question.quote, left = question.left, total = Number(document.body.dataset.seconds);
    set("q-bid", price(quote?.bid));
    set("q-ask", price(quote?.ask));
    set("q-mid", price(quote?.mid, 3));
    set("q-spot", price(question.spot));
    const old = quote === null || quote.age === null || quote.age > this.limits.age;
    set("q-age", quote ? `${seconds(quote.age)}${old ? " old" : ""}` : "no quote", old ? "old" : "");
    const far = question.drift !== null && question.drift > this.limits.drift;
    set("q-drift", question.drift === null ? DASH : `${signed(question.drift, 0)} ticks`, far ? "old" : "");
    this.doubt = !this.open.entry ? "" : !quote ? "A yes would be refused: there is no quote"
      : old ? `A yes would be refused: the quote is old, ${this.limits.age} s allowed`
      : far ? `A yes would be refused: ${question.drift.toFixed(0)} ticks against, ${this.limits.drift} allowed` : "";
    if (!this.armed) set("armed", this.doubt, this.doubt ? "old" : "");
    if (this.open.entry) {
      set("left", left === null ? "" : `${left.toFixed(0)} s left`, left !== null && left <= 10 ? "old" : "");
      by("countdown").hidden = left === null;
      by("countdown").max = total;
      by("countdown").value = left ?? 0;
    } else {
      by("countdown").hidden = true;
      set("left", left === null ? "" : `asked again in ${left.toFixed(0)} s`);
    }
    document.title = `\u25CF ${this.open.title}? ${left === null ? "" : `${left.toFixed(0)} s`}`;
    this.refresh();
  }

  refresh() {
    const rested = performance.now() - this.since >= REST;
    const ready = this.usable && this.whole && this.open && rested && !this.sending && !this.open.given;
    for (const button of document.querySelectorAll(".answer")) button.disabled = !ready;
    if (this.open?.given) set("said", `${NAMES[this.open.given]} given: the desk looks at it`);
    return ready;
  }

  arm(answer) {
    if (!this.refresh()) return;
    this.armed = answer;
    for (const button of document.querySelectorAll(".answer")) {
      button.classList.toggle("is-armed", button.dataset.answer === answer);
    }
    set("armed", `Enter gives ${NAMES[answer].toUpperCase()}, Esc takes it back`);
  }

  disarm() {
    this.armed = "";
    for (const button of document.querySelectorAll(".answer")) button.classList.remove("is-armed");
    set("armed", "");
  }

  choose(chip) {
    const pressed = chip.getAttribute("aria-pressed") === "true";
    for (const one of document.querySelectorAll(".chip")) one.setAttribute("aria-pressed", "false");
    chip.setAttribute("aria-pressed", String(!pressed));
  }

  async give(answer) {
    if (!this.refresh()) return;
    const { key, terms } = this.open;
    const code = document.querySelector('.chip[aria-pressed="true"]')?.dataset.code ?? "";
    this.sending = true;
    this.disarm();
    this.refresh();
    const told = await post("/answer", { key, terms, answer, code, reason: by("reason").value });
    this.sending = false;
    if (!told.ok || this.open?.terms === terms) set("said", told.words, told.ok ? "" : "is-bad");
    this.refresh();
  }

  async change() {
    if (!this.open) return;
    const key = this.open.key, quantity = by("quantity").value.trim(), worst = by("worst").value.trim();
    const words = [];
    if (quantity !== String(this.open.quantity)) words.push(`qty ${quantity}`);
    if (worst !== (this.open.worst === null ? "" : this.open.worst.toFixed(2))) words.push(`limit ${worst}`);
    for (const one of words) {
      const told = await instruct(one, { key });
      set("said", told.words, told.ok ? "" : "is-bad");
      if (!told.ok) return;
    }
  }

  plan(plan) {
    set("plan-title", plan.heading);
    const line = (name, words, kind) => {
      const rows = document.createElement("div"), dt = document.createElement("dt"), dd = document.createElement("dd");
      [dt.textContent, dd.textContent, dd.className] = [name, words, kind];
      rows.append(dt, dd);
      return rows;
    };
    by("plan").replaceChildren(
      ...plan.rows.map(([name, words]) => line(name, words, "")),
      ...plan.warnings.map((words) => line("Attention", words, "old")),
    );
  }

  moves(moves) {
    by("moves").hidden = !moves.length;
    by("moves").tHead.replaceChildren(row(heading("", "col"), ...moves.map((one) => heading(`${signed(one.move, 0)} %`, "col"))));
    const line = (title, name) => row(heading(title, "row"), ...moves.map((one) => cell(whole(one[name]), tone(Math.round(one[name])))));
    const rows = [line("at close", "close")];
    if (moves.some((one) => one.now !== null)) rows.unshift(line("at once", "now"));
    by("moves").tBodies[0].replaceChildren(...rows);
  }

  greeks(greeks) {
    by("greeks").hidden = !greeks;
    if (!greeks) return;
    const titles = GREEKS.map(([, title, unit]) => {
      const th = heading(title, "col"), small = document.createElement("small");
      small.textContent = unit;
      th.append(small);
      return th;
    });
    by("greeks").tHead.replaceChildren(row(heading("", "col"), ...titles));
    const line = (title, book) => row(heading(title, "row"), ...GREEKS.map(([name]) => cell(signed(book[name]))));
    by("greeks").tBodies[0].replaceChildren(line("before", greeks.before), line("after a yes", greeks.after));
  }

  wants(wants) {
    by("wants").replaceChildren(...wants.flatMap((one) => {
      const name = document.createElement("span"), bar = document.createElement("meter"), words = document.createElement("span");
      name.textContent = one.action;
      bar.value = one.share ?? 0;
      bar.setAttribute("aria-label", one.action);
      words.textContent = share(one.share);
      return [name, bar, words];
    }));
  }
}
