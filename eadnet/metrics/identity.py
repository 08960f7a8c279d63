"""Is it still the same person? Cosine similarity in the features of a face recogniser of your choice."""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import InputError
from ..media.clips import Frames
from .pairs import CHUNK, as_floats, check_clip


class Recogniser(Protocol):
    """A network that gives one vector [D] for each face crop of [B, 3, H, W] in 0..1."""

    name: str

    def __call__(self, faces: Tensor) -> Tensor: ...


@torch.no_grad()
def identity_similarity(
    faces: Frames, portrait: Tensor, recogniser: Recogniser, chunk: int = CHUNK
) -> Tensor:
    """Cosine similarity of each frame with the mean face of the portraits (CSIM); 1 is the same.

    Args:
        faces: [T, 3, H, W], 0..1 or uint8, crops as the recogniser expects them.
        portrait: [N, 3, H, W], one or more images of the person.
        recogniser: whose features to compare.
        chunk: faces at a time.

    Returns:
        [T], float32, -1..1.

    Raises:
        InputError: not clips, or a recogniser that sees nothing at all in the portrait.
    """
    check_clip(faces)
    check_clip(portrait, "the portrait")
    person = F.normalize(recogniser(as_floats(portrait)).float(), dim=1).mean(0)
    if float(person.norm()) < 1e-6:
        raise InputError(f"{recogniser.name} finds no face in the portrait: choose an image with a face.")
    pieces = [
        F.cosine_similarity(recogniser(as_floats(faces[start : start + chunk])).float(), person[None]).cpu()
        for start in range(0, faces.shape[0], chunk)
    ]
    return torch.cat(pieces)
