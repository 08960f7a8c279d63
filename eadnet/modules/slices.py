"""Which 50 Hz feature rows belong to each video frame (LatentSync, arXiv 2412.09262, section 3.1).

Frame i sits at row floor(50 i / fps) and reads the rows of two frames before it, its own and two frames
after it at 25 fps: ten rows, repeated at the ends of the recording.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import torch
from einops import rearrange
from torch import Tensor

from ..errors import InputError

ROWS_PER_SECOND = 50
ROWS_BEFORE = 4
ROWS_PER_FRAME = 10


def rows_needed(fps: float | Fraction, num_frames: int, first_frame: int = 0) -> int:
    """How many rows a recording needs so that no index of its frames is clamped at the end.

    Raises:
        InputError: fps that is not positive.
    """
    last = int((first_frame + num_frames - 1) * ROWS_PER_SECOND / checked_fps(fps))
    return max(0, last) + ROWS_PER_FRAME - ROWS_BEFORE


def checked_fps(fps: float | Fraction) -> float:
    """The frame rate as a float.

    Raises:
        InputError: not finite or not positive.
    """
    rate = float(fps)
    if not (math.isfinite(rate) and rate > 0):
        raise InputError(f"the frame rate is {fps} fps: it must be positive.")
    return rate


def frame_rows(
    num_rows: int, fps: float | Fraction, num_frames: int, first_frame: int | Tensor = 0
) -> Tensor:
    """Row indices of consecutive video frames.

    Args:
        num_rows: rows there are; indices beyond either end are clamped to it.
        fps: video frames per second.
        num_frames: T.
        first_frame: index of the first frame, or a LongTensor [B] of one per clip.

    Returns:
        LongTensor [T, 10], or [B, T, 10] for B first frames.

    Raises:
        InputError: no rows, or fps that is not positive.
    """
    if num_rows < 1:
        raise InputError("the audio is too short to encode: use at least 20 ms.")
    rate = checked_fps(fps)
    first = torch.as_tensor(first_frame, dtype=torch.long)
    frames = first[..., None] + torch.arange(num_frames, device=first.device)
    # Float64 keeps the floor exact for any frame number; some devices have it on the CPU only.
    centre = (frames.cpu().double() * ROWS_PER_SECOND / rate).floor().long()
    rows = centre[..., None] + torch.arange(ROWS_PER_FRAME) - ROWS_BEFORE
    return rows.clamp(0, num_rows - 1)


def slice_features(
    rows: Tensor, fps: float | Fraction, num_frames: int, first_frame: int | Tensor = 0
) -> Tensor:
    """The audio tokens of each video frame; one gather, differentiable in `rows`.

    Args:
        rows: [..., R, L, D], L feature layers of each 50 Hz row.
        fps: video frames per second.
        num_frames: T.
        first_frame: index of the first frame, or, for rows [B, R, L, D], a LongTensor [B].

    Returns:
        [..., T, 10 * L, D], row-major: all layers of the earliest row come first.

    Raises:
        InputError: no rows, or fps that is not positive.
    """
    index = frame_rows(rows.shape[-3], fps, num_frames, first_frame).to(rows.device)
    if index.ndim == 2:
        read = rows[..., index, :, :]
    else:
        clip = torch.arange(index.shape[0], device=rows.device)[:, None, None]
        read = rows[clip, index]
    return rearrange(read, "... t rows layers d -> ... t (rows layers) d")


def slice_stream(
    blocks: Iterator[Tensor],
    num_rows: int,
    fps: float | Fraction,
    num_frames: int,
    first_frame: int = 0,
    first_row: int = 0,
) -> Iterator[Tensor]:
    """`slice_features` for rows that arrive block by block.

    Args:
        blocks: [n, L, D] each, the rows from `first_row` on, to the end or to the last one that is read.
        num_rows: rows of the whole recording.
        fps: video frames per second.
        num_frames: frames of the whole video.
        first_frame: frame to begin with; it must read no row before `first_row`.

    Yields:
        [n, 10 * L, D] for consecutive frames.
    """
    if first_frame >= num_frames:
        return
    held: Tensor | None = None
    frame, end = first_frame, first_row  # next frame to give out, row that follows those held
    for block in blocks:
        held = block if held is None else torch.cat([held, block])
        end += len(block)
        ready = frame
        while ready < num_frames and _rows_of(num_rows, fps, ready)[1] < end:
            ready += 1
        if ready > frame:
            index = frame_rows(num_rows, fps, ready - frame, frame) - (end - len(held))
            yield rearrange(held[index.to(held.device)], "t rows layers d -> t (rows layers) d")
            frame = ready
        if frame == num_frames:
            return
        held = held[max(0, _rows_of(num_rows, fps, frame)[0] - (end - len(held))) :]


def _rows_of(num_rows: int, fps: float | Fraction, frame: int) -> tuple[int, int]:
    """First and last row of one frame."""
    centre = math.floor(frame * ROWS_PER_SECOND / checked_fps(fps))
    first, last = centre - ROWS_BEFORE, centre + ROWS_PER_FRAME - ROWS_BEFORE - 1
    return min(max(first, 0), num_rows - 1), min(max(last, 0), num_rows - 1)


def first_row_needed(num_rows: int, fps: float | Fraction, frame: int) -> int:
    """The first row of a frame or any after it."""
    return _rows_of(num_rows, fps, frame)[0]
