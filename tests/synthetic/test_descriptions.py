"""Random sentences and the faces they mean."""

from __future__ import annotations

import numpy as np
import pytest

from eadnet.synthetic import lexicon
from eadnet.synthetic.descriptions import expressions_of, sample_descriptions
from eadnet.synthetic.expression import INDEX, PARAMETERS


def test_the_sentences_are_drawn_from_a_seed_and_mean_what_they_say():
    drawn = sample_descriptions(np.random.default_rng(3), 40)
    again = sample_descriptions(np.random.default_rng(3), 40)
    assert [d.text for d in drawn] == [d.text for d in again]
    faces = expressions_of(drawn)
    assert faces.shape == (40, len(PARAMETERS))
    for row, description in enumerate(drawn):
        for name, value in description.parameters.items():
            assert faces[row, INDEX[name]] == np.float32(value)
    assert (faces != 0).sum() == sum(value != 0 for d in drawn for value in d.parameters.values())


@pytest.mark.slow
def test_words_that_no_clip_may_use_are_among_them_and_so_is_silence():
    texts = [d.text.lower() for d in sample_descriptions(np.random.default_rng(0), 14000)]
    held_out = [word.text for word in lexicon.entries() if word.split == "test"]
    assert sum(any(word in text for text in texts) for word in held_out) > len(held_out) / 2
    assert "" in texts
