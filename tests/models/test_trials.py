"""Every try counts once, whoever makes it, and none is forgotten."""

import json
import math
from concurrent.futures import ThreadPoolExecutor

import pytest

from errors import ModelError
from models.trials import TRIALS_NAME, read_trials, record_trial


def test_nothing_tried_is_no_trial(tmp_path):
    assert read_trials(tmp_path).tried == 0


def test_a_configuration_counts_once_and_another_one_again(tmp_path):
    for entropy in (0.1, 0.2, 0.1):
        record_trial(tmp_path, "search", "a", {"entropy": entropy}, entropy)
    trials = read_trials(tmp_path)
    assert trials.tried == 2
    assert trials.variance == pytest.approx(0.005)  # of 0.1 and 0.2


def test_a_try_without_a_known_ratio_counts_too(tmp_path):
    record_trial(tmp_path, "train", "a", {"seed": 0}, math.nan)
    record_trial(tmp_path, "train", "a", {"seed": 1}, 0.1)
    assert read_trials(tmp_path).tried == 2
    assert math.isnan(read_trials(tmp_path).variance)


def test_those_who_try_at_the_same_time_are_all_counted(tmp_path):
    def record(number):
        record_trial(tmp_path, "search", "a", {"number": number % 20}, 0.0)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(record, range(60)))
    assert read_trials(tmp_path).tried == 20


def test_a_damaged_list_is_refused_and_not_shortened(tmp_path):
    record_trial(tmp_path, "search", "a", {"seed": 1}, 0.1)
    path = tmp_path / TRIALS_NAME
    path.write_text(path.read_text() + '{"key": "cut\n')
    with pytest.raises(ModelError, match=r"trials\.jsonl, line 2 is no trial"):
        read_trials(tmp_path)
    with pytest.raises(ModelError, match="line 2"):
        record_trial(tmp_path, "search", "a", {"seed": 2}, 0.1)


def test_a_last_line_without_an_end_is_kept(tmp_path):
    record_trial(tmp_path, "search", "a", {"seed": 1}, 0.1)
    path = tmp_path / TRIALS_NAME
    path.write_text(path.read_text().rstrip("\n"))
    record_trial(tmp_path, "search", "a", {"seed": 2}, 0.2)
    assert [json.loads(line)["sharpe"] for line in path.read_text().splitlines()] == [0.1, 0.2]
