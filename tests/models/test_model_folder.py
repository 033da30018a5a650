"""Models are found by name or path, loaded without running their code, and tied to their card."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from zoo import (
    FIXTURES,
    STANDARDISATION,
    build,
    card,
    realistic_features,
    sb3_probabilities,
    zip_bytes,
)

from errors import ModelError
from models.card import ModelCard
from models.folding import standardise
from models.model_folder import find_model, load_policy, save_model, trained_names
from vocabulary import Moment

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder of models that holds one: `example`."""
    folder = tmp_path_factory.mktemp("trained")
    save_model(folder / "example", build(seed=3), STANDARDISATION, card())
    return folder


@pytest.fixture
def models(saved, tmp_path):
    """The same, to be spoiled."""
    return Path(shutil.copytree(saved, tmp_path / "trained"))


def ask(loaded, features):
    mask = np.ones((len(features), loaded.policy.actions), bool)
    return loaded.policy.probabilities(Moment(features, mask, 0, 0, 0.0, -np.inf))


def refused(*arguments, **options):
    with pytest.raises(ModelError) as refusal:
        load_policy(*arguments, **options)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_a_saved_model_decides_as_the_one_that_was_trained(saved):
    loaded = load_policy("example", folder=saved)
    raw = realistic_features(2000)
    theirs = sb3_probabilities(build(seed=3), standardise(raw, STANDARDISATION))
    np.testing.assert_allclose(ask(loaded, raw), theirs, atol=1e-5)
    assert (loaded.policy.name, loaded.policy.actions, loaded.notes) == ("example", 4, [])
    assert loaded.policy.obeys_waits
    assert loaded.card.policy_sha256 == loaded.sha256
    assert loaded.card.standardisation == STANDARDISATION


def test_saving_twice_gives_the_same_bytes(saved, tmp_path):
    sha256 = save_model(tmp_path / "again", build(seed=3), STANDARDISATION, card())
    assert sha256 == load_policy("example", folder=saved).sha256
    for name in ("policy.zip", "policy.npz", "card.json"):
        assert (tmp_path / "again" / name).read_bytes() == (saved / "example" / name).read_bytes()


def test_a_model_is_replaced_and_nothing_is_left_beside_it(models):
    old = load_policy("example", folder=models).sha256
    (models / "example" / "curves.png").write_bytes(b"a picture")
    new = save_model(models / "example", build(seed=4), STANDARDISATION, card())
    assert load_policy("example", folder=models).sha256 == new != old
    names = sorted(path.name for path in (models / "example").iterdir())
    assert names == ["card.json", "curves.png", "policy.npz", "policy.zip"]


def test_a_card_that_does_not_fit_is_not_saved(tmp_path):
    with pytest.raises(ModelError, match="are not those of its network"):
        save_model(tmp_path / "x", build(actions=3), STANDARDISATION, card(4))
    assert not (tmp_path / "x").exists()


