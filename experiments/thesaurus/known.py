"""What the mini text encoder has read: the words of its training sentences, and the lexicon's entries."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import Any

import eadnet.captions
import eadnet.synthetic
from eadnet.modules.text_encoder import split_words
from eadnet.synthetic import lexicon

Words = tuple[str, ...]
_BEFORE = frozenset(
    "is are was were be been being feel feels feeling felt look looks looking looked with in get got".split()
)


@dataclass(frozen=True)
class Known:
    """`entries`, single words, may stand for unknown ones: a phrase is near too much ("kind concern"), and
    may be longer than what it stands for. `words` and the `texts` that they come from are left alone.
    """

    entries: tuple[lexicon.Word, ...]
    words: frozenset[str]
    texts: tuple[Words, ...]

    @classmethod
    def read(cls) -> Known:
        """Of the lexicon without its unseen words, and of all phrasings."""
        said = [
            *_texts(eadnet.synthetic, "captions.json"),
            *_texts(eadnet.synthetic, "phrasings.json"),
            *_texts(eadnet.captions, "words.json"),
            *(word.text for word in lexicon.entries()),
        ]
        texts = tuple(dict.fromkeys(tuple(split_words(text)) for text in said))
        single = tuple(word for word in lexicon.entries() if len(split_words(word.text)) == 1)
        return cls(single, frozenset(word for text in texts for word in text), texts)

    def has(self, text: Words) -> bool:
        """Whether a word, or a phrase as it stands, was read, after a word such as "feeling", too."""
        if text[0] in _BEFORE and len(text) > 1:
            text = text[1:]
        return text[0] in self.words if len(text) == 1 else text in self.phrases

    @cached_property
    def phrases(self) -> frozenset[Words]:
        """Every sequence of two to seven words in the texts."""
        return frozenset(
            text[start : start + length]
            for text in self.texts
            for length in range(2, 8)
            for start in range(len(text) - length + 1)
        )


def _texts(package: Any, name: str) -> Iterable[str]:
    return _strings(json.loads(resources.files(package).joinpath(name).read_text("utf-8")))


def _strings(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for value in data.values():
            yield from _strings(value)
    elif isinstance(data, list):
        for value in data:
            yield from _strings(value)
