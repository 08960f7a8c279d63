"""Whether a word speaks of how people feel or look at all: known words against any others, told apart
linearly by the vectors of the word and of what WordNet says of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.thesaurus.nearness import PLAIN, Nearness, affirmed, content, is_phrase
from experiments.thesaurus.vectors import DIM

Array = NDArray[np.float64]

_OTHERS = 12_000
_RIDGE = 20.0
_SENSES = 4  # the most usual ones of a word
_AROUND = "&+@^\\"  # relations whose lemmas belong to what is said of a sense


@dataclass(frozen=True)
class Feeling:
    """`weights` [2 * DIM + 1]: about 1 for words of feeling, 0 for others."""

    nearness: Nearness
    weights: Array

    @classmethod
    def fit(cls, nearness: Nearness, others: Sequence[str], seed: int = 0) -> Feeling:
        """By ridge regression, both kinds with the same weight. ``others``: lemmas of all sorts."""
        rng = np.random.default_rng(seed)
        drawn = [others[i] for i in rng.choice(len(others), min(_OTHERS, len(others)), replace=False)]
        known = [text for text in nearness.known if nearness.senses(text)]
        x = np.stack([_vector(nearness, text) for text in (*known, *drawn)])
        y = np.concatenate([np.ones(len(known)), np.zeros(len(drawn))])
        share = np.where(y > 0, len(drawn) / len(known), 1.0)
        square = (x * share[:, None]).T @ x + _RIDGE * np.eye(x.shape[1])
        return cls(nearness, np.linalg.solve(square, (x * share[:, None]).T @ y))

    def of(self, text: str) -> float:
        """Of one lemma."""
        return float(_vector(self.nearness, text) @ self.weights)


def _vector(nearness: Nearness, text: str) -> Array:
    own: Array = nearness.vectors.of(content(text)).astype(float)
    said: Array = np.zeros(DIM)
    for key, usual in nearness.senses(text)[:_SENSES]:
        sense = nearness.wordnet.senses[key]
        words = [word for word in affirmed(sense.gloss) if word not in PLAIN]
        words += [word for lemma in sense.lemmas for word in lemma.split()]
        for sign, other in sense.links:
            if sign in _AROUND:
                words += [w for lemma in nearness.wordnet.senses[other].lemmas for w in lemma.split()]
        said += usual * nearness.vectors.of(words)
    said = said / (np.linalg.norm(said) + 1e-9)
    if said.any() and is_phrase(text):  # an idiom says something else than its words
        own = said
    return np.concatenate([own, said, [1.0]])
