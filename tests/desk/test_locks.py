"""One process an account: refused by name and time, and let go however the holder dies."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from desk.locks import ProcessLock, lock_account, state_folder
from errors import SettingError

ROOT = Path(__file__).resolve().parents[2]
HOLD = (
    "import sys, time; from desk.locks import lock_account; "
    "lock = lock_account('DU123'); print('held', flush=True); time.sleep(60)"
)


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def holder() -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


def test_a_second_process_on_an_account_is_refused_by_pid_and_start() -> None:
    process = holder()
    try:
        with pytest.raises(SettingError) as refused:
            lock_account("DU123")
        words = str(refused.value)
        assert f"pid {process.pid}" in words and "started 20" in words and "DU123" in words
        assert "\n" not in words
        lock_account("DU124").release()  # another account is another lock
    finally:
        end(process)


def test_kill_nine_lets_the_account_go() -> None:
    process = holder()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    with lock_account("DU123"), pytest.raises(SettingError, match=f"pid {os.getpid()}"):
        lock_account("DU123")


def test_a_lock_may_be_taken_again_once_released() -> None:
    first = lock_account("DU123")
    first.release()
    first.release()
    with ProcessLock("account-DU123"):
        pass
    lock_account("DU123").release()


def test_a_holder_that_did_not_sign_is_refused_all_the_same() -> None:
    with lock_account("DU123"):
        for signature in state_folder().glob("*.holder"):
            signature.write_text("{")
        with pytest.raises(SettingError, match="has not said which"):
            lock_account("DU123")


def test_the_name_of_an_account_cannot_leave_the_folder() -> None:
    lock = lock_account("../../DU 123")
    files = sorted(path.name for path in state_folder().iterdir())
    assert files == ["account-.._.._DU_123.holder", "account-.._.._DU_123.lock"]
    assert json.loads((state_folder() / files[0]).read_text())["pid"] == os.getpid()
    lock.release()


def test_a_folder_that_cannot_be_made_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(SettingError, match="XDG_STATE_HOME"):
        lock_account("DU123")


def test_refusing_is_quick() -> None:
    with lock_account("DU123"):
        began = time.monotonic()
        with pytest.raises(SettingError):
            lock_account("DU123")
        assert time.monotonic() - began < 5
