"""kill -9 of a real writer at random moments: nothing that was returned is missing."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from journals import open_journal

from brokers.journal.reader import JournalReader

ROOT = Path(__file__).resolve().parents[3]

WRITER = """
import sys
sys.path[:0] = [{root!r}, {here!r}]
from pathlib import Path
from journals import PUT_628, SUGGESTION, at, bar, open_journal
import brokers.journal.tables as tables
tables.CHECKPOINT_EVERY = 30  # so that kills fall into checkpoints, too
journal = open_journal(Path({path!r}), durable={durable})
number = journal.memory().last_ts or 0
while True:
    number += 1
    ref = journal.intend(
        at(1), purpose="entry", contract=PUT_628, side=-1, quantity=1, suggestion=SUGGESTION
    )
    sys.stdout.write(f"intent {{ref}}\\n"); sys.stdout.flush()
    journal.executed(at(1), execution_id=ref, order_ref=ref, side=-1, quantity=1, price=2.4)
    sys.stdout.write(f"execution {{ref}}\\n"); sys.stdout.flush()
    journal.write(bar(number, reason="x" * 300))
"""


@pytest.mark.parametrize(("durable", "kills"), [(True, 4), (False, 3)])
def test_a_killed_writer_loses_nothing_that_it_was_told(
    tmp_path: Path, durable: bool, kills: int
) -> None:
    path = tmp_path / "j.db"
    code = WRITER.format(root=str(ROOT), here=str(ROOT / "tests"), path=str(path), durable=durable)
    dice, told = random.Random(7), []
    for number in range(kills):
        out = tmp_path / f"out{number}"
        with out.open("wb") as file:
            writer = subprocess.Popen([sys.executable, "-c", code], stdout=file)
            while not out.stat().st_size:
                assert writer.poll() is None
                time.sleep(0.005)
            time.sleep(dice.uniform(0, 0.15))
            os.kill(writer.pid, signal.SIGKILL)
            writer.wait()
        told += [line.split() for line in out.read_text().splitlines()]
        with JournalReader(path) as reader:  # a reader needs no writer to mend the file
            reader.rows("bars")
    with open_journal(path) as journal:
        assert journal.resumed
    with JournalReader(path) as reader:
        known = {
            "intent": {row["order_ref"] for row in reader.rows("intents")},
            "execution": {row["execution_id"] for row in reader.rows("executions")},
        }
        assert len(reader.rows("session_events")) == kills + 1
    assert len(told) > 2 * kills
    assert [one for one in told if one[1] not in known[one[0]]] == []
