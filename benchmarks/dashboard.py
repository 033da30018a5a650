"""The web page: from click to journal, from snapshot to page, ten open pages, the first load.

A real `run.py live --mock --web` in a process of its own; browsers are made of sockets, so that
they cost the machine little. Goals: answer in the journal p99 100 ms, update 250 ms after the
desk's own state, ten pages 5 % of a core, first load 300 kB and 1 s. The update is measured to the
changed page in a real browser (Debian's chromium) where there is one.
"""

import json
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parent.parent
RULES = (
    *("rules.wait_minutes=5,5,5", "rules.wait_after_skip=5", "live.watchdog=false"),
    *("live.web_port=0", "rules.entry_after_open=1"),
)
PAGES, ANSWERS = 10, 40
SECONDS = 20.0
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking")


def desk(folder: Path, speed: str) -> "subprocess.Popen[bytes]":
    words = [sys.executable, str(ROOT / "run.py"), "live", "--mock", "--policy", "random", "--web"]
    words += ["--speed", speed, "--set", f"live.journal={folder / 'journal.db'}"]
    words += ["--out", str(folder / "out")]
    for rule in RULES:
        words += ["--set", rule]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "XDG_STATE_HOME": str(folder)}
    with (folder / "printed").open("wb") as printed:
        return subprocess.Popen(
            words, cwd=folder, stdin=subprocess.DEVNULL, stdout=printed, env=environment
        )


def browser(folder: Path) -> tuple[str, requests.Session]:
    """A session that came in by the newest link, once."""
    until = time.monotonic() + 60
    while True:
        links = re.findall(r"http://\S+token=\S+", (folder / "printed").read_text())
        session = requests.Session()
        session.trust_env = False
        if links and session.get(links[-1], timeout=5).status_code == 200:
            url = links[-1].partition("/enter")[0]
            session.headers["Origin"] = url
            return url, session
        assert time.monotonic() < until, "the desk printed no link"
        time.sleep(0.1)


def events(url: str, session: requests.Session) -> Any:
    """Topics as they come, with the moment at which each was heard."""
    with session.get(f"{url}/events", stream=True, timeout=30) as answer:
        name = ""
        for line in answer.iter_lines(chunk_size=None):
            if line.startswith(b"event: "):
                name = line[7:].decode()
            elif line.startswith(b"data: "):
                yield name, json.loads(line[6:]), time.time()


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def first_load(url: str, session: requests.Session) -> None:
    began = time.perf_counter()
    front = session.get(url, timeout=5)
    names = {"page.css", "page.js", "icon.svg", *("card", "chart", "sending", "tables", "words")}
    paths = [name if "." in name else f"{name}.js" for name in names]
    files = [session.get(f"{url}/static/{path}", timeout=5) for path in paths]
    size = sum(len(answer.content) for answer in (front, *files))
    print(
        f"first load       {size / 1000:.0f} kB in {time.perf_counter() - began:.3f} s", flush=True
    )


def clicks(folder: Path) -> None:
    """From the moment the answer is sent until another process reads it in the journal."""
    process = desk(folder, "600")
    try:
        url, session = browser(folder)
        first_load(url, session)
        answering, taken = requests.Session(), []
        answering.trust_env = False
        answering.headers["Origin"] = url
        answering.cookies.update(session.cookies)
        done: set[str] = set()
        for name, told, _ in events(url, session):
            if name != "card" or not told["open"] or told["terms"] in done:
                continue
            done.add(told["terms"])
            body = {"key": told["key"], "terms": told["terms"], "answer": "skip"}
            before = decisions(folder)
            began = time.perf_counter()
            sent = answering.post(
                f"{url}/answer", json={**body, "code": "", "reason": ""}, timeout=5
            )
            if sent.status_code != 200:
                continue
            while decisions(folder) == before:
                time.sleep(0.0005)
            taken.append(1000 * (time.perf_counter() - began))
            if len(taken) == ANSWERS:
                break
        print(
            f"click to journal median {statistics.median(taken):.1f} ms, "
            f"p99 {percentile(taken, 0.99):.1f} ms of {len(taken)}",
            flush=True,
        )
    finally:
        process.kill()
        process.wait()


