"""What the frames of a clip are generated from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from ..captions.mixed import MixedTokens
from ..errors import InputError
from ..finite import all_finite

# Who made a part that is not finite.
_ORIGIN = {
    "masked_latents": "the VAE encoder (EAD-Net Prepare Face)",
    "mask": "the mask region (EAD-Net Prepare Face)",
    "reference_latents": "the VAE encoder (EAD-Net Prepare Face)",
    "audio": "the audio encoder (EAD-Net Encode Audio)",
    "emotion": "the text encoder (EAD-Net Encode Emotion)",
    "null_emotion": "the text encoder (EAD-Net Encode Emotion)",
}


@dataclass(frozen=True)
class Conditions:
    """What one clip, or a stretch of one, of T frames is generated from. Latents are scaled as the U-Net
    expects them.

    masked_latents    [T, 4, h, w]  the crops with the region hidden
    mask              [T, 1, h, w]  1 where the picture is kept (see `eadnet.faces.masks.latent_mask`)
    reference_latents [T, 4, h, w]  the whole crops
    audio             [T, N, D]     tokens of the sound around each frame
    emotion           [L, De], or [T, L, De] (or what these are mixed from) when it changes over time, or None
    null_emotion      [L, De] embedding of the empty sentence; None means the model's path without emotion
    """

    masked_latents: Tensor
    mask: Tensor
    reference_latents: Tensor
    audio: Tensor
    emotion: Tensor | MixedTokens | None = None
    null_emotion: Tensor | None = None

    @property
    def num_frames(self) -> int:
        return self.masked_latents.shape[0]

    def check(self) -> None:
        """Raise InputError when the parts do not belong together or hold numbers that are not finite."""
        frames, grid = self.num_frames, self.masked_latents.shape[-2:]
        for name, channels in (("masked_latents", 4), ("mask", 1), ("reference_latents", 4)):
            shape = tuple(getattr(self, name).shape)
            if shape != (frames, channels, *grid):
                raise InputError(
                    f"{name} has the shape {list(shape)} where {[frames, channels, *grid]} is needed: "
                    "prepare image and mask with the same resolution and number of frames."
                )
        if self.audio.ndim != 3 or self.audio.shape[0] != frames:
            raise InputError(
                f"The audio covers {self.audio.shape[0]} frames and the latents {frames}: encode the audio "
                "for the same number of frames."
            )
        if self.emotion is not None and self.emotion.ndim == 3 and self.emotion.shape[0] != frames:
            raise InputError(
                f"The emotion covers {self.emotion.shape[0]} frames and the latents {frames}: encode it for "
                "the same number of frames."
            )
        for field in fields(self):
            value = getattr(self, field.name)
            parts = value.parts() if isinstance(value, MixedTokens) else (value,)
            if value is not None and not all(all_finite(part) for part in parts if part is not None):
                raise InputError(
                    f"{field.name} contains values that are not finite: they come from "
                    f"{_ORIGIN[field.name]}; check it and what goes into it."
                )

    def to(self, device: torch.device, dtype: torch.dtype) -> Conditions:
        moved: dict[str, Any] = {
            name: None if value is None else value.to(device, dtype) for name, value in vars(self).items()
        }
        return Conditions(**moved)

    def __getitem__(self, part: slice) -> Conditions:
        """The conditions of some of the frames."""
        moves = self.emotion is not None and self.emotion.ndim == 3
        return Conditions(
            masked_latents=self.masked_latents[part],
            mask=self.mask[part],
            reference_latents=self.reference_latents[part],
            audio=self.audio[part],
            emotion=self.emotion[part] if moves and self.emotion is not None else self.emotion,
            null_emotion=self.null_emotion,
        )


def joined(parts: Sequence[Conditions]) -> Conditions:
    """Consecutive stretches of a clip as one. An emotion that does not move is that of the first."""
    first = parts[0]
    if len(parts) == 1:
        return first
    moves = first.emotion is not None and first.emotion.ndim == 3
    return Conditions(
        masked_latents=torch.cat([part.masked_latents for part in parts]),
        mask=torch.cat([part.mask for part in parts]),
        reference_latents=torch.cat([part.reference_latents for part in parts]),
        audio=torch.cat([part.audio for part in parts]),
        emotion=torch.cat([_made(part.emotion) for part in parts if part.emotion is not None])
        if moves
        else first.emotion,
        null_emotion=first.null_emotion,
    )


def _made(emotion: Tensor | MixedTokens) -> Tensor:
    return emotion.mixed() if isinstance(emotion, MixedTokens) else emotion


class Feed:
    """Takes stretches of any length from a source and returns stretches of the requested length."""

    def __init__(self, source: Iterable[Conditions]) -> None:
        self._source: Iterator[Conditions] = iter(source)
        self._left: list[Conditions] = []
        self._taken = 0

    def take(self, count: int) -> Conditions:
        """The next ``count`` frames, checked. Raises InputError when the source ends before."""
        while (have := sum(part.num_frames for part in self._left)) < count:
            part = next(self._source, None)
            if part is None:
                raise InputError(
                    f"Frames or audio end {count - have} frames too early, after {self._taken + have}: the "
                    "files changed while they were read, start again."
                )
            part.check()
            self._left.append(part)
        whole = joined(self._left)
        self._left = [whole[count:]] if whole.num_frames > count else []
        self._taken += count
        return whole[:count]
