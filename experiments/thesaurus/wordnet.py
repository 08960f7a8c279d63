"""WordNet 3.1's files: senses of English words, how they hang together, and their definitions.

Format: wndb(5WN) of the WordNet manual.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

PARTS = ("noun", "verb", "adj", "adv")
_LETTERS = {"n": "noun", "v": "verb", "a": "adj", "s": "adj", "r": "adv"}
_MARKERS = ("(a)", "(p)", "(ip)")  # of an adjective's place in a sentence


@dataclass(frozen=True)
class Sense:
    """A synset: `lemmas` in lower case with spaces, `links` (relation's sign, other sense's key), `area` the
    number of the lexicographer's file, `gloss` the definition without its examples.
    """

    key: str
    lemmas: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    area: int
    gloss: str


@dataclass(frozen=True)
class WordNet:
    """`senses` by key ("adj:01368978"), and the keys of every lemma, the most usual sense first."""

    senses: Mapping[str, Sense]
    of_lemma: Mapping[str, tuple[str, ...]]

    @classmethod
    def read(cls, folder: Path) -> WordNet:
        """From a folder with `data.*` and `index.*`."""
        senses: dict[str, Sense] = {}
        of_lemma: dict[str, tuple[str, ...]] = {}
        for part in PARTS:
            for line in _lines(folder / f"data.{part}"):
                sense = _sense(part, line)
                senses[sense.key] = sense
            for line in _lines(folder / f"index.{part}"):
                lemma, keys = _of_lemma(part, line)
                of_lemma[lemma] = (*of_lemma.get(lemma, ()), *keys)
        return cls(senses, of_lemma)


def _lines(path: Path) -> Iterable[str]:
    """All but the licence, which is indented."""
    with path.open(encoding="utf-8") as file:
        yield from (line for line in file if not line.startswith(" "))


def _sense(part: str, line: str) -> Sense:
    data, _, gloss = line.partition("|")
    fields = data.split()
    count = int(fields[3], 16)
    lemmas = tuple(_plain(fields[4 + 2 * i]) for i in range(count))
    at = 4 + 2 * count
    links = tuple(
        (fields[i], f"{_LETTERS[fields[i + 2]]}:{fields[i + 1]}")
        for i in range(at + 1, at + 1 + 4 * int(fields[at]), 4)
    )
    return Sense(f"{part}:{fields[0]}", lemmas, links, int(fields[1]), gloss.partition('; "')[0].strip())


def _of_lemma(part: str, line: str) -> tuple[str, list[str]]:
    fields = line.split()
    return _plain(fields[0]), [f"{part}:{offset}" for offset in fields[-int(fields[2]) :]]


def _plain(lemma: str) -> str:
    for marker in _MARKERS:
        lemma = lemma.removesuffix(marker)
    return lemma.replace("_", " ").lower()