def decisions(folder: Path) -> int:
    path = f"file:{folder / 'journal.db'}?mode=ro"
    with closing(sqlite3.connect(path, uri=True)) as connection:
        return int(connection.execute("SELECT count(*) FROM decisions").fetchone()[0])


def pages(folder: Path) -> None:
    """The process's CPU time with no page and with ten; how late a page is."""
    process = desk(folder, "1")
    try:
        url, session = browser(folder)
        time.sleep(8)
        idle = busy(process.pid)
        late: list[float] = []
        for _ in range(PAGES):
            one = invited(url, session)  # a browser may have four pages open, so each is its own
            threading.Thread(target=follow, args=(url, one, late), daemon=True).start()
        time.sleep(3)
        late.clear()
        watched = busy(process.pid)
        print(
            f"ten open pages   {100 * (watched - idle):.1f} % of a core "
            f"({100 * idle:.1f} % without, {100 * watched:.1f} % with)"
        )
        print_late("desk's state to a socket", late)
    finally:
        process.kill()
        process.wait()


def print_late(what: str, late: list[float]) -> None:
    print(
        f"{what}: median {1000 * statistics.median(late):.1f} ms, "
        f"p99 {1000 * percentile(late, 0.99):.1f} ms of {len(late)}",
        flush=True,
    )


WATCH = """() => {
  window.late = [];
  const now = () => performance.timeOrigin + performance.now();
  new MutationObserver(() => {
    const told = 1000 * Number(document.body.dataset.told), changed = now() - told;
    requestAnimationFrame(() => window.late.push([changed, now() - told]));
  }).observe(document.body, { attributes: true, attributeFilter: ["data-told"] });
}"""


def update(folder: Path) -> None:
    """From the desk's state in `StatusBoard` until the page has changed, and is drawn anew.

    `data-told` is set last when a page shows a state, so that it changes after the figures.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        print("update           not measured: playwright is not installed")
        return
    if not CHROMIUM.exists():
        print(f"update           not measured: there is no {CHROMIUM}")
        return
    process = desk(folder, "1")
    try:
        with sync_playwright() as driver:
            chromium = driver.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
            page = chromium.new_page()
            page.goto(link(folder))
            page.wait_for_selector('body[data-state="live"]')
            page.wait_for_timeout(2000)
            page.evaluate(WATCH)
            page.wait_for_timeout(1000 * SECONDS)
            late = page.evaluate("window.late")
            chromium.close()
        print_late("desk's state to the changed page", [one[0] / 1000 for one in late])
        print_late("desk's state to its next frame  ", [one[1] / 1000 for one in late])
    finally:
        process.kill()
        process.wait()


def link(folder: Path) -> str:
    """The first link that the desk prints."""
    until = time.monotonic() + 60
    while not (links := re.findall(r"http://\S+token=\S+", (folder / "printed").read_text())):
        assert time.monotonic() < until, "the desk printed no link"
        time.sleep(0.1)
    return str(links[-1])


def invited(url: str, session: requests.Session) -> requests.Session:
    """Another browser, by a link of the first one's page."""
    another = requests.Session()
    another.trust_env = False
    another.get(session.post(f"{url}/invite", json={}, timeout=5).json()["link"], timeout=5)
    return another


def follow(url: str, one: requests.Session, late: list[float]) -> None:
    try:
        for name, told, heard in events(url, one):
            if name == "now":
                late.append(heard - told["told"])
    except requests.RequestException:
        return


def busy(pid: int) -> float:
    """Share of a core over some seconds."""
    before, began = cpu(pid), time.monotonic()
    time.sleep(SECONDS)
    return (cpu(pid) - before) / (time.monotonic() - began)


if __name__ == "__main__":
    for measure in (clicks, pages, update):
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder))
