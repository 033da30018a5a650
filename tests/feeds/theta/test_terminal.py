"""A configured terminal is started with its key hidden, kept up, and ended."""

import json
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from errors import SettingError, TerminalUnreachableError
from feeds.theta.rest import ThetaRest
from feeds.theta.terminal import Terminal, find_credentials, terminal_ready
from settings import Settings, ThetaSettings

KEY = "td1_not_for_your_eyes"
JAVA = """#!{python}
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

if sys.argv[1] == "-version":
    sys.stderr.write('openjdk version "{version}" 2024-01-16\\n')
    sys.exit(0)
told = {{"words": sys.argv[1:], "key": os.environ.get("THETADATA_API_KEY"), "folder": os.getcwd()}}
with open("starts.jsonl", "a") as starts:
    starts.write(json.dumps(told) + "\\n")
if {ends}:
    sys.exit(3)

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if "shutdown" in self.path:
            os._exit(0)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"CONNECTED")

    def log_message(self, *words):
        pass

HTTPServer(("127.0.0.1", {port}), Handler).serve_forever()
"""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ThetaSettings]:
    """A jar and a java in front of the path, which answers as a terminal does."""

    def installed(version: str = "21.0.2", ends: bool = False, **others: object) -> ThetaSettings:
        port, jar, java = free_port(), tmp_path / "ThetaTerminalv3.jar", tmp_path / "java"
        jar.write_text("a jar")
        java.write_text(JAVA.format(python=sys.executable, version=version, ends=ends, port=port))
        java.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        url = f"http://127.0.0.1:{port}"
        return ThetaSettings.model_validate({"url": url, "terminal": jar, **others})

    return installed


def starts(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "starts.jsonl").read_text().splitlines()]


def test_a_terminal_is_started_with_its_key_in_the_environment_alone(
    install: Callable[..., ThetaSettings], tmp_path: Path
) -> None:
    settings = install(key=KEY)
    with terminal_ready(settings) as rest:
        assert rest.status() == "CONNECTED"
    (told,) = starts(tmp_path)
    assert told["key"] == KEY
    assert KEY not in str(told["words"])
    assert told["folder"] == str(tmp_path)
    with ThetaRest(settings.url) as rest, pytest.raises(TerminalUnreachableError):
        rest.status()


def test_a_terminal_that_is_there_is_used_and_left(
    install: Callable[..., ThetaSettings], tmp_path: Path
) -> None:
    settings = install()
    with terminal_ready(settings), terminal_ready(settings) as second:
        assert second.status() == "CONNECTED"
    assert len(starts(tmp_path)) == 1


def test_a_terminal_that_ends_is_started_again(
    install: Callable[..., ThetaSettings], tmp_path: Path
) -> None:
    settings = install()
    with terminal_ready(settings):
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{settings.url}/v3/terminal/shutdown", timeout=5)
        until = time.monotonic() + 10
        while len(starts(tmp_path)) < 2:
            assert time.monotonic() < until
            time.sleep(0.02)


def test_a_terminal_that_cannot_start_is_told_of(
    install: Callable[..., ThetaSettings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feeds.theta.terminal.MOST_RESTARTS", 1)
    settings = install(ends=True, key=KEY)
    with (
        pytest.raises(TerminalUnreachableError, match="given up") as raised,
        terminal_ready(settings),
    ):
        pass
    assert KEY not in str(raised.value)


@pytest.mark.parametrize(("version", "says"), [("17.0.9", "java 17 is too old"), ("x", "unknown")])
def test_an_old_java_is_refused(
    install: Callable[..., ThetaSettings], version: str, says: str
) -> None:
    with pytest.raises(SettingError, match=says), terminal_ready(install(version)):
        pass


def test_without_a_jar_or_java_one_line_says_so(
    install: Callable[..., ThetaSettings], tmp_path: Path
) -> None:
    settings = install()
    assert settings.terminal is not None
    credentials = find_credentials(settings, {})
    with pytest.raises(SettingError, match="no javaw is installed"):
        Terminal(settings.terminal, credentials, java="javaw")
    with pytest.raises(SettingError, match="is no file"):
        Terminal(tmp_path / "other.jar", credentials)


def test_a_key_is_taken_from_the_settings_then_the_environment_then_the_file(
    tmp_path: Path,
) -> None:
    file = tmp_path / "creds.txt"
    file.write_text("someone\nsecret\n")
    both = ThetaSettings.model_validate({"key": KEY, "creds_file": file})
    environment = {"THETADATA_API_KEY": "td1_other"}
    found = [
        find_credentials(settings, variables)
        for settings, variables in (
            (both, environment),
            (both.model_copy(update={"key": None}), environment),
            (both.model_copy(update={"key": None}), {}),
            (ThetaSettings(), {}),
        )
    ]
    keys = [one.key.get_secret_value() if one.key else None for one in found]
    assert keys == [KEY, "td1_other", None, None]
    assert [one.file for one in found] == [None, None, file, None]
    with pytest.raises(SettingError, match="nowhere"):
        find_credentials(ThetaSettings(creds_file=tmp_path / "nowhere"), {})


def test_a_creds_file_is_named_to_the_terminal(
    install: Callable[..., ThetaSettings], tmp_path: Path
) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("someone\nsecret\n")
    with terminal_ready(install(creds_file=file)):
        pass
    words = starts(tmp_path)[0]["words"]
    assert isinstance(words, list) and words[-2:] == ["--creds-file", str(file)]


def test_no_text_of_the_settings_shows_the_key() -> None:
    settings = Settings(theta=ThetaSettings.model_validate({"key": KEY}))
    texts = [repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())]
    texts += [repr(find_credentials(settings.theta, {})), repr(settings.theta)]
    assert not any(KEY in text for text in texts)


def test_the_hidden_key_of_a_run_folder_is_no_key() -> None:
    assert ThetaSettings.model_validate({"key": "***"}).key is None
