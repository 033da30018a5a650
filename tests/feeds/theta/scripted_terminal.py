"""An HTTP server that says what it is told to: for codes that need a certain order or moment."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, str]


@dataclass
class ScriptedTerminal:
    """Gives `answers` one after the other, then the last of them for ever."""

    answers: list[Answer]
    requests: list[str] = field(default_factory=list)
    at_work: int = 0
    most_at_work: int = 0
    gate: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def answer(self, path: str) -> Answer:
        self.requests.append(path)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def scripted_terminal(
    *answers: Answer, held: bool = False, raw: Sequence[bytes] = ()
) -> Iterator[ScriptedTerminal]:
    """Serve on a free port; `held` answers wait for `gate`; `raw` is sent in place of HTTP."""
    terminal = ScriptedTerminal(list(answers) or [(200, "")])
    lock = threading.Lock()
    if not held:
        terminal.gate.set()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with lock:
                terminal.at_work += 1
                terminal.most_at_work = max(terminal.most_at_work, terminal.at_work)
                status, body = terminal.answer(self.path)
            terminal.gate.wait(10)
            with lock:
                terminal.at_work -= 1
            if raw:
                self.wfile.write(b"".join(raw))
                self.close_connection = True
                return
            self.send_response(status, "as told")
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *words: object) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    terminal.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield terminal
    finally:
        terminal.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()
