"""Words for faces: every emotion, every strength, and nothing shared between splits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import resources
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest

from eadnet.errors import InputError
from eadnet.synthetic import captions, lexicon
from eadnet.synthetic.expression import EMOTIONS, INDEX, RANGES
from eadnet.synthetic.sentences import SPLITS, languages, sentence, split_of

GRAMMAR = json.loads(resources.files("eadnet.synthetic").joinpath("captions.json").read_text("utf-8"))


PHRASINGS = json.loads(resources.files("eadnet.synthetic").joinpath("phrasings.json").read_text("utf-8"))


def nodes(part: Any) -> Iterator[dict[str, Any]]:
    """The grammar's nodes that have splits."""
    if isinstance(part, dict) and "train" in part:
        yield part
    elif isinstance(part, dict | list):
        for child in part.values() if isinstance(part, dict) else part:
            yield from nodes(child)


def strings(node: Any) -> Iterator[str]:
    """All texts below a node, in lower case."""
    if isinstance(node, str):
        yield node.lower()
    elif isinstance(node, dict | list):
        for child in node.values() if isinstance(node, dict) else node:
            yield from strings(child)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("split", "least"), [("train", 20), ("validation", 8), ("test", 8)])
def test_every_emotion_at_every_intensity_has_words_in_every_split(split: str, least: int) -> None:
    for emotion, level in product(EMOTIONS, captions.LEVELS):
        texts = set()
        for seed in range(40):
            said = captions.describe_emotion(emotion, level, rng(seed), split)
            assert said.text.strip() and "{" not in said.text and "  " not in said.text
            assert said.emotion == emotion
            texts.add(said.text)
        assert len(texts) >= least, (emotion, level)


@pytest.mark.parametrize("emotion", [name for name in EMOTIONS if name != "neutral"])
def test_stronger_words_mean_stronger_faces(emotion: str) -> None:
    def strength(level: str) -> float:
        said = [captions.describe_emotion(emotion, level, rng(seed)) for seed in range(30)]
        return float(np.mean([sum(abs(v) for v in d.parameters.values()) for d in said]))

    assert strength("low") < strength("medium") < strength("high")


def test_parameters_are_known_and_in_range() -> None:
    for seed in range(600):
        for name, value in captions.describe(rng(seed), SPLITS[seed % 3]).parameters.items():
            low, high = RANGES[INDEX[name]]
            assert low <= value <= high


@pytest.mark.slow
def test_the_same_words_always_mean_the_same_face() -> None:
    meanings: dict[str, dict[str, float]] = {}
    for seed in range(1500):
        said = captions.describe(rng(seed))
        text = said.text.lower().rstrip(".")
        known = meanings.setdefault(text, said.parameters)
        assert known == pytest.approx(said.parameters), text


def test_descriptions_are_deterministic() -> None:
    assert captions.describe(rng(7), "test") == captions.describe(rng(7), "test")


@pytest.mark.slow
def test_splits_share_no_text() -> None:
    texts = {
        split: {captions.describe(rng(seed), split).text.lower().strip(" .") for seed in range(1000)}
        for split in SPLITS
    }
    for a, b in combinations(SPLITS, 2):
        assert texts[a].isdisjoint(texts[b])
    assert len(texts["train"]) > 600


def test_splits_share_no_template_adverb_or_feature_phrase() -> None:
    def phrases(split: str) -> set[str]:
        found: set[str] = set()

        def walk(node: object) -> None:
            if isinstance(node, dict):
                chosen = [node[split]] if split in node else list(node.values())
                for child in chosen:
                    collect(child) if split in node else walk(child)
            elif isinstance(node, list):
                for child in node:
                    walk(child)

        def collect(node: object) -> None:
            if isinstance(node, str):
                found.add(node)
            elif isinstance(node, dict):
                for child in node.values():
                    collect(child)
            elif isinstance(node, list):
                for child in node:
                    collect(child)

        walk({name: part for name, part in GRAMMAR.items()})
        return found - {"{x}"}

    collected = {split: phrases(split) for split in SPLITS}
    for a, b in combinations(SPLITS, 2):
        assert collected[a] and collected[a].isdisjoint(collected[b])


def test_training_texts_hold_no_phrasing_of_validation_or_test() -> None:
    phrasings = set(strings(PHRASINGS))
    assert len(phrasings) > 2000
    for split in ("validation", "test"):
        kept = {
            name: [node[split] for node in nodes(part)] for name, part in GRAMMAR.items() if name != "core"
        }
        assert phrasings.isdisjoint(set(strings(kept)))


def test_training_texts_say_what_captions_say_and_more() -> None:
    said = [captions.describe(rng(seed), captions.TEXT_TRAINING) for seed in range(800)]
    assert {d.kind for d in said} == set(captions.KINDS)
    assert len({d.text for d in said}) > 780
    for description in said:
        assert description.text.strip() and "{" not in description.text and "  " not in description.text
        for name, value in description.parameters.items():
            low, high = RANGES[INDEX[name]]
            assert low <= value <= high


def test_training_texts_never_use_an_unseen_word() -> None:
    unseen = {word.text for word in lexicon.unseen()}
    assert unseen.isdisjoint(word.text for word in lexicon.words(captions.TEXT_TRAINING))
    assert {word.text for word in lexicon.words(captions.TEXT_TRAINING)} == {
        w.text for w in lexicon.entries()
    }


