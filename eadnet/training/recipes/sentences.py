"""Sentences of the synthetic caption grammar for the text encoder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ...synthetic.captions import Description, describe
from ...synthetic.descriptions import expressions_of, sample_descriptions
from ..tasks.text_encoder import Sentences


def _with_faces(descriptions: Sequence[Description]) -> tuple[list[str], Tensor]:
    texts = [description.text for description in descriptions]
    return texts, torch.from_numpy(expressions_of(descriptions))


def _varied(rng: np.random.Generator, count: int) -> tuple[list[str], Tensor]:
    return _with_faces(sample_descriptions(rng, count))


def _of_split(split: str, rng: np.random.Generator, count: int) -> tuple[list[str], Tensor]:
    return _with_faces([describe(rng, split) for _ in range(count)])


SENTENCES = Sentences(_varied, partial(_of_split, "train"), partial(_of_split, "validation"))
"""Of the whole lexicon for training; the others as clips of those splits have them."""
