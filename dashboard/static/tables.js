// The tables of the page: suggestions, orders, executions, the chain, messages.

import { DASH, cell, clock, dollars, fill, money, price, row, seconds, share, signed, timeOf, tone } from "./words.js";

const ANSWERS = { y: "yes", n: "no", skip: "skip", timeout: "timed out", withdrawn: "withdrawn" };

function outcome(one) {
  if (one.ended_by) return one.ended_by.replaceAll("_", " ");
  return one.outcome || (one.answer ? DASH : "open");
}

export function showDay(day) {
  fill("suggestions", day.suggestions.map((one) => row(
    cell(timeOf(one.time)),
    cell(one.exit ? `${one.words} (exit: ${one.exit.replaceAll("_", " ")})` : one.words),
    cell(price(one.bid), "n"),
    cell(price(one.ask), "n"),
    cell(price(one.risk), "n"),
    cell(one.answer ? `${ANSWERS[one.answer] ?? one.answer}${one.channel && one.channel !== "desk" ? `, ${one.channel}` : ""}` : "open"),
    cell(one.seconds === null ? DASH : seconds(one.seconds), "n"),
    cell(one.why || DASH, "free"),
    cell(outcome(one), "free"),
    one.pnl !== null ? cell(money(one.pnl), `n ${tone(one.pnl)}`)
      : one.shadow !== null ? cell(`would be ${money(one.shadow)}`, "n") : cell(DASH, "n"),
  )), "none yet");
  const tally = {};
  for (const one of day.suggestions) if (one.answer) tally[one.answer] = (tally[one.answer] || 0) + 1;
  document.getElementById("tally").textContent =
    Object.entries(tally).map(([answer, count]) => `${count} ${ANSWERS[answer] ?? answer}`).join(", ");
  fill("orders", day.orders.map((one) => row(
    cell(timeOf(one.time)), cell(one.words), cell(one.purpose.replaceAll("_", " ")),
    cell(one.limit === null ? "market" : price(one.limit), "n"),
    cell(`${one.status} ${one.filled}/${one.quantity}${one.message ? `: ${one.message.replaceAll("_", " ")}` : ""}`, "free"),
  )), "none yet");
  fill("executions", day.executions.map((one) => row(
    cell(timeOf(one.time)), cell(one.words, "free"), cell(price(one.mid, 3), "n"),
    cell(dollars(one.fee), "n"), cell(price(one.spot), "n"),
  )), "none yet");
}

export function showChain(chain) {
  clock(document.getElementById("chain-time"), chain.time);
  const kinds = (side) => `n${side.held ? " held" : ""}${side.asked ? " asked" : ""}`;
  const rows = chain.rows.map((one) => row(
    cell(signed(one.call.delta), "n"), cell(price(one.call.bid), kinds(one.call)), cell(price(one.call.ask), kinds(one.call)),
    cell(price(one.strike, Number.isInteger(one.strike) ? 0 : 2), "strike"),
    cell(price(one.put.bid), kinds(one.put)), cell(price(one.put.ask), kinds(one.put)), cell(signed(one.put.delta), "n"),
    cell(share(one.iv), "n"),
  ));
  const below = chain.rows.filter((one) => one.strike <= chain.spot).length;
  if (below) rows[below - 1].classList.add("money");
  fill("chain", rows, "no bar yet");
}

export function showLog(log) {
  const list = document.getElementById("log");
  const lines = log.lines.map((one) => {
    const item = document.createElement("li"), words = document.createElement("pre");
    words.textContent = one.text;
    item.append(timeOf(one.time), words);
    return item;
  });
  if (!lines.length) {
    const item = document.createElement("li");
    item.className = "quiet";
    item.textContent = log.hidden ? "hidden: this session is blind" : "none yet";
    lines.push(item);
  }
  list.replaceChildren(...lines.reverse());
}
