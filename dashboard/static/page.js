// The page: follows the desk's events, says when they stop, and wires buttons and keys.

import { DASH, clock, dollars, money, price, seconds, set, share, tone } from "./words.js";
import { Card } from "./card.js";
import { DayChart } from "./chart.js";
import { instruct, post } from "./sending.js";
import { showChain, showDay, showLog } from "./tables.js";

const SILENT = 1500; // ms without an event, or of a desk that reports nothing: told at once
const AGAIN = 1000;
const DEAD = 5000; // ms of silence on a connection that calls itself open: a phone that slept, a changed network
const WHY = {
  401: "The desk was started anew, or has forgotten this browser: open the link that it printed last.",
  429: "Too many requests came from here: trying again in a moment.",
  503: "Too many pages of this desk are open, in this browser or in all: close one; this one goes on by itself.",
};
const PARTS = { card: "the question", chain: "the chain", day: "chart, suggestions, orders and executions", log: "the messages" };
const by = (id) => document.getElementById(id);
const facts = document.body.dataset;

let heard = 0, lastNow = null, ended = "", refused = "", source = null, paused = false, sound = null;

function ring() {
  if (!sound) return;
  const tone = sound.createOscillator(), loud = sound.createGain();
  tone.frequency.value = 880;
  loud.gain.setValueAtTime(0.15, sound.currentTime);
  loud.gain.exponentialRampToValueAtTime(0.001, sound.currentTime + 0.4);
  tone.connect(loud).connect(sound.destination);
  tone.start();
  tone.stop(sound.currentTime + 0.4);
}

const card = new Card(ring);
const chart = new DayChart(by("chart"), by("readout"));

// Is it alive? ---------------------------------------------------------------------------------

function judge() {
  const gap = performance.now() - heard, last = lastNow?.time?.ny ?? "";
  const from = last ? ` All figures are of ${last} New York.` : "";
  let state = "live", words = "";
  if (ended) {
    [state, words] = ["over", `${ended}.${from}`];
  } else if (refused) {
    [state, words] = ["lost", `${refused}${from}`];
  } else if (!heard) {
    [state, words] = ["lost", "Connecting to the desk. Nothing here is known yet."];
  } else if (gap > SILENT || source?.readyState !== EventSource.OPEN) {
    [state, words] = ["lost", `CONNECTION LOST ${seconds(gap / 1000)} ago. Trying again; the desk's terminal takes answers and kill.${from}`];
  } else if (lastNow && lastNow.silent * 1000 > SILENT) {
    const why = lastNow.over ? "The session is over and the desk writes its files" : "THE DESK IS SILENT";
    [state, words] = ["lost", `${why}: nothing for ${seconds(lastNow.silent)}.${from}`];
  }
  if (!ended && heard && gap > DEAD) again();
  if (facts.state !== state) facts.state = state;
  by("lost").hidden = !words;
  if (by("lost").textContent !== words) by("lost").textContent = words;
  set("link", { live: "live", lost: "not live", over: "ended" }[state]);
  card.usable = state === "live";
  card.refresh();
  for (const one of document.querySelectorAll("#pause, #kill, #close, #invite, form button[type=submit]")) one.disabled = state !== "live";
}

function listen() {
  source = new EventSource("/events");
  const on = (name, take) => source.addEventListener(name, (event) => {
    heard = performance.now();
    refused = "";
    take(JSON.parse(event.data));
    judge();
  });
  on("now", showNow);
  on("card", (told) => { card.show(told); if (lastNow) card.move(lastNow.question); });
  on("day", (day) => { chart.show(day); showDay(day); });
  on("chain", showChain);
  on("log", (log) => { showLog(log); showAlarm(log); });
  on("end", (told) => { ended = told.words.charAt(0).toUpperCase() + told.words.slice(1); source.close(); });
  source.onerror = () => {
    judge();
    if (ended || source.readyState !== EventSource.CLOSED) return;
    setTimeout(() => { trying = 0; again(); }, AGAIN);
  };
}

