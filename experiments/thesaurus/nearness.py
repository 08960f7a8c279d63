"""Which of the words that the text encoder has read mean the nearest to one that it has not.

Three things speak for a pair: paths between senses of WordNet, known words in the definition of the other,
and vectors, of the word itself and of its definition. Their weights were chosen on known words, each taken as
if it were unknown (`python -m experiments thesaurus --try`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from eadnet.modules.text_encoder import split_words
from experiments.thesaurus.vectors import Vectors
from experiments.thesaurus.wordnet import Sense, WordNet

Array = NDArray[np.float64]

# How much of a meaning is left after a step along a relation (signs of wninput(5WN)); antonyms are no steps.
_STEPS = {
    **{"&": 0.8, "+": 0.85, "\\": 0.9, "^": 0.6, "@": 0.5, "~": 0.5, "=": 0.4, "*": 0.4, ">": 0.5},
    **{"$": 0.7, "<": 0.8},
}
_DEPTH, _LEAST = 3, 0.2
_RARER = 0.95  # of a word's sense against the more usual one before it
_NOT = {"not", "no", "without", "lacking", "lack", "free", "absence", "never", "un", "opposite", "against"}
_NEGATED = 3  # words after a negation that it takes with it
PLAIN = frozenset(
    "a an the of or and in to with by as for from on at that which who be being is are was having have has "
    "used something someone somebody one person state quality feeling feel characterized characterised "
    "expressing showing causing very extremely usually especially marked".split()
)
_POSSESSIVE = re.compile(r"\b(?:their|his|her|my|your|our|its)\b")


@dataclass(frozen=True)
class Weights:
    """Of the parts of the score."""

    graph: float = 2.0
    gloss: float = 0.6
    vector: float = 1.6
    defined: float = 1.6


@dataclass
class Nearness:
    """Scores of a text against `known` texts."""

    wordnet: WordNet
    vectors: Vectors
    known: Sequence[str]
    weights: Weights = Weights()
    _rows: dict[str, int] = field(init=False)
    _matrix: Array = field(init=False)
    _at: dict[str, list[tuple[int, float]]] = field(init=False)

    def __post_init__(self) -> None:
        self._rows = {lemma_of(text): i for i, text in enumerate(self.known)}
        self._matrix = np.stack([self.vectors.of(content(text)) for text in self.known]).astype(float)
        self._at = {}
        for i, text in enumerate(self.known):
            for key, weight in self.senses(text):
                self._at.setdefault(key, []).append((i, weight))

    def senses(self, text: str) -> list[tuple[str, float]]:
        """Keys of a text's senses in WordNet, with how usual each is; none where it has no such lemma."""
        found: dict[str, float] = {}
        for lemma in lemmas(text):
            for rank, key in enumerate(self.wordnet.of_lemma.get(lemma, ())):
                found[key] = max(found.get(key, 0.0), _RARER**rank)
        return list(found.items())

    def scores(self, text: str) -> Array:
        """[len(known)]; that of the text's own sense that fits best. An idiom says something else than its
        words, so its definition speaks for them where there is one.
        """
        own = self.weights.vector * self.cosines(text)
        senses = self.senses(text)
        idiom = bool(senses) and is_phrase(text)
        best = np.zeros(len(self.known)) if idiom else own
        for key, usual in senses:
            sense = self.wordnet.senses[key]
            defined = self._by_definition(sense)
            total = (self.weights.vector * usual * defined if idiom else own) + usual * (
                self.weights.graph * self._by_graph(key)
                + self.weights.gloss * self._by_gloss(sense)
                + self.weights.defined * defined
            )
            if total.max() > best.max():
                best = total
        return best

    def cosines(self, text: str) -> Array:
        """[len(known)]; of the vectors alone, 0 at least."""
        return np.maximum(self._matrix @ self.vectors.of(content(text)), 0.0)

    def _by_graph(self, key: str) -> Array:
        """How much of a sense's meaning the known texts have by relations, less what its opposites have."""
        reached = self._reached({key: 1.0})
        opposite = {
            other: weight
            for start, weight in reached.items()
            for sign, other in self.wordnet.senses[start].links
            if sign == "!"
        }
        return self._found(reached) - self._found(self._reached(opposite))

    def _reached(self, border: dict[str, float]) -> dict[str, float]:
        reached = dict(border)
        for _ in range(_DEPTH):
            further: dict[str, float] = {}
            for start, weight in border.items():
                for sign, other in self.wordnet.senses[start].links:
                    left = weight * _STEPS.get(sign, 0.0)
                    if left > max(_LEAST, reached.get(other, 0.0)):
                        reached[other] = further[other] = left
            border = further
        return reached

    def _found(self, reached: dict[str, float]) -> Array:
        found = np.zeros(len(self.known))
        for other, weight in reached.items():
            for i, usual in self._at.get(other, ()):
                found[i] = max(found[i], weight * usual)
        return found

    def _by_gloss(self, sense: Sense) -> Array:
        found = np.zeros(len(self.known))
        words = affirmed(sense.gloss)
        for length in (3, 2, 1):
            for start in range(len(words) - length + 1):
                row = self._rows.get(" ".join(words[start : start + length]))
                if row is not None:
                    found[row] = 1.0
        return found / max(1.0, np.sqrt(found.sum()))

    def _by_definition(self, sense: Sense) -> Array:
        words = [word for word in affirmed(sense.gloss) if word not in PLAIN]
        return np.maximum(self._matrix @ self.vectors.of(words), 0.0)


