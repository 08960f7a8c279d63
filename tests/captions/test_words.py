"""Sentences from data: in the words of the training grammar, saying each thing once."""

from __future__ import annotations

import json
from importlib import resources
from random import Random

import pytest

from eadnet.captions.schema import ActionUnit, Description
from eadnet.captions.words import feature_phrases, sentence
from eadnet.synthetic.lexicon import sided

# The training grammar's parameters that belong to an action unit.
PARAMETERS = {
    1: "inner_brow_up", 2: "outer_brow_up", 4: "brow_lower", 5: "upper_lid_raise", 6: "cheek_raise",
    7: "lid_tighten", 9: "nose_wrinkle", 10: "upper_lip_raise", 12: "smile", 14: "dimple", 15: "frown",
    16: "lower_lip_depress", 17: "chin_raise", 20: "lip_stretch", 24: "lip_press", 43: "blink",
}  # fmt: skip


def data(package: str, name: str) -> dict:
    return json.loads(resources.files(package).joinpath(name).read_text("utf-8"))


def test_every_phrase_is_one_of_the_training_grammars_and_means_the_same() -> None:
    grammar = data("eadnet.synthetic", "captions.json")
    meaning = {phrase: sided(f["units"]) for f in grammar["features"] for phrase in f["train"]}
    for feature in data("eadnet.captions", "words.json")["features"]:
        for phrase in feature["say"]:
            moved = meaning[phrase]
            for number in feature["units"]:
                sides = "lr" if feature["side"] == "both" else feature["side"][0]
                names = [PARAMETERS[number], *(f"{PARAMETERS[number]}_{side}" for side in sides)]
                assert any(moved.get(name, 0) > 0 for name in names), (phrase, number)


def test_emotions_and_adverbs_are_the_training_grammars() -> None:
    grammar = data("eadnet.synthetic", "captions.json")
    words = data("eadnet.captions", "words.json")
    assert words["emotions"] == grammar["core"]["train"]
    for level, adverbs in words["levels"].items():
        assert set(adverbs) - {""} <= set(grammar["levels"]["train"][level])


def test_the_same_seed_says_the_same_and_another_something_else() -> None:
    face = Description("angry", 0.9, action_units=(ActionUnit(4), ActionUnit(24, strength=0.8)))
    assert sentence(face, 3) == sentence(face, 3)
    assert len({sentence(face, seed) for seed in range(20)}) > 5


def test_the_strongest_features_are_named_first_and_no_more_than_asked() -> None:
    units = (ActionUnit(24, strength=0.6), ActionUnit(4, strength=1.0), ActionUnit(10, strength=0.1))
    phrases = feature_phrases(Description("angry", 0.9, action_units=units), Random(0))
    assert [strength for strength, _ in phrases] == [1.0, 0.6]
    assert "brow" in phrases[0][1]
    assert sentence(Description("angry", 0.9, action_units=units), 0, features=1).count(",") == 1


@pytest.mark.parametrize(("side", "word"), [("left", "left"), ("right", "right")])
def test_sides_are_said(side: str, word: str) -> None:
    face = Description("neutral", 0, action_units=(ActionUnit(2, side, 0.9),))
    assert word in sentence(face)


def test_one_sided_and_two_sided_phrases_do_not_repeat_each_other() -> None:
    phrases = feature_phrases(Description("happy", action_units=(ActionUnit(12),)), Random(0))
    assert len(phrases) == 1


def test_weak_movements_are_said_to_be_weak() -> None:
    face = Description("neutral", 0, action_units=(ActionUnit(4, strength=0.3),))
    assert sentence(face).endswith(("slightly", "a little"))
