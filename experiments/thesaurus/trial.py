"""How well known words are read through their neighbours, each taken as if nobody had ever read it.

The unseen words have no part in this: they judge the result.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eadnet.modules.text_encoder import split_words
from eadnet.synthetic.lexicon import Word
from experiments.thesaurus.nearness import Nearness
from experiments.words import agreement, meanings

CLOSE = 0.7  # of the best score: a neighbour worse than this is left out
STEM = 5  # letters that relatives share


def strangers(words: Sequence[Word]) -> NDArray[np.bool_]:
    """[N, N]: whether two words share no stem, so that letters alone lead from neither to the other."""
    stems = [{word[:STEM] for word in split_words(entry.text) if len(word) >= STEM} for entry in words]
    texts = [entry.text for entry in words]
    apart = np.ones((len(words), len(words)), bool)
    for i, own in enumerate(stems):
        for j in range(i + 1):
            apart[i, j] = apart[j, i] = not (own & stems[j]) and texts[i] != texts[j]
    return apart


def pick(scores: NDArray[np.float64], count: int, close: float = CLOSE) -> list[int]:
    """Rows of the best scores, at most `count`, those no worse than `close` of the best."""
    order = np.argsort(-scores)[:count]
    return [int(row) for row in order if scores[row] >= close * scores[order[0]] > 0] or [int(order[0])]


def through_neighbours(
    nearness: Nearness, words: Sequence[Word], chosen: Sequence[int], apart: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Scores [len(chosen), N] of words against all that are no relatives of theirs."""
    return np.stack([np.where(apart[row], nearness.scores(words[row].text), 0.0) for row in chosen])


def worth(scores: NDArray[np.float64], words: Sequence[Word], chosen: Sequence[int], count: int) -> float:
    """r of the mean of the neighbours' faces with the words' own."""
    faces = meanings(words)
    made = np.stack([faces[pick(row, count)].mean(0) for row in scores])
    return agreement(made, faces[list(chosen)])
