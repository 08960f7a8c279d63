"""What the synthetic people say: a grammar of everyday sentences in nine languages.

The grammar is free of emotions, so that only the description determines the face. Every sentence
belongs to one split by its checksum, so no sentence is shared between training and test.
"""

from __future__ import annotations

import json
import re
import zlib
from functools import lru_cache
from importlib import resources

import numpy as np

from ..errors import InputError, no_such

SPLITS = ("train", "validation", "test")
_SLOT = re.compile(r"\{(\w+)\}")
_SALAD_SHARE = 0.15


def split_of(text: str) -> str:
    """The split a sentence belongs to: one in ten for validation, one in ten for test."""
    digit = zlib.crc32(text.encode("utf-8")) % 10
    return {0: "validation", 1: "test"}.get(digit, "train")


def languages() -> tuple[str, ...]:
    """Languages with a grammar, as voice names: `en`, `de`, ..."""
    return tuple(_grammars())


def sentence(rng: np.random.Generator, split: str = "train", language: str = "en") -> str:
    """A random sentence of a split. Raises InputError for an unknown split or language."""
    if split not in SPLITS:
        raise InputError(no_such("split", split, SPLITS))
    if language not in _grammars():
        raise InputError(no_such("language of sentences", language, _grammars()))
    while True:
        text = _draw(rng, _grammars()[language])
        if split_of(text) == split:
            return text


def _draw(rng: np.random.Generator, grammar: dict[str, list[str]]) -> str:
    salad = grammar.get("words")
    if salad and rng.random() < _SALAD_SHARE:
        words = [salad[i] for i in rng.integers(len(salad), size=int(rng.integers(4, 9)))]
        return " ".join(words).capitalize() + "."
    text = _pick(rng, grammar["sentences"])
    while _SLOT.search(text):
        text = _SLOT.sub(lambda slot: _pick(rng, grammar[slot[1]]), text, count=1)
    return text[0].upper() + text[1:]


def _pick(rng: np.random.Generator, options: list[str]) -> str:
    return options[int(rng.integers(len(options)))]


@lru_cache(maxsize=1)
def _grammars() -> dict[str, dict[str, list[str]]]:
    data = resources.files(__package__).joinpath("sentences.json").read_text("utf-8")
    return json.loads(data)
