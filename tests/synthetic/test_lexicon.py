"""The lexicon: every word has one face, every face has many words, and no held-out word is trained on."""

from __future__ import annotations

import json
import re
from collections import Counter
from importlib import resources
from itertools import combinations, product

import numpy as np
import pytest

from eadnet.synthetic import captions, lexicon
from eadnet.synthetic.expression import EMOTIONS, INDEX, RANGES
from eadnet.synthetic.sentences import SPLITS

DATA = json.loads(resources.files("eadnet.synthetic").joinpath("lexicon.json").read_text("utf-8"))
EVERY = (*lexicon.entries(), *lexicon.unseen())
BY_TEXT = {word.text: word for word in EVERY}
LEVELS = ("low", "medium", "high")


def spaced(text: str) -> str:
    """Its words with single spaces about each, so that whole words can be looked up in it."""
    words = re.findall(r"[\w'|-]+", text.lower())
    return f" {' '.join(words)} "


def test_it_has_thousands_of_words_of_every_form() -> None:
    forms = Counter(word.form for word in EVERY)
    assert len(EVERY) >= 3000 and set(forms) == set(lexicon.FORMS) and min(forms.values()) >= 500


def test_no_word_stands_twice() -> None:
    twice = [text for text, count in Counter(word.text.lower() for word in EVERY).items() if count > 1]
    assert not twice


def test_groups_are_well_formed() -> None:
    assert len(DATA["groups"]) > 50
    for group in DATA["groups"]:
        mix = group["mix"]
        assert set(group) <= {"mix", "intensity", "units", *lexicon.FORMS}, mix
        assert set(mix) <= set(EMOTIONS) and all(0 < share <= 1 for share in mix.values()), mix
        assert 0 <= group["intensity"] <= 1, mix
        for name, value in lexicon.sided(group.get("units", {})).items():
            low, high = RANGES[INDEX[name]]
            assert low <= value <= high, (mix, name)
        assert all(group.get(form) for form in lexicon.FORMS), mix


def test_every_word_is_plain_text_with_a_face_in_range() -> None:
    for word in EVERY:
        assert re.fullmatch(r"[A-Za-z][A-Za-z' -]*[A-Za-z]", word.text) and "  " not in word.text
        assert bool(word.parameters) == (word.emotion != "neutral" or word.intensity > 0)
        for name, value in word.parameters.items():
            low, high = RANGES[INDEX[name]]
            assert low <= value <= high


@pytest.mark.parametrize(("split", "least"), [("train", 20), ("validation", 5), ("test", 5)])
def test_every_emotion_and_level_has_words_in_every_split(split: str, least: int) -> None:
    cells = product([emotion for emotion in EMOTIONS if emotion != "neutral"], LEVELS)
    words = {cell: len(lexicon.words(split, *cell)) for cell in cells}
    assert [cell for cell, count in words.items() if count < least] == []


def test_splits_share_no_word() -> None:
    texts = {split: {word.text for word in lexicon.words(split)} for split in SPLITS}
    texts["unseen"] = {word.text for word in lexicon.unseen()}
    assert all(texts.values()) and sum(map(len, texts.values())) == len(EVERY)
    for a, b in combinations(texts, 2):
        assert texts[a].isdisjoint(texts[b])


def test_no_phrase_of_another_split_holds_a_word_of_the_test() -> None:
    trained = spaced(" | ".join(w.text for split in ("train", "validation") for w in lexicon.words(split)))
    assert not [word.text for word in lexicon.words("test") if spaced(word.text) in trained]


def test_a_hundred_words_are_kept_from_everything() -> None:
    unseen = lexicon.unseen()
    assert len(unseen) == 100
    grammar = resources.files("eadnet.synthetic").joinpath("captions.json").read_text("utf-8")
    said = [captions.describe(np.random.default_rng(seed), SPLITS[seed % 3]).text for seed in range(1000)]
    trained = spaced(" | ".join([*(word.text for word in lexicon.entries()), grammar, *said]))
    assert not [word.text for word in unseen if spaced(word.text) in trained]


def test_the_unseen_words_are_of_every_emotion() -> None:
    assert {word.emotion for word in lexicon.unseen()} == set(EMOTIONS)


def test_no_word_is_also_a_phrase_for_a_feature() -> None:
    grammar = json.loads(resources.files("eadnet.synthetic").joinpath("captions.json").read_text("utf-8"))
    phrases = {p for feature in grammar["features"] for split in SPLITS for p in feature[split]}
    for parts in (grammar["upper_parts"], grammar["mouth_parts"]):
        phrases |= {p for part in parts.values() for split in SPLITS for p in part[split]}
    assert phrases.isdisjoint(BY_TEXT)


def test_inflections_do_not_make_up_the_lexicon() -> None:
    """Single words that start as another one does (six letters) are a minority."""
    single = [word.text.lower() for word in EVERY if " " not in word.text and len(word.text) > 5]
    stems = Counter(text[:6] for text in single)
    assert len(single) > 900 and sum(count > 1 for count in (stems[text[:6]] for text in single)) < (
        0.5 * len(single)
    )


@pytest.mark.parametrize(
    ("text", "emotion", "high", "low"),
    [
        ("livid", "angry", "brow_lower_l", "smile_l"),
        ("wistful", "sad", "inner_brow_up_l", "smile_l"),
        ("smug", "contemptuous", "dimple_l", "frown_l"),
        ("crestfallen", "sad", "frown_l", "smile_l"),
        ("holding back tears", "sad", "frown_l", "jaw_open"),
        ("on cloud nine", "happy", "smile_l", "brow_lower_l"),
        ("yawning", "neutral", "jaw_open", "smile_l"),
        ("rolling their eyes", "contemptuous", "dimple_l", "frown_l"),
        ("baring their teeth", "angry", "upper_lip_raise", "lip_press"),
        ("seething in silence", "angry", "lip_press", "jaw_open"),
        ("green around the gills", "disgusted", "nose_wrinkle", "smile_l"),
        ("like a deer in the headlights", "fearful", "upper_lid_raise_l", "smile_l"),
    ],
)
def test_words_make_the_face_a_reader_expects(text: str, emotion: str, high: str, low: str) -> None:
    word = BY_TEXT[text]
    assert word.emotion == emotion
    assert word.parameters.get(high, 0) > 0.25 > word.parameters.get(low, 0)


def test_a_held_laugh_keeps_the_lips_together_and_a_wink_shuts_one_eye() -> None:
    laugh = BY_TEXT["stifling a laugh"].parameters
    assert laugh["lip_press"] > 0.5 and laugh.get("jaw_open", 0) == 0
    wink = BY_TEXT["winking"].parameters
    assert wink["blink_l"] > 0.6 and wink.get("blink_r", 0) == 0