def test_splits_share_no_word_of_the_lexicon() -> None:
    words = {split: {word.text for word in lexicon.words(split)} for split in SPLITS}
    for a, b in combinations(SPLITS, 2):
        assert words[a].isdisjoint(words[b])
    core = {split: {w for group in GRAMMAR["core"][split].values() for w in group} for split in SPLITS}
    for split in SPLITS:
        assert core[split] <= words[split]


def test_every_kind_of_description_turns_up() -> None:
    kinds = {captions.describe(rng(seed)).kind for seed in range(300)}
    assert kinds == set(captions.KINDS)


def test_one_sided_phrases_move_one_side() -> None:
    sided = [
        d
        for seed in range(1500)
        if "left mouth corner up" in (d := captions.describe(rng(seed))).text.lower()
    ]
    plain = [d for d in sided if d.kind == "features"]
    assert plain and all(d.parameters.get("smile_l", 0) > d.parameters.get("smile_r", 0) for d in plain)


@pytest.mark.parametrize(
    ("parameters", "told_apart"),
    [
        ({"lid_tighten_l": 0.8, "lid_tighten_r": 0.8, "smile_l": 0.9}, True),
        ({"cheek_raise_l": 0.4, "cheek_raise_r": 0.4}, True),
        ({"lid_tighten_l": 0.8, "blink_l": 0.25}, False),
        ({"lid_tighten_l": 0.1, "lid_tighten_r": 0.1}, False),
        ({"cheek_raise_l": 0.9, "cheek_raise_r": 0.9, "lid_tighten_l": 0.1, "lid_tighten_r": 0.1}, False),
        ({}, False),
    ],
)
def test_a_face_shows_one_of_two_actions_clearly_on_both_sides_and_nothing_of_the_other(
    parameters: dict[str, float], told_apart: bool
) -> None:
    description = captions.Description("", "neutral", 0.0, parameters)
    assert captions.shows_one(description, "lid_tighten", "cheek_raise") is told_apart
    assert captions.shows_one(description, "cheek_raise", "lid_tighten") is told_apart


def test_contradictions_join_the_eyes_of_one_emotion_to_the_mouth_of_another() -> None:
    for seed in range(400):
        said = captions.describe(rng(seed))
        if said.kind == "contradiction" and "the eyes stay cold" in said.text.lower():
            assert not any(
                name.startswith(("inner_brow", "cheek", "lid_", "upper_lid")) for name in said.parameters
            )
            return
    pytest.fail("no contradiction with cold eyes in 400 descriptions")


def test_a_number_is_rounded_to_a_level() -> None:
    assert captions.describe_emotion("angry", 0.95, rng(1)) == captions.describe_emotion(
        "angry", "high", rng(1)
    )


@pytest.mark.parametrize(
    ("emotion", "intensity", "split"),
    [
        ("furius", "low", "train"),
        ("angry", "huge", "train"),
        ("angry", 1.5, "train"),
        ("angry", "low", "holdout"),
    ],
)
def test_unknown_names_are_refused_with_the_choices(emotion: str, intensity: str | float, split: str) -> None:
    with pytest.raises(InputError):
        captions.describe_emotion(emotion, intensity, rng(), split)


def test_the_lexicon_has_no_doubles_and_every_word_has_a_face() -> None:
    entries = lexicon.entries()
    texts = [word.text for word in entries]
    assert len(texts) == len(set(texts)) >= 600
    for word in entries:
        assert word.emotion in EMOTIONS and word.form in lexicon.FORMS
        assert bool(word.parameters) == (word.emotion != "neutral" or word.intensity > 0)


@pytest.mark.parametrize(
    ("text", "emotion"),
    [
        ("livid", "angry"),
        ("wistful", "sad"),
        ("smug", "contemptuous"),
        ("crestfallen", "sad"),
        ("holding back tears", "sad"),
    ],
)
def test_words_land_where_a_reader_puts_them(text: str, emotion: str) -> None:
    assert next(word for word in lexicon.entries() if word.text == text).emotion == emotion


def test_any_word_can_be_put_in_a_sentence() -> None:
    for index, word in enumerate(lexicon.entries()):
        said = captions.describe_word(word, rng(index))
        assert said.parameters == dict(word.parameters) and len(said.text) >= len(word.text) - 6


@pytest.mark.parametrize("intensity", captions.LEVELS)
def test_adverbs_of_degree_belong_to_their_strength(intensity: str) -> None:
    level = {"slightly": "low", "quite": "medium", "extremely": "high"}
    said = " ".join(captions.describe_emotion("happy", intensity, rng(seed)).text for seed in range(300))
    assert {level[adverb] for adverb in level if adverb in said.split()} == {intensity}


@pytest.mark.parametrize("language", languages())
def test_sentences_belong_to_their_split(language: str) -> None:
    for split in SPLITS:
        said = [sentence(rng(seed), split, language) for seed in range(60)]
        assert {split_of(text) for text in said} == {split} and "{" not in "".join(said)
        assert len(set(said)) > (40 if language == "en" else 8), split


def test_english_has_many_thousand_sentences() -> None:
    generator = rng(0)
    assert len({sentence(generator) for _ in range(4000)}) > 3800


def test_unknown_languages_are_refused() -> None:
    with pytest.raises(InputError, match="en, de"):
        sentence(rng(), "train", "tlh")
