"""Descriptions of faces in words, with the facial parameters they mean.

A small grammar (`captions.json`) and the lexicon (`lexicon.json`). Emotion words, adverbs, feature phrases
and sentence frames all belong to one split each, so a model tested on the test split reads phrasings it
never trained on. The text alone decides the parameters: the same words always mean the same face.

A text encoder may read more than clips show. `TEXT_TRAINING` is the split for it: what training captions say,
the words of all splits, and many more phrasings (`phrasings.json`), which were written without sight of those
of validation and test.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np

from ..errors import InputError, no_such
from . import lexicon
from .expression import EMOTIONS, INDEX, PARAMETERS
from .sentences import SPLITS

LEVELS: dict[str, float] = {"low": 0.4, "medium": 0.7, "high": 1.0}
"""Strength of each intensity word, 1 being the full face of an emotion."""

KINDS: dict[str, float] = {
    "emotion": 0.56,
    "word": 0.14,
    "features": 0.14,
    "combined": 0.09,
    "contradiction": 0.07,
}
"""Kinds of description and their shares: one emotion, any word of the lexicon, single features, an emotion
with features of its own, and upper and lower face at odds."""

_CLEAR = 0.3  # an action that anyone sees

TEXT_TRAINING = lexicon.TEXT_TRAINING
"""Sentences for a text encoder alone: no clip is described with them."""

TEXT_TRAINING_KINDS: dict[str, float] = {
    "emotion": 0.36,
    "word": 0.06,
    "features": 0.28,
    "combined": 0.16,
    "contradiction": 0.14,
}
"""`KINDS` for training the text encoder: more of what has many phrasings."""

_UPPER = tuple(
    name
    for name in PARAMETERS
    if name.startswith(
        ("inner_brow", "outer_brow", "brow_lower", "upper_lid", "cheek", "lid_", "nose", "gaze")
    )
)


@dataclass(frozen=True)
class Description:
    """`text` and what it means: the nearest of the eight emotions, an intensity 0..1, and facial parameters.

    `parameters` are names of `expression.PARAMETERS`; those not named are 0. `kind` is one of `KINDS`.
    """

    text: str
    emotion: str
    intensity: float
    parameters: dict[str, float] = field(default_factory=dict)
    kind: str = "emotion"


def describe(rng: np.random.Generator, split: str = "train") -> Description:
    """A random description of a split, of any kind. Raises InputError for an unknown split."""
    _check_split(split)
    shares = TEXT_TRAINING_KINDS if split == TEXT_TRAINING else KINDS
    kind = list(shares)[int(rng.choice(len(shares), p=list(shares.values())))]
    if kind == "word":
        words = lexicon.words(split)
        return describe_word(words[int(rng.integers(len(words)))], rng, split)
    if kind == "features":
        return _features(rng, split)
    if kind == "combined":
        return _combined(rng, split)
    if kind == "contradiction":
        return _contradiction(rng, split)
    emotion = _pick(rng, list(EMOTIONS))
    return describe_emotion(emotion, _pick(rng, list(LEVELS)), rng, split)


def describe_emotion(
    emotion: str, intensity: str | float, rng: np.random.Generator, split: str = "train"
) -> Description:
    """A description of one emotion at "low", "medium" or "high" intensity (or a number 0..1, rounded to one).

    Raises InputError for an unknown emotion, intensity or split.
    """
    _check_split(split)
    if emotion not in EMOTIONS:
        raise InputError(no_such("emotion", emotion, EMOTIONS))
    level = _level(intensity)
    body, strength = _emotion_phrase(emotion, level, rng, split)
    parameters = lexicon.scale(EMOTIONS[emotion], strength)
    if rng.random() < 0.25:
        body = _with_features(body, _own_features(parameters, rng, split), rng, split)
    return Description(_finish(body, rng), emotion, strength, parameters)


def _emotion_phrase(emotion: str, level: str, rng: np.random.Generator, split: str) -> tuple[str, float]:
    """Words for an emotion at a level, in a sentence frame, and the strength they stand for."""
    grammar = _grammar()
    draw = rng.random()
    if draw < 0.1:
        body = _pick(rng, grammar["label_templates"][split]).format(e=_label(emotion, rng, split), l=level)
        return body, 0.0 if emotion == "neutral" else LEVELS[level]
    if draw < 0.45:
        core = _pick(rng, grammar["core"][split][emotion])
        adverb = _pick(rng, grammar["levels"][split][level])
        return _frame("adjectives", f"{adverb} {core}", rng, split), 0.0 if emotion == "neutral" else LEVELS[
            level
        ]
    words = lexicon.words(split, emotion, level)
    word = words[int(rng.integers(len(words)))]
    return _frame(word.form, word.text, rng, split), word.intensity


def _label(emotion: str, rng: np.random.Generator, split: str) -> str:
    """The emotion's plain name in training; elsewhere another word, so that the label is not a shared
    phrase.
    """
    if split == "train" or (split == TEXT_TRAINING and rng.random() < 0.5):
        return emotion
    return _pick(rng, _grammar()["core"][split][emotion])


def describe_word(word: lexicon.Word, rng: np.random.Generator, split: str = "train") -> Description:
    """A word of the lexicon in a sentence frame of a split, whatever split the word itself is kept for."""
    body = _finish(_frame(word.form, word.text, rng, split), rng)
    return Description(body, nearest_emotion(word.parameters), word.intensity, dict(word.parameters), "word")


def _features(rng: np.random.Generator, split: str) -> Description:
    chosen = _compatible_features(rng, int(rng.integers(1, 4)))
    phrases, parameters = [], {}
    for feature in chosen:
        phrase, meaning = _feature_phrase(feature, rng, split)
        phrases.append(phrase)
        parameters.update(meaning)
    text = _pick(rng, _grammar()["and"][split]).join(phrases)
    return Description(
        _finish(text, rng), nearest_emotion(parameters), _strength(parameters), parameters, "features"
    )


def _combined(rng: np.random.Generator, split: str) -> Description:
    """An emotion and one feature that changes it."""
    emotion, level = _pick(rng, list(EMOTIONS)), _pick(rng, list(LEVELS))
    body, strength = _emotion_phrase(emotion, level, rng, split)
    phrase, meaning = _feature_phrase(_pick(rng, _grammar()["features"]), rng, split)
    parameters = _overruled(lexicon.scale(EMOTIONS[emotion], strength), meaning)
    body = _with_features(body, [phrase], rng, split)
    return Description(_finish(body, rng), emotion, strength, parameters, "combined")


def _overruled(face: Mapping[str, float], feature: Mapping[str, float]) -> dict[str, float]:
    """`face` with `feature` on it: the feature takes over its part of the face, on the sides it names."""
    taken = {(_region(name), _side(name)) for name in feature}
    kept = {name: value for name, value in face.items() if (_region(name), _side(name)) not in taken}
    return {**kept, **feature}


def _side(parameter: str) -> str:
    return parameter[-1] if parameter.endswith(("_l", "_r")) else ""


def _contradiction(rng: np.random.Generator, split: str) -> Description:
    """Upper face of one emotion over the mouth of another."""
    grammar = _grammar()
    upper = _pick(rng, list(grammar["upper_parts"]))
    mouth = _pick(rng, [name for name in grammar["mouth_parts"] if name != upper])
    parameters = {
        **{n: v for n, v in EMOTIONS[mouth].items() if n not in _UPPER},
        **{n: v for n, v in EMOTIONS[upper].items() if n in _UPPER},
    }
    text = _pick(rng, grammar["contrast_templates"][split]).format(
        u=_pick(rng, grammar["upper_parts"][upper][split]), m=_pick(rng, grammar["mouth_parts"][mouth][split])
    )
    parameters = lexicon.scale(parameters, 0.85)
    return Description(_finish(text, rng), nearest_emotion(parameters), 0.85, parameters, "contradiction")


def shows_one(description: Description, one: str, other: str) -> bool:
    """Whether the face shows one of two actions, on both sides where it has sides, and nothing of the other.

    Actions that emotions show together can be told apart by such faces alone. Raises InputError for an
    action that there is not.
    """
    shown = []
    for action in (one, other):
        names = lexicon.sided({action: 1.0})
        if not names.keys() <= INDEX.keys():
            raise InputError(f"Unknown facial action '{action}': see eadnet.synthetic.expression.PARAMETERS.")
        shown.append([description.parameters.get(name, 0.0) for name in names])
    first, second = shown
    return min(first) >= _CLEAR and not any(second) or min(second) >= _CLEAR and not any(first)


def nearest_emotion(parameters: Mapping[str, float]) -> str:
    """The emotion whose face is most alike in direction (cosine); "neutral" for a face that hardly moves."""
    vector = _vector(parameters)
    if np.linalg.norm(vector) < 0.15:
        return "neutral"
    names, prototypes = _prototypes()
    return names[int(np.argmax(prototypes @ vector))]


@lru_cache(maxsize=1)
def _prototypes() -> tuple[list[str], np.ndarray]:
    """Emotions other than neutral and their faces as unit vectors [7, P]."""
    names = [name for name in EMOTIONS if name != "neutral"]
    faces = np.stack([_vector(EMOTIONS[name]) for name in names])
    return names, faces / np.linalg.norm(faces, axis=1, keepdims=True)


def _vector(parameters: Mapping[str, float]) -> np.ndarray:
    vector = np.zeros(len(PARAMETERS))
    for name, value in parameters.items():
        vector[INDEX[name]] = value
    return vector


def _strength(parameters: Mapping[str, float]) -> float:
    return round(float(max(abs(v) for v in parameters.values())), 3)


def _feature_phrase(
    feature: Mapping[str, Any], rng: np.random.Generator, split: str
) -> tuple[str, dict[str, float]]:
    phrase = _pick(rng, feature[split])
    units = lexicon.sided(feature["units"])
    if rng.random() < 0.4:
        level = _pick(rng, list(LEVELS))
        return f"{phrase} {_pick(rng, _grammar()['strength'][split][level])}", lexicon.scale(
            units, LEVELS[level]
        )
    return phrase, dict(units)


def _compatible_features(rng: np.random.Generator, count: int) -> list[Mapping[str, Any]]:
    """Features that neither share nor oppose a parameter."""
    chosen: list[Mapping[str, Any]] = []
    taken: set[str] = set()
    features = _grammar()["features"]
    for index in rng.permutation(len(features)):
        regions = {_region(name) for name in features[index]["units"]}
        if not regions & taken and len(chosen) < count:
            chosen.append(features[index])
            taken |= regions
    return chosen


_REGIONS = {
    "brows": ("inner_brow", "outer_brow", "brow_lower"),
    "lids": ("upper_lid", "lid_", "blink"),
    "corners": ("smile", "frown", "dimple"),
    "lips": ("lip_", "lower_lip", "upper_lip", "chin"),
}


def _region(parameter: str) -> str:
    return next((region for region, starts in _REGIONS.items() if parameter.startswith(starts)), parameter)


def _own_features(parameters: Mapping[str, float], rng: np.random.Generator, split: str) -> list[str]:
    """One or two feature phrases that this face shows anyway."""
    shown = [
        feature
        for feature in _grammar()["features"]
        if all(
            np.sign(value) * parameters.get(name, 0.0) >= 0.45 * abs(value)
            for name, value in lexicon.sided(feature["units"]).items()
        )
    ]
    order = rng.permutation(len(shown))[: int(rng.integers(1, 3))]
    return [_pick(rng, shown[i][split]) for i in order]


def _with_features(body: str, phrases: list[str], rng: np.random.Generator, split: str) -> str:
    if not phrases:
        return body
    joined = _pick(rng, _grammar()["and"][split]).join(phrases)
    return _pick(rng, _grammar()["joiners"][split]).format(a=body.rstrip("."), b=joined)


_FRAMES = {"adjectives": "adjective_templates", "states": "state_templates", "nouns": "noun_templates"}
_NEVER_BEFORE_A_NOUN = frozenset(("at", "by", "in", "of", "off", "on", "out", "aback", "put", "let", "a"))


def _frame(form: str, text: str, rng: np.random.Generator, split: str) -> str:
    grammar = _grammar()
    templates = grammar[_FRAMES[form]][split]
    words = text.split()
    if form == "adjectives" and len(words) <= 2 and not _NEVER_BEFORE_A_NOUN & set(words):
        templates = templates + grammar["attributive_templates"][split]
    template = _pick(rng, templates)
    if text[0] in "aeiou":
        template = template.replace("a {x}", "an {x}")
    subject = _pick(rng, grammar["subjects"][split])
    if "{s}" in template:
        text = _agree(text, subject)
    return template.format(x=text, s=subject)


_FEMALE = {"their": "her", "themselves": "herself", "they": "she"}
_MALE = {"their": "his", "themselves": "himself", "they": "he"}
_PRONOUNS = {"she": _FEMALE, "the woman": _FEMALE, "he": _MALE, "the man": _MALE}


def _agree(text: str, subject: str) -> str:
    """ "beside themselves" said of a woman is "beside herself"."""
    pronouns = _PRONOUNS.get(subject, {})
    return " ".join(pronouns.get(word, word) for word in text.split(" "))


def _finish(text: str, rng: np.random.Generator) -> str:
    """Case and full stop as people type: sometimes a sentence, sometimes neither."""
    if rng.random() < 0.5:
        return text[0].upper() + text[1:]
    return text.rstrip(".") if rng.random() < 0.5 else text


def _level(intensity: str | float) -> str:
    if isinstance(intensity, str):
        if intensity not in LEVELS:
            raise InputError(no_such("intensity", intensity, LEVELS))
        return intensity
    if not 0.0 <= intensity <= 1.0:
        raise InputError(f"The intensity is {intensity}: give a number from 0 to 1.")
    return min(LEVELS, key=lambda level: abs(LEVELS[level] - intensity))


def _check_split(split: str) -> None:
    if split not in (*SPLITS, TEXT_TRAINING):
        raise InputError(no_such("split", split, SPLITS))


def _pick(rng: np.random.Generator, options: Any) -> Any:
    return options[int(rng.integers(len(options)))]


@lru_cache(maxsize=1)
def _grammar() -> dict[str, Any]:
    grammar, more = _read("captions.json"), _read("phrasings.json")
    core = grammar["core"]
    core[TEXT_TRAINING] = {
        emotion: [w for split in SPLITS for w in core[split][emotion]] for emotion in EMOTIONS
    }
    _add_text_training(grammar, more)
    return grammar


def _add_text_training(node: Any, more: Any) -> None:
    """Add the text encoder's split to every node with a training split: the same, and `more`."""
    if isinstance(node, dict) and "train" in node:
        if TEXT_TRAINING not in node:
            node[TEXT_TRAINING] = _both(node["train"], more)
    elif isinstance(node, dict):
        for name, child in node.items():
            _add_text_training(child, more.get(name, {}))
    elif isinstance(node, list):
        for child, extra in zip(node, more, strict=True):
            _add_text_training(child, extra)


def _both(first: Any, second: Any) -> Any:
    """Lists joined, wherever they are in alike dictionaries."""
    if isinstance(first, list):
        return [*first, *(second or ())]
    return {name: _both(part, second.get(name)) for name, part in first.items()}


def _read(name: str) -> Any:
    return json.loads(resources.files(__package__).joinpath(name).read_text("utf-8"))
