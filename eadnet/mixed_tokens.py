"""Tokens that change from frame to frame, kept as what they are mixed from: memory goes by the sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class MixedTokens:
    """Tokens [T, L, D] of T frames. `to` and `mixed` make them, for as many frames as there are; a slice of
    it is some of the frames, still unmade.

    sentences  [K, L, D] tokens of the sentences
    null       [L, D] those of the empty one
    which      [T, n] whole numbers, the few sentences that a frame shows
    share      [T, n] how much of each, in the type of the tokens; what is missing to 1 is the empty one's
    """

    sentences: Tensor
    null: Tensor
    which: Tensor
    share: Tensor

    @classmethod
    def of(
        cls, sentences: Sequence[Tensor], null: Tensor, share: np.ndarray, which: np.ndarray
    ) -> MixedTokens:
        """From tokens [L, D] of K sentences, and how much ``share`` [T, n] of ``which`` of them [T, n] (-1:
        none) a frame shows.

        Sentences that are the same tensor are kept once.
        """
        sentences = list(sentences)  # a tensor would give out new views each time
        kept: dict[int, Tensor] = {}
        for sentence in sentences:
            kept.setdefault(id(sentence), sentence)
        number = {name: place for place, name in enumerate(kept)}
        places = np.array([number[id(sentence)] for sentence in sentences])
        return cls(
            torch.stack(list(kept.values())),
            null,
            torch.from_numpy(places[which.clip(0)].astype(np.int32)),
            torch.from_numpy(np.where(which >= 0, share, 0.0)).to(null.dtype),
        )

    @property
    def ndim(self) -> int:
        return 3

    @property
    def shape(self) -> torch.Size:
        return torch.Size((len(self), *self.null.shape))

    def __len__(self) -> int:
        return len(self.share)

    def __getitem__(self, frames: slice) -> MixedTokens:
        return replace(self, which=self.which[frames], share=self.share[frames])

    def mixed(self) -> Tensor:
        """[T, L, D]. Every frame is computed by itself, so that it is the same in any piece of the clip."""
        total = torch.zeros(self.shape, dtype=self.null.dtype, device=self.null.device)
        for column in range(self.share.shape[1]):
            which, share = self.which[:, column], self.share[:, column]
            for number in which[share != 0].unique().tolist():
                rows = ((which == number) & (share != 0)).nonzero()[:, 0].to(total.device)
                by = share[rows.to(share.device)].to(total.device)[:, None, None]
                total[rows] = torch.addcmul(total[rows], by, self.sentences[number] - self.null)
        return total.add_(self.null)

    def to(self, device: torch.device, dtype: torch.dtype) -> Tensor:
        """`mixed` on a device and in a type."""
        return self.mixed().to(device, dtype)

    def is_null(self) -> bool:
        """Whether it is the empty sentence throughout."""
        shown = self.which[self.share != 0].unique().tolist()
        return all(bool((self.sentences[number] == self.null).all()) for number in shown)

    def parts(self) -> tuple[Tensor, ...]:
        """The floating-point tensors it is mixed from."""
        return self.sentences, self.null, self.share
