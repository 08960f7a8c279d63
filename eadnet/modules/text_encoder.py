"""The small text encoder of the `mini` preset: words as bags of hashed character n-grams, then a transformer.

N-grams (the idea of fastText, Bojanowski et al. 2017) need no vocabulary file and give words that no
caption of the training set used a vector near their relatives ("furiously" beside "furious"). For words
without a relative a thesaurus says which known ones mean the nearest (`thesaurus`).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..printable import get_logger
from .thesaurus import bundled_thesaurus

logger = get_logger(__name__)

_WORD = re.compile(r"\w+(?:'\w+)?|[.,;:!?]")
_FOREIGN = re.compile(r"[^\W\d_a-z\u00c0-\u024f]")  # a letter beyond the Latin alphabet and its accents
_GRAM_SIZES = (3, 4)


def split_words(text: str) -> list[str]:
    """Lower-case words and the punctuation that separates clauses, in order."""
    return _WORD.findall(text.lower())


def word_grams(word: str, buckets: int, limit: int) -> list[int]:
    """Bucket numbers (1 ... buckets) of a word and of its character n-grams; 0 is left for padding."""
    marked = f"<{word}>"
    grams = [marked] + [marked[i : i + n] for n in _GRAM_SIZES for i in range(len(marked) - n + 1)]
    return [1 + zlib.crc32(gram.encode()) % buckets for gram in grams[:limit]]


def warn_of_unread(text: str, words: Sequence[str], limit: int) -> None:
    """Log what of a text the encoder will not read: words beyond `limit`, emoji, scripts it never saw."""
    if len(words) > limit:
        logger.warning(
            "The emotion text has %d words; only the first %d are used, up to '%s'.",
            len(words),
            limit,
            words[limit - 1],
        )
    if text.strip() and not any(word[0].isalnum() for word in words):
        logger.warning("The emotion text '%.30s' contains no words and has no effect: use words.", text)
    foreign = next((word for word in words[:limit] if _FOREIGN.search(word)), None)
    if foreign:
        logger.warning(
            "The text encoder reads English; '%.30s' has no defined effect: write the emotion in English.",
            foreign,
        )


class MiniTextEncoder(nn.Module):
    """Sentences to a fixed number of tokens [B, length, dim]. Ours; the paper does not name its encoder.

    `uses_thesaurus`: whether words that training never showed are read as known ones that mean the nearest,
    which the log tells; False reads all words by their letters.
    """

    def __init__(
        self,
        dim: int = 96,
        length: int = 32,
        layers: int = 2,
        heads: int = 4,
        buckets: int = 8192,
        grams_per_word: int = 20,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "dim": dim,
            "length": length,
            "layers": layers,
            "heads": heads,
            "buckets": buckets,
            "grams_per_word": grams_per_word,
        }
        self.length, self.buckets, self.grams_per_word = length, buckets, grams_per_word
        self.uses_thesaurus = True
        self.grams = nn.EmbeddingBag(buckets + 1, dim, mode="mean", padding_idx=0)
        self.positions = nn.Parameter(nn.init.normal_(torch.empty(length, dim), std=0.02))
        self.padding = nn.Parameter(torch.zeros(dim))
        layer = nn.TransformerEncoderLayer(
            dim, heads, 4 * dim, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, nn.LayerNorm(dim), enable_nested_tensor=False)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> MiniTextEncoder:
        return cls(**config)

    @property
    def dim(self) -> int:
        return self.config["dim"]

    def tokenize(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """Texts to `grams` int64 [B, length, grams_per_word] (0 = none) and `mask` bool [B, length] (word):
        every word by its letters.

        Words beyond `length` are dropped, with a warning that names the last one read.
        """
        grams = torch.zeros(len(texts), self.length, self.grams_per_word, dtype=torch.long)
        mask = torch.zeros(len(texts), self.length, dtype=torch.bool)
        for row, text in enumerate(texts):
            words = split_words(text)
            warn_of_unread(text, words, self.length)
            self._fill(words, grams[row], mask[row])
        return {"grams": grams, "mask": mask}

    def _fill(self, words: Sequence[str], grams: Tensor, mask: Tensor) -> None:
        """Write a text's words into a row of what `tokenize` gives."""
        for column, word in enumerate(words[: self.length]):
            ids = word_grams(word, self.buckets, self.grams_per_word)
            grams[column, : len(ids)] = torch.tensor(ids)
            mask[column] = True

    def forward(self, grams: Tensor, mask: Tensor) -> Tensor:
        """`grams` [B, L, G] and `mask` [B, L] as `tokenize` gives them, to tokens [B, L, dim]."""
        batch, length, per_word = grams.shape
        words = self.grams(grams.reshape(-1, per_word)).view(batch, length, -1)
        words = torch.where(mask[..., None], words, self.padding.to(words.dtype))
        return self.layers(words + self.positions[:length])

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Texts to tokens [B, length, dim]. The empty text is a valid sentence: it says nothing.

        Words that training never showed are read as those known ones that mean the nearest (see
        `thesaurus`): the tokens are the mean of the text with each of them.
        """
        said = [self._ways(text) for text in texts]
        ways = [way for some in said for way in some]
        grams = torch.zeros(len(ways), self.length, self.grams_per_word, dtype=torch.long)
        mask = torch.zeros(len(ways), self.length, dtype=torch.bool)
        for row, words in enumerate(ways):
            self._fill(words, grams[row], mask[row])
        device = self.positions.device
        tokens = self(grams.to(device), mask.to(device))
        if len(ways) == len(said):
            return tokens
        return torch.stack([some.mean(0) for some in tokens.split([len(some) for some in said])])

    def _ways(self, text: str) -> list[list[str]]:
        """A text's words, once for each way to say it in known ones; the log tells what is read as what."""
        words = split_words(text)
        warn_of_unread(text, words, self.length)
        if not self.uses_thesaurus:
            return [words]
        ways, notes = bundled_thesaurus().read(words)
        if max(map(len, ways)) > self.length >= len(words):  # the last words would be lost for it
            return [words]
        for unknown, known in notes.items():
            logger.info("The emotion text's '%.60s' is read as '%s'.", unknown, "', '".join(known))
        return ways