def is_phrase(text: str) -> bool:
    """Whether a text is more than one word."""
    return len(split_words(text)) > 1


def lemma_of(text: str) -> str:
    """Words in lower case between single spaces."""
    return " ".join(split_words(text))


def lemmas(text: str) -> list[str]:
    """How WordNet may spell a text: as it is, with hyphens, with "one's", and the verb in its base form."""
    plain = text.lower()
    spelled = [plain, plain.replace("-", " "), plain.replace(" ", "-")]
    spelled += [_POSSESSIVE.sub("one's", form) for form in spelled]
    for form in list(spelled):
        first, space, rest = form.partition(" ")
        spelled += [base + space + rest for base in bases(first)]
        if form.startswith("a "):
            spelled.append(form[2:])
        if form.startswith("in "):
            spelled.append(form[3:])
        if form.startswith("the "):
            spelled.append(form[4:])
    return list(dict.fromkeys(spelled))


_IRREGULAR = {"having": "have", "being": "be", "lost": "lose", "blown": "blow", "broken": "break"}


def bases(word: str) -> list[str]:
    """Base forms that a verb's -ing, -ed or -s form may have."""
    found = [_IRREGULAR[word]] if word in _IRREGULAR else []
    for ending in ("ing", "ed", "es", "s"):
        stem = word.removesuffix(ending)
        if stem == word or len(stem) < 2:
            continue
        found += [stem, stem + "e"]
        if ending in ("ing", "ed") and len(stem) > 2 and stem[-1] == stem[-2]:
            found.append(stem[:-1])
        if ending in ("ed", "es") and stem.endswith("i"):
            found.append(stem[:-1] + "y")
    return found


def content(text: str) -> list[str]:
    """The words that carry a meaning; all of them where none does."""
    words = split_words(text)
    return [word for word in words if word not in PLAIN and word != "their"] or words


def affirmed(gloss: str) -> list[str]:
    """A definition's words, less those that it denies."""
    kept, denied = [], 0
    for word in split_words(re.sub(r"\([^)]*\)", " ", gloss)):
        if word in _NOT:
            denied = _NEGATED
        elif denied:
            denied = 0 if word in ".,;:" else denied - 1
        elif word[0].isalpha():
            kept.append(word)
    return kept
