"""Words of feeling and the faces they make: each with its mixture of emotions, its intensity and its action
units.

The placements are the project's own reading of the words, written for these heads; they are data, kept in
`lexicon.json` in groups that share one face.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from .expression import EMOTIONS, INDEX, RANGES

FORMS = ("adjectives", "states", "nouns")
UNSEEN = "unseen"
TEXT_TRAINING = "text_training"


@dataclass(frozen=True)
class Word:
    """A word or set phrase.

    `form`: "adjectives" ("she looks livid"), "states" ("she is holding back tears") or "nouns" ("a look of
    scorn"). `mixture`: share of each emotion, `intensity` 0..1, `parameters`: its face in names of
    `expression.PARAMETERS`. `split`: whose captions may use it; "unseen" words are kept from all.
    `is_pure`: it names one basic emotion and nothing else.
    """

    text: str
    form: str
    mixture: Mapping[str, float]
    intensity: float
    parameters: Mapping[str, float]
    split: str
    is_pure: bool

    @property
    def emotion(self) -> str:
        """The strongest emotion of the mixture."""
        return max(self.mixture, key=lambda name: self.mixture[name])

    @property
    def level(self) -> str:
        """ "low", "medium" or "high"."""
        return "low" if self.intensity <= 0.5 else "medium" if self.intensity <= 0.8 else "high"


def entries() -> tuple[Word, ...]:
    """Every word that captions may use, of all splits."""
    return tuple(word for word in _entries() if word.split != UNSEEN)


def unseen() -> tuple[Word, ...]:
    """A hundred words that no training text uses, neither of clips nor of the text encoder."""
    return tuple(word for word in _entries() if word.split == UNSEEN)


def words(split: str, emotion: str | None = None, level: str | None = None) -> tuple[Word, ...]:
    """Words of a split: all, or the pure ones of an emotion (and level; neutral has one level for all). The
    split `TEXT_TRAINING` has those of all splits but the unseen.
    """
    return _index().get((split, emotion, None if emotion == "neutral" else level), ())


def scale(parameters: Mapping[str, float], factor: float) -> dict[str, float]:
    """Every parameter times `factor`, kept within its range; zeros left out."""
    scaled = {}
    for name, value in parameters.items():
        low, high = RANGES[INDEX[name]]
        amount = float(min(max(value * factor, low), high))
        if amount:
            scaled[name] = round(amount, 4)
    return scaled


def mix(mixture: Mapping[str, float], intensity: float) -> dict[str, float]:
    """The face of a mixture of emotions: strengths add up and saturate at the end of each range."""
    total: dict[str, float] = {}
    for emotion, share in mixture.items():
        for name, value in EMOTIONS[emotion].items():
            total[name] = total.get(name, 0.0) + share * value
    return scale(total, intensity)


def sided(units: Mapping[str, float]) -> dict[str, float]:
    """Spell out actions given without a side: `smile` stands for `smile_l` and `smile_r`."""
    spelled: dict[str, float] = {}
    for name, value in units.items():
        for full in (name,) if name in INDEX else (f"{name}_l", f"{name}_r"):
            spelled[full] = value
    return spelled


# Dealt out within each group, so that every emotion and level has words in every split.
_SPLIT_BY_POSITION = {2: "validation", 3: "test"}


@lru_cache(maxsize=1)
def _entries() -> tuple[Word, ...]:
    data = json.loads(resources.files(__package__).joinpath("lexicon.json").read_text("utf-8"))
    assigned = {text: split for split, texts in data["splits"].items() for text in texts}
    found = []
    for group in data["groups"]:
        parameters = {**mix(group["mix"], group["intensity"]), **sided(group.get("units", {}))}
        for form in FORMS:
            for position, text in enumerate(group.get(form, ())):
                split = assigned.get(text) or _SPLIT_BY_POSITION.get(position % 6, "train")
                pure = len(group["mix"]) == 1 and "units" not in group
                found.append(Word(text, form, group["mix"], group["intensity"], parameters, split, pure))
    return tuple(found)


@lru_cache(maxsize=1)
def _index() -> dict[tuple[str, str | None, str | None], tuple[Word, ...]]:
    """Words by the arguments of `words`."""
    found: dict[tuple[str, str | None, str | None], list[Word]] = {}
    for word in _entries():
        for split in (word.split,) if word.split == UNSEEN else (word.split, TEXT_TRAINING):
            keys: list[tuple[str, str | None, str | None]] = [(split, None, None)]
            if word.is_pure:
                keys += [(split, word.emotion, None), (split, word.emotion, word.level)]
            for key in keys:
                found.setdefault(key, []).append(word)
    return {key: tuple(words) for key, words in found.items()}
