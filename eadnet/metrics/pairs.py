"""What two clips have in common: the frames that can be compared, in chunks that bound the memory."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..errors import InputError
from ..media.clips import Frames, piece_size

CHUNK = 32


def check_clip(frames: Frames, what: str = "the clip") -> None:
    """Raise InputError unless `frames` is a clip [T, 3, H, W], uint8 or floating point, not empty."""
    if len(frames.shape) != 4 or frames.shape[1] != 3 or 0 in frames.shape:
        raise InputError(
            f"{what} has shape {list(frames.shape)}: use [frames, 3, height, width] with one frame at least."
        )


def as_floats(frames: Tensor) -> Tensor:
    """uint8 or floating point images as float32 in 0..1."""
    return frames.float() if frames.is_floating_point() else frames.float() / 255.0


def common_frames(generated: Frames, reference: Frames) -> int:
    """How many frames two clips share from their start.

    Raises:
        InputError: not clips, or images of different size, which no metric can compare.
    """
    check_clip(generated, "the generated clip")
    check_clip(reference, "the reference clip")
    if generated.shape[-2:] != reference.shape[-2:]:
        ours, theirs = (f"{clip.shape[-1]} x {clip.shape[-2]}" for clip in (generated, reference))
        raise InputError(f"the images are {ours} and {theirs}: resize one clip to the size of the other.")
    return min(generated.shape[0], reference.shape[0])


def frame_by_frame(
    compare: Callable[[Tensor, Tensor], Tensor],
    generated: Frames,
    reference: Frames,
    chunk: int | None = None,
) -> Tensor:
    """`compare` (chunks [n, 3, H, W] in 0..1 -> [n]) over the frames two clips share, [T] on the CPU."""
    count = common_frames(generated, reference)
    chunk = chunk or piece_size(generated)
    pieces = [
        compare(
            as_floats(generated[start : min(count, start + chunk)]),
            as_floats(reference[start : min(count, start + chunk)]),
        )
        for start in range(0, count, chunk)
    ]
    return torch.cat(pieces).detach().cpu()
