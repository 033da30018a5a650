"""A command line that tests can call: it returns the exit code and the lines it printed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import run


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def fault(self) -> str:
        """The one line of a mistake; fails where there is more or less than that line."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("error: "), self.err
        assert "Traceback" not in self.out + self.err
        return lines[0]


@pytest.fixture
def desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Call a verb in an empty folder: `desk("backtest", "--policy", "hold")`."""
    monkeypatch.chdir(tmp_path)

    def call(*words: object) -> Outcome:
        code = run.main([str(word) for word in words])
        printed = capsys.readouterr()
        return Outcome(code, printed.out, printed.err)

    return call
