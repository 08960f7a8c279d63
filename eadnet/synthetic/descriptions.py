"""Random sentences of the caption grammar, and the faces that they mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import lexicon
from .captions import TEXT_TRAINING, Description, describe, describe_word
from .expression import INDEX, PARAMETERS

WORD_SHARE = 0.3  # of the sentences, each about one word of the whole lexicon
EMPTY_SHARE = 0.03  # the empty sentence means no expression


def sample_descriptions(rng: np.random.Generator, count: int) -> list[Description]:
    """In training phrasings: of everything the grammar says, of every word, and a few that say nothing."""
    words = lexicon.entries()
    drawn = []
    for share in rng.random(count):
        if share < EMPTY_SHARE:
            drawn.append(Description("", "neutral", 0.0))
        elif share < EMPTY_SHARE + WORD_SHARE:
            drawn.append(describe_word(words[int(rng.integers(len(words)))], rng, TEXT_TRAINING))
        else:
            drawn.append(describe(rng, TEXT_TRAINING))
    return drawn


def expressions_of(descriptions: Sequence[Description]) -> np.ndarray:
    """Facial parameters float32 [N, P] that the descriptions mean."""
    faces = np.zeros((len(descriptions), len(PARAMETERS)), np.float32)
    for row, description in enumerate(descriptions):
        for name, value in description.parameters.items():
            faces[row, INDEX[name]] = value
    return faces
