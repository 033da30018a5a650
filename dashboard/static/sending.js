// What the page tells the desk. Every refusal comes back as one line of words.

const WAIT = 5000;

function number() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (one) => one.toString(16).padStart(2, "0")).join("");
}

export async function post(path, body) {
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(WAIT),
    });
    const text = await answer.text();
    let told;
    try { told = JSON.parse(text); } catch { told = { words: text.trim() }; }
    return { ok: answer.ok, ...told };
  } catch {
    return { ok: false, words: "NOT KNOWN whether the desk has it: the connection failed. Look at the card and the messages." };
  }
}

export function instruct(words, { key = "", sure = false } = {}) {
  return post("/instruct", { number: number(), words, key, sure: sure ? "yes" : "" });
}
