"""The thesaurus: which words it has, and which known word each of them is read as.

Blind of the words that judge it: a held-out word gets the neighbours that WordNet and the vectors give it, as
every other word does, and what is written by hand (`by_hand.tsv`) has none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eadnet.errors import InputError
from eadnet.modules.text_encoder import split_words
from experiments.thesaurus.feeling import Feeling
from experiments.thesaurus.forms import DENIED, spelled, verb_forms
from experiments.thesaurus.known import Known, Words
from experiments.thesaurus.nearness import Array, Nearness, bases, is_phrase
from experiments.thesaurus.trial import pick
from experiments.thesaurus.vectors import Vectors
from experiments.thesaurus.wordnet import WordNet
from experiments.words import meanings

BY_HAND = Path(__file__).with_name("by_hand.tsv")
LICENCE = Path(__file__).with_name("wordnet_license.txt")
HEAD = (
    "# Words that the mini text encoder has not read, and the known ones that are read in their place.\n"
    "# Made by `python -m experiments thesaurus`: nearness in WordNet 3.1, whose notice follows, and in\n"
    "# GloVe's vectors, which are in the public domain.\n#\n"
)

# Lexicographer's files (lexnames(5WN)) that hold words of feelings, looks and manners.
_AREAS = frozenset((0, 1, 2, 4, 7, 9, 10, 12, 26, 29, 31, 32, 37, 41, 44))
READINGS = 4  # known texts that stand for one
_CALM = 0.2  # length of a face that shows nothing
_LONGEST = 6  # words of a phrase


@dataclass(frozen=True)
class Limits:
    """What is kept: words whose `Feeling` is `least` (of phrases `least_phrase`; of the `usual` first in
    frequency, which say many other things, `least_usual`), and with `per_score` for every point of their best
    score beyond `score` at least `feeling`; of words that only the vectors know those of some rank of
    frequency, whose mean cosine with the nearest five is `vector`. Nothing is kept whose readings disagree:
    the mean cosine of their faces is `agree` at least, of phrases `agree_phrase`.
    """

    feeling: float = 0.7
    least: float = 0.45
    least_phrase: float = 0.6
    least_usual: float = 0.85
    usual: int = 6_000
    score: float = 2.5
    per_score: float = 0.3
    vector: float = 0.6
    rank: tuple[int, int] = (8_000, 120_000)
    agree: float = 0.3
    agree_phrase: float = 0.4


def candidates(wordnet: WordNet, known: Known) -> Iterator[tuple[str, frozenset[str]]]:
    """Lemmas that were never read, and the parts of speech ("noun", "verb", ...) that they are."""
    for lemma, keys in wordnet.of_lemma.items():
        words = tuple(split_words(lemma))
        if (
            not 1 <= len(words) <= _LONGEST
            or words[0] in DENIED
            or any(c.isdigit() for c in lemma)
            or known.has(words)
        ):
            continue
        parts = frozenset(key.partition(":")[0] for key in keys if wordnet.senses[key].area in _AREAS)
        if parts:
            yield lemma, parts


def forms_of(lemma: str, parts: frozenset[str]) -> list[str]:
    """The lemma's spellings in texts."""
    return [spelled(form) for form in (verb_forms(lemma) if "verb" in parts else [lemma])]


def near(nearness: Nearness, known: Known, limits: Limits) -> dict[Words, tuple[str, ...]]:
    """Every word and phrase that is near enough, as the encoder splits it, and the known texts it is near."""
    found: dict[Words, tuple[float, tuple[str, ...]]] = {}

    def keep(form: str, score: float, texts: tuple[str, ...]) -> None:
        words = tuple(split_words(form))
        if not known.has(words) and score > found.get(words, (0.0, ()))[0]:
            found[words] = score, texts

    faces = meanings(known.entries)

    def nearest(scores: Array, agree: float) -> tuple[str, ...]:
        """None where what is near disagrees."""
        rows = pick(scores, READINGS)
        agreed = agreeing(faces[rows]) >= agree
        return tuple(nearness.known[row] for row in rows) if agreed else ()

    lemmas = dict(candidates(nearness.wordnet, known))
    feeling = Feeling.fit(nearness, list(lemmas))
    for lemma, parts in lemmas.items():
        felt = feeling.of(lemma)
        phrase = is_phrase(lemma)
        usual = nearness.vectors.row.get(lemma, limits.usual) < limits.usual
        if felt < (limits.least_usual if usual else limits.least_phrase if phrase else limits.least):
            continue
        scores = nearness.scores(lemma)
        if felt + limits.per_score * (scores.max() - limits.score) >= limits.feeling:
            texts = nearest(scores, limits.agree_phrase if phrase else limits.agree)
            for number, form in enumerate(forms_of(lemma, parts) if texts else ()):
                keep(form, scores.max() - 1e-3 * number, texts)
    for word in by_vector(nearness.vectors, nearness.wordnet, known, limits):
        cosines = nearness.cosines(word)
        texts = nearest(cosines, limits.agree)
        if texts and np.sort(cosines)[-5:].mean() >= limits.vector:
            keep(word, float(cosines.max()), texts)
    return {words: texts for words, (_, texts) in found.items()}


def agreeing(faces: Array) -> float:
    """Mean cosine between faces [N, P]; 1 of one alone, and between calm ones, which have no direction."""
    if len(faces) < 2:
        return 1.0
    size = np.linalg.norm(faces, axis=1)
    unit = faces / np.maximum(size, 1e-9)[:, None]
    calm = size < _CALM
    cosines = np.where(calm[:, None] & calm[None], 1.0, unit @ unit.T)
    return float(cosines[np.triu_indices(len(faces), 1)].mean())


def by_vector(vectors: Vectors, wordnet: WordNet, known: Known, limits: Limits) -> Iterator[str]:
    """Frequent words that WordNet lacks, in any form."""
    for word, row in vectors.row.items():
        if limits.rank[0] <= row < limits.rank[1] and word.isalpha() and len(word) > 2:
            if not known.has((word,)) and not any(form in wordnet.of_lemma for form in (word, *bases(word))):
                yield word


def by_hand(path: Path, known: Known, judges: Iterable[Words]) -> dict[Words, tuple[str, ...]]:
    """Idioms that WordNet lacks; "to" before one makes all forms of its verb. Raises InputError for one that
    judges the thesaurus, and for a meaning that was never read.
    """
    judging = frozenset(judges)
    found: dict[Words, tuple[str, ...]] = {}
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        meaning, _, texts = line.partition("\t")
        if not known.has(tuple(split_words(meaning))):
            raise InputError(f"'{meaning}' in {path.name} was never read: choose another.")
        for text in texts.split("|"):
            lemma = text.removeprefix("to ")
            for form in verb_forms(lemma) if lemma != text else [text]:
                words = tuple(split_words(form))
                if words in judging:
                    raise InputError(f"'{form}' in {path.name} judges the thesaurus: take it out.")
                if not known.has(words):
                    found[words] = (meaning,)
    return found


def lines(entries: Mapping[Words, tuple[str, ...]]) -> str:
    """The file's text."""
    grouped: dict[str, list[str]] = {}
    for words, texts in entries.items():
        known = "|".join(" ".join(split_words(text)) for text in texts)
        grouped.setdefault(known, []).append(" ".join(words))
    notice = "".join(f"# {line}".rstrip() + "\n" for line in LICENCE.read_text("utf-8").splitlines())
    return (
        HEAD + notice + "".join(f"{known}\t{'|'.join(sorted(grouped[known]))}\n" for known in sorted(grouped))
    )
