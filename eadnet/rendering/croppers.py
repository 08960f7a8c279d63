"""Where the face is in the pictures: crops out of them, and generated crops back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ..faces.crops import prepare_portrait, to_pictures
from ..faces.face_track import FaceTrack
from ..faces.masks import composite, feathered


class Cropper(Protocol):
    """Cuts the face out of pictures and puts it back. What its attributes say decides the result, and goes
    into the fingerprint of a scene.
    """

    def crop(self, frames: np.ndarray, numbers: list[int]) -> Tensor:
        """Pictures uint8 [n, H, W, 3], with their numbers in the source -> crops [n, 3, R, R] in [-1, 1]."""
        ...

    def paste(self, frames: np.ndarray, crops: Tensor, numbers: list[int]) -> np.ndarray:
        """The finished pictures, uint8 [n, H', W', 3]."""
        ...


class CentreCropper:
    """The largest centred square is the face; the finished picture is that square, R x R.

    region: [1, R, R], 1 where pixels are generated.
    """

    def __init__(self, region: Tensor) -> None:
        self.resolution = region.shape[-1]
        self.weight = feathered(region, self.resolution // 32)

    def crop(self, frames: np.ndarray, numbers: list[int]) -> Tensor:
        return prepare_portrait(torch.from_numpy(frames).float() / 255, self.resolution)

    def paste(self, frames: np.ndarray, crops: Tensor, numbers: list[int]) -> np.ndarray:
        mixed = composite(crops, self.crop(frames, numbers), self.weight)
        return (to_pictures(mixed) * 255).round().to(torch.uint8).numpy()


class StillCropper(CentreCropper):
    """The same of one picture [H, W, 3] that all frames show: it is cropped once."""

    def __init__(self, cropper: CentreCropper, picture: np.ndarray) -> None:
        self.resolution, self.weight = cropper.resolution, cropper.weight
        self._whole = cropper.crop(picture[None], [0])

    def crop(self, frames: np.ndarray, numbers: list[int]) -> Tensor:
        return self._whole.expand(len(numbers), -1, -1, -1)


@dataclass(frozen=True)
class TrackCropper:
    """The face followed by a `FaceTrack`; the finished picture is the whole frame.

    region: [1, R, R], 1 where pixels are generated.
    colour_match: how far the face takes on the colours around it, 0 to 1.
    feather: width of the soft edge in pixels of the crop; None is a thirty-second of its side.
    """

    track: FaceTrack
    region: Tensor
    colour_match: float = 0.0
    feather: int | None = None

    def crop(self, frames: np.ndarray, numbers: list[int]) -> Tensor:
        return self.track.crop(frames, numbers, self.region.shape[-1])

    def paste(self, frames: np.ndarray, crops: Tensor, numbers: list[int]) -> np.ndarray:
        pasted = self.track.paste(frames, crops, numbers, self.region, self.feather, self.colour_match)
        return pasted.numpy()
