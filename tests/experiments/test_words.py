"""A hundred unseen words: their faces, and what an encoder that knows them, or does not, makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eadnet.checkpoints import bundled_mini, load_checkpoint
from eadnet.modules.text_encoder import split_words
from eadnet.synthetic import lexicon
from eadnet.synthetic.expression import INDEX, PARAMETERS, RANGES
from experiments import words


@pytest.fixture(scope="module")
def probe() -> words.LinearProbe:
    known = load_checkpoint(bundled_mini(), only=["text_encoder"]).component("text_encoder")
    return words.LinearProbe.fit(known.eval(), sentences=500)


def test_meanings_are_the_lexicons() -> None:
    unseen = lexicon.unseen()
    faces = words.meanings(unseen)
    assert faces.shape == (100, len(PARAMETERS))
    assert faces[3].sum() == pytest.approx(sum(unseen[3].parameters.values()))


def test_the_probe_reads_training_words_from_tokens_and_stays_in_range(probe: words.LinearProbe) -> None:
    trained = lexicon.words("train", "happy", "high") + lexicon.words("train", "angry", "high")
    faces = probe([word.text for word in trained])
    assert ((faces >= RANGES[:, 0]) & (faces <= RANGES[:, 1])).all()
    assert not faces[:, [INDEX["head_yaw"], INDEX["head_roll"]]].any()
    happy = np.array([word.emotion == "happy" for word in trained])
    smile = faces[:, INDEX["smile_l"]]
    assert smile[happy].mean() > smile[~happy].mean() + 0.3


def test_an_oracle_scores_one_and_its_control_does_not() -> None:
    target = words.meanings(lexicon.unseen())
    perfect = words.score("oracle", target, target)
    assert perfect.r == pytest.approx(1) and perfect.emotion == 1
    assert abs(perfect.r_shuffled) < 0.1 and perfect.emotion_shuffled < 0.3


def test_the_average_face_scores_nothing() -> None:
    target = words.meanings(lexicon.unseen())
    same = np.repeat(target.mean(0, keepdims=True), len(target), 0)
    assert words.score("average", same, target).r == pytest.approx(0, abs=1e-6)


def test_relatives_begin_alike() -> None:
    by_text = {word.text: word for word in lexicon.unseen()}
    stems = words.training_stems()
    assert words.has_relative(by_text["hysteria"], stems)  # "hysterical" is in training
    assert not words.has_relative(by_text["lugubrious"], stems)


@pytest.mark.slow
def test_both_groups_of_unseen_words_are_large_enough_to_score(probe: words.LinearProbe) -> None:
    measured = {s.name: s for s in words.scores(probe)}
    assert measured["unseen"].count == 100
    for one, other in (("single words", "phrases"), ("a relative is in training", "no relative")):
        parts = [measured[f"unseen, {name}"].count for name in (one, other)]
        assert sum(parts) == 100 and min(parts) >= 20


def test_everyday_words_are_in_no_entry_of_the_lexicon() -> None:
    entries = {tuple(split_words(word.text)) for word in (*lexicon.entries(), *lexicon.unseen())}
    assert len(words.everyday()) == 60
    assert not [text for text in words.everyday() if tuple(split_words(text)) in entries]


def test_hits_count_the_expected_emotion_and_chance_counts_the_others() -> None:
    rows = words.meanings(lexicon.words("train", "happy", "high")[:3])
    assert words.hits(rows, ["happy", "happy", "sad"]) == (pytest.approx(2 / 3), pytest.approx(2 / 3))


def test_the_thesaurus_can_be_left_out_and_comes_back(probe: words.LinearProbe) -> None:
    with_it = probe(["lugubrious"])
    with words.by_letters(probe.encoder):
        assert not np.allclose(probe(["lugubrious"]), with_it)
    assert np.array_equal(probe(["lugubrious"]), with_it)
    assert words.read_as("lugubrious") != "–" and words.read_as("happy") == "–"


def test_movements_are_named_strongest_first_with_their_side() -> None:
    text = words.described(
        {"smile_l": 0.9, "smile_r": 0.9, "dimple_l": 0.5, "jaw_open": 0.2, "blink_l": 0.01}
    )
    assert text == "smile 0.9, dimple 0.5 (left), jaw open 0.2"
    assert words.described({}) == "nothing"


@pytest.mark.slow
def test_the_page_names_every_word_and_the_sheet_shows_it(tmp_path: Path, probe: words.LinearProbe) -> None:
    words.write(tmp_path)
    page = (tmp_path / "words.md").read_text("utf-8")
    assert all(f"| {word.text} |" in page for word in lexicon.unseen())
    plain = Image.open(tmp_path / "words.png")
    made = probe([word.text for word in lexicon.unseen()[:4]])
    both = words.sheet(lexicon.unseen()[:4], made, cell=32)
    assert plain.width > 900 and both.width == 10 * (2 * 32 + 6) + 6
    assert len(np.unique(np.asarray(both)[10:30, 10:60].reshape(-1, 3), axis=0)) > 20


@pytest.mark.slow
def test_the_page_with_an_encoder_has_the_numbers_and_their_controls(probe: words.LinearProbe) -> None:
    unseen = lexicon.unseen()[:5]
    text = words.page(unseen, probe([word.text for word in unseen]), [(s, s) for s in words.scores(probe)])
    assert "| unseen | 100 |" in text and "in the encoder's training" in text and "made of it" in text