def test_a_backtest_imports_neither_torch_nor_stable_baselines3(saved):
    code = (
        "import sys; from models.model_folder import load_policy; "
        f"load_policy({str(saved / 'example')!r}); "
        "print(sorted({'torch', 'stable_baselines3', 'gymnasium'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("spoil", ["stale", "damaged", "missing"])
def test_the_zip_is_the_truth_where_the_arrays_do_not_repeat_it(models, tmp_path, spoil):
    arrays = models / "example" / "policy.npz"
    expected = ask(load_policy("example", folder=models), realistic_features(50))
    if spoil == "stale":
        save_model(tmp_path / "other", build(seed=5), STANDARDISATION, card())
        shutil.copy(tmp_path / "other" / "policy.npz", arrays)
    elif spoil == "damaged":
        arrays.write_bytes(arrays.read_bytes()[:1000])
    else:
        arrays.unlink()
    loaded = load_policy("example", folder=models)
    np.testing.assert_array_equal(ask(loaded, realistic_features(50)), expected)
    assert len(loaded.notes) == (spoil != "missing")
    assert all("read policy.zip instead" in note for note in loaded.notes)


def test_a_model_is_found_by_name_folder_or_zip(models, tmp_path, monkeypatch):
    bare = tmp_path / "models" / "gpu_trained" / "ppo_2m_final.v1.zip"
    bare.parent.mkdir(parents=True)
    shutil.copy(FIXTURES / "sb3_1_8_gym.zip", bare)
    monkeypatch.chdir(tmp_path)
    zipped = models / "example" / "policy.zip"
    assert find_model("example", models) == zipped
    assert find_model(str(models / "example"), models) == zipped
    assert find_model(str(zipped), models) == zipped
    for text in ("models/gpu_trained/ppo_2m_final.v1", "models/gpu_trained/ppo_2m_final.v1.zip"):
        assert find_model(text, models).resolve() == bare
    assert load_policy(str(zipped), folder=models).policy.name == "example"


def test_a_model_that_is_not_there_lists_those_that_are(models, tmp_path):
    shutil.copytree(models / "example", models / "another")
    (models / "empty").mkdir()
    assert trained_names(models) == ["another", "example"]
    assert "models/trained holds another, example;" in refused("typo", folder=models)
    assert "holds no policy.zip" in refused(str(models / "empty"), folder=models)
    assert "holds no model yet" in refused("typo", folder=tmp_path / "nowhere")


def test_a_bare_zip_needs_the_persons_word_and_says_what_it_took_for_granted(models):
    bare = str(FIXTURES / "sb3_1_8_gym")
    assert "--assume-schema 1" in refused(bare, folder=models)
    assert "--assume-schema 2 is not known" in refused(bare, assume_schema=2, folder=models)
    loaded = load_policy(bare, assume_schema=1, folder=models)
    assert (loaded.policy.name, loaded.policy.actions) == ("sb3_1_8_gym", 3)
    assert loaded.card.actions == ("hold", "sell_call", "sell_put")
    assert loaded.notes[0].startswith("sb3_1_8_gym (stable-baselines3 1.8.0) has no card")


def test_a_bare_zip_with_four_actions_may_close(tmp_path):
    (tmp_path / "mine.zip").write_bytes(zip_bytes(build(actions=4)))
    loaded = load_policy(str(tmp_path / "mine"), assume_schema=1)
    assert loaded.card.actions == ("hold", "sell_call", "sell_put", "close")


def test_a_zip_alone_brings_the_card_inside_it(models, tmp_path):
    shutil.copy(models / "example" / "policy.zip", tmp_path / "moved.zip")
    loaded = load_policy(str(tmp_path / "moved.zip"))
    assert loaded.card.training == card().training
    assert loaded.policy.name == "example"


def test_a_card_of_another_zip_is_refused(models):
    (models / "example" / "policy.zip").write_bytes(zip_bytes(build(seed=9)))
    assert "belongs to another policy.zip" in refused("example", folder=models)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"feature_version": 2}, "features version 2"),
        ({"actions": ["hold", "sell_put", "sell_call", "close"]}, "not those of its network"),
        ({"schema_version": 9}, "schema_version"),
        ({"policy_sha256": None}, "belongs to another policy.zip"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(models, change, words):
    path = models / "example" / "card.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    message = refused("example", assume_schema=1, folder=models)
    assert message.startswith("model 'example' cannot be used: ")
    assert words in message


def test_a_file_that_is_no_policy_is_refused(tmp_path):
    (tmp_path / "notes.zip").write_text("not a model")
    assert "it is not a zip file" in refused(str(tmp_path / "notes.zip"), assume_schema=1)
    (tmp_path / "notes.txt").write_text("not a model")
    assert "it is not a zip file" in refused(str(tmp_path / "notes.txt"), assume_schema=1)


def test_the_card_beside_and_the_card_inside_differ_in_the_hash_alone(saved):
    beside = ModelCard.from_json((saved / "example" / "card.json").read_text())
    inside = load_policy("example", folder=saved).card
    assert beside == inside
    assert beside.model_copy(update={"policy_sha256": None}) == card(
        standardisation=STANDARDISATION
    )