// The browser has given up, or waits for what never comes: find out why, and try again.
let trying = 0;
async function again() {
  if (performance.now() < trying) return;
  trying = performance.now() + DEAD;
  try {
    const answer = await fetch("/events", { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(AGAIN) });
    refused = WHY[answer.status] ?? "";
  } catch {
    refused = "";
  }
  trying = performance.now() + (refused ? AGAIN : DEAD);
  source.close();
  listen();
}

// The moving figures ---------------------------------------------------------------------------

function showNow(now) {
  lastNow = now;
  clock(by("clock"), now.time);
  set("spot", price(now.spot));
  set("iv", share(now.iv));
  set("day-pnl", now.bar.time ? money(now.day_pnl) : DASH, now.bar.time ? tone(now.day_pnl) : "");
  by("halted").hidden = !now.halted;
  set("halted", now.halted ? `No new entries: ${now.halted}` : "");
  showBar(now);
  paused = now.halted.startsWith("paused");
  set("pause", paused ? "Resume" : "Pause");
  card.move(now.question);
  showPosition(now.position);
  by("working").replaceChildren(...now.orders.map((one) => {
    const item = document.createElement("li");
    item.textContent = `working: ${one.text.replaceAll("_", " ")} ${one.filled}/${one.quantity} ${one.limit === null ? "" : `at ${price(one.limit)}`} ${one.status}`;
    return item;
  }));
  set("h-feed", now.feed || DASH);
  set("h-broker", now.broker || DASH);
  set("h-desk", now.silent * 1000 > SILENT ? `silent for ${seconds(now.silent)}` : now.halted ? "halted" : "running");
  set("h-loss", now.bar.time ? dollars(now.loss_left) : DASH, now.bar.time && now.loss_left <= 0 ? "old" : "");
  set("h-wait", !now.bar.time || now.over ? DASH : now.wait_left > 0 ? `in ${Math.ceil(now.wait_left)} min` : "when it wants to");
  set("h-pages", String(now.browsers));
  facts.told = now.told; // when the desk told this, seconds: what is on the screen is of then
}

// Everything that is of the last bar says so where a bar is missing; so does what could not be made.
// In accelerated time a bar is minutes old at once: it is missing when none comes for a while here too.
let bar = "", barAt = 0;
function showBar(now) {
  if (!barAt || bar !== now.bar.time?.ny) [bar, barAt] = [now.bar.time?.ny, performance.now()];
  const late = now.bar.age !== null && !now.over && now.bar.age > 2 * Number(facts.barSeconds);
  const stale = late && performance.now() - barAt > SILENT;
  const of = now.bar.time ? `${now.bar.time.ny}, ${seconds(now.bar.age)} ago` : "none yet";
  set("h-bar", of, stale ? "old" : "");
  set("bar", now.bar.time ? now.bar.time.ny : "none yet", stale ? "old" : "");
  facts.bar = stale ? "old" : "";
  const words = stale ? [`NO BAR since ${of}: SPY, volatility, Greeks, chain, chart and the day's dollars are of then.`] : [];
  if (now.broken.length) words.push(`Not up to date: ${now.broken.map((one) => PARTS[one] ?? one).join("; ")}. The desk's terminal says why.`);
  by("stale").hidden = !words.length;
  set("stale", words.join(" "));
  card.whole = !now.broken.includes("card");
}

// The newest alarm stands above everything until the person has seen it.
let alarm = "", seen = "";
function showAlarm(log) {
  const last = log.lines.findLast((one) => one.text.startsWith("ALARM"));
  const words = last ? `${last.time?.ny ?? ""} ${last.text}` : "";
  if (words && words !== alarm) ring();
  alarm = words;
  set("alarm-words", words);
  by("alarm").hidden = !words || words === seen;
}

function showPosition(held) {
  by("held").hidden = !held;
  by("flat").hidden = Boolean(held);
  const old = held && (!held.quote || held.quote.age === null || held.quote.age > Number(facts.ageLimit));
  set("pnl", held ? `${money(held.pnl)}${old ? " old" : ""}` : "", held ? (old ? "old" : tone(held.pnl)) : "");
  if (!held) return;
  set("held-words", held.words);
  set("p-price", price(held.price));
  set("p-stop", price(held.stop));
  clock(by("p-since"), held.entered);
  set("p-bid", price(held.quote?.bid));
  set("p-ask", price(held.quote?.ask));
  set("p-age", held.quote ? `${seconds(held.quote.age)}${old ? " old" : ""}` : "no quote", old ? "old" : "");
}

// Asking the person ----------------------------------------------------------------------------

function confirmed(title, words, button) {
  const dialog = by("ask");
  by("ask-title").textContent = title;
  by("ask-words").textContent = words;
  by("ask-yes").textContent = button;
  dialog.showModal();
  by("ask-no").focus();
  return new Promise((resolve) => {
    const end = (sure) => { by("ask-yes").onclick = by("ask-no").onclick = dialog.oncancel = null; dialog.close(); resolve(sure); };
    by("ask-yes").onclick = () => end(true);
    by("ask-no").onclick = () => end(false);
    dialog.oncancel = () => end(false);
  });
}

async function tell(words, terms = {}) {
  const told = await instruct(words, terms);
  set("told", told.words, told.ok ? "" : "is-bad");
  return told.ok;
}

async function kill() {
  if (by("ask").open || by("kill").disabled) return;
  const first = "The open question is withdrawn, working entries are cancelled, nothing more is suggested. The protective stop stays.";
  if (!await confirmed("Stop all trading?", first, "Stop trading")) return;
  if (!await confirmed("Really?", "Only resume kill starts it again.", "KILL")) return;
  await tell("kill", { sure: true });
}

async function close() {
  if (by("ask").open || by("held").hidden || by("close").disabled) return;
  if (await confirmed("Close the position?", by("held-words").textContent, "Close it now")) await tell("close", { sure: true });
}

async function say(event) {
  event.preventDefault();
  const words = by("words").value.trim(), first = words.split(" ")[0].toLowerCase();
  if (first === "kill") { by("words").value = ""; await kill(); return; }
  const grave = ["flatten", "close"].includes(first);
  if (grave && !await confirmed(`${first}?`, "This closes the open position.", first)) return;
  if (await tell(words, { sure: grave })) by("words").value = "";
}

async function invite() {
  const told = await post("/invite", {});
  set("invited", told.ok ? `Good once, for ${told.seconds / 60} minutes: ${told.link}` : told.words, told.ok ? "" : "is-bad");
}

function turnSound() {
  if (sound) { sound.close(); sound = null; } else { sound = new AudioContext(); ring(); }
  by("sound").textContent = sound ? "Sound on" : "Sound off";
  by("sound").setAttribute("aria-pressed", String(Boolean(sound)));
}

const KEYS = {
  y: () => card.arm("y"), n: () => card.arm("n"), s: () => card.arm("skip"),
  r: () => by("reason").focus(), p: () => by("pause").click(), c: close, k: kill,
  "?": () => by("keys").showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.key === "Escape") { card.disarm(); document.activeElement?.blur(); return; }
  const typing = ["INPUT", "TEXTAREA", "SELECT"].includes(event.target.tagName);
  if (event.key === "Enter" && card.armed && !typing) { event.preventDefault(); card.give(card.armed); return; }
  if (typing || event.repeat) return;
  const chip = document.querySelectorAll(".chip")[Number(event.key) - 1];
  if (/^[1-9]$/.test(event.key) && chip && card.open) { card.choose(chip); return; }
  const deed = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (deed) { event.preventDefault(); deed(); }
});

by("pause").addEventListener("click", () => tell(paused ? "resume" : "pause"));
by("kill").addEventListener("click", kill);
by("close").addEventListener("click", close);
by("alarm-seen").addEventListener("click", () => { seen = alarm; by("alarm").hidden = true; });
by("help").addEventListener("click", () => by("keys").showModal());
by("sound").addEventListener("click", turnSound);
by("invite").addEventListener("click", invite);
by("say").addEventListener("submit", say);
by("stop-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (await tell(`stop ${by("stop").value.trim()}`)) by("stop").value = "";
});
new ResizeObserver(() => document.documentElement.style.setProperty("--roof", `${by("roof").offsetHeight}px`)).observe(by("roof"));
document.addEventListener("visibilitychange", judge);
setInterval(judge, 200);
listen();
