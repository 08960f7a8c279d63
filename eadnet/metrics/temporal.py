"""Does the image hold still where it should and move evenly where it moves?

Three weight-free measures: flicker (change where the reference does not move), jitter (acceleration of
points) and warped difference (what motion does not explain of the change from frame to frame).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import InputError
from ..media.clips import Frames, pieces
from .pairs import as_floats, check_clip, common_frames

# Change per frame, in shares of full brightness, up to which a pixel of the reference counts as still.
STILL = 2.0 / 255.0
BLOCK, REACH = 8, 3


def flicker(generated: Frames, reference: Frames | None = None, still: float = STILL) -> float:
    """Mean absolute change from frame to frame where the reference holds still, in shares of full brightness.

    Args:
        generated: [T, 3, H, W], 0..1 or uint8.
        reference: the true clip, whose still pixels count; None counts the half of the pixels that
            changes least over the clip.
        still: largest change of a reference pixel that counts as still.

    Returns:
        0 or more; 0 for a single frame; NaN where the reference never holds still.

    Raises:
        InputError: not clips, or of different size.
    """
    check_clip(generated)
    if reference is None:
        return _flicker_of_the_calmer_half(generated)
    count = common_frames(generated, reference)
    meter = Flicker(still)
    for ours, theirs in zip(pieces(generated, overlap=1), pieces(reference, overlap=1), strict=False):
        shared = min(len(ours), len(theirs))
        meter.add(ours[:shared], theirs[:shared])
    return meter.value() if count > 1 else 0.0


class Flicker:
    """What `flicker` measures against a reference, of clips that come in pieces.

    Each piece but the first begins with the last frame of the one before.
    """

    def __init__(self, still: float = STILL) -> None:
        self.still = still
        self._sum, self._count = 0.0, 0

    def add(self, generated: Tensor, reference: Tensor) -> None:
        """The next frames [n, 3, H, W] of both."""
        calm = changes(reference) <= self.still
        self._sum += float(changes(generated)[calm].double().sum())
        self._count += int(calm.sum())

    def value(self) -> float:
        """NaN where nothing was still."""
        return self._sum / self._count if self._count else math.nan


def changes(frames: Tensor) -> Tensor:
    """[T, 3, H, W] -> [T - 1, H, W] on the CPU, absolute, mean over the channels."""
    values = as_floats(frames)
    return (values[1:] - values[:-1]).abs().mean(1).cpu()


def _flicker_of_the_calmer_half(frames: Frames) -> float:
    steps = frames.shape[0] - 1
    if steps == 0:
        return 0.0
    mean = torch.zeros(frames.shape[-2:], dtype=torch.float64)
    for piece in pieces(frames, overlap=1):
        mean += changes(piece).double().sum(0) / steps
    return float(mean[mean <= mean.median()].mean())


def jitter(landmarks: Tensor) -> float:
    """Mean acceleration of points, in shares of the face's diagonal per frame²; 0 for even motion.

    Args:
        landmarks: [T, P, 2]; frames with NaN and their neighbours are left out.

    Returns:
        0 or more; NaN where no three frames in a row have points.

    Raises:
        InputError: not landmarks.
    """
    if landmarks.ndim != 3 or landmarks.shape[-1] != 2:
        raise InputError(f"landmarks have shape {list(landmarks.shape)}; give [frames, points, 2].")
    if len(landmarks) < 3:
        return math.nan
    points = landmarks.cpu().double()
    acceleration = (points[2:] - 2 * points[1:-1] + points[:-2]).norm(dim=-1).mean(1)
    size = (points.amax(1) - points.amin(1)).norm(dim=-1)[1:-1]
    values = acceleration / size.clamp(min=1e-9)
    return float(values[values.isfinite()].mean())


def block_motion(before: Tensor, after: Tensor, block: int = BLOCK, reach: int = REACH) -> Tensor:
    """Where each block of `after` was in `before`: exhaustive matching of brightness, no weights.

    Args:
        before, after: [3, H, W] in 0..1.
        block: side of a block in pixels.
        reach: how far a block may have moved, in pixels to each side.

    Returns:
        [2, ceil(H / block), ceil(W / block)], whole pixels (down, right) from `after` to `before`; the
        shortest motion wins where several fit equally.
    """
    grey_a, grey_b = after.mean(0)[None, None], before.mean(0)[None, None]
    bottom, right = (-grey_a.shape[-2]) % block, (-grey_a.shape[-1]) % block
    grey_a, grey_b = (F.pad(x, (0, right, 0, bottom), mode="replicate") for x in (grey_a, grey_b))
    around = F.pad(grey_b, (reach,) * 4, mode="replicate")
    height, width = grey_a.shape[-2:]
    moves = sorted(
        ((y, x) for y in range(-reach, reach + 1) for x in range(-reach, reach + 1)),
        key=lambda move: move[0] ** 2 + move[1] ** 2,
    )
    costs = torch.stack(
        [
            F.avg_pool2d(
                (grey_a - around[..., reach + y : reach + y + height, reach + x : reach + x + width]).abs(),
                block,
            )[0, 0]
            for y, x in moves
        ]
    )
    # A longer motion must fit better by more than noise does.
    penalty = 1e-4 * torch.tensor([math.hypot(*move) for move in moves])
    best = (costs + penalty[:, None, None].to(costs)).argmin(0)
    return torch.tensor(moves, device=best.device)[best].permute(2, 0, 1)


def warped_difference(frames: Frames, block: int = BLOCK, reach: int = REACH) -> float:
    """What block motion from one frame to the next does not explain, in shares of full brightness.

    Args:
        frames: [T, 3, H, W], 0..1 or uint8.
        block, reach: see `block_motion`.

    Returns:
        0 or more; lower is steadier; 0 for a single frame. Large motion and turning heads raise it, so it is
        read beside the reference's own value.

    Raises:
        InputError: not a clip.
    """
    check_clip(frames)
    if frames.shape[0] < 2:
        return 0.0
    errors = torch.cat([warped_errors(piece, block, reach) for piece in pieces(frames, overlap=1)])
    return float(errors.mean())


def warped_errors(frames: Tensor, block: int = BLOCK, reach: int = REACH) -> Tensor:
    """`warped_difference` of each of the T - 1 steps of [T, 3, H, W], on the CPU."""
    height, width = frames.shape[-2:]
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    errors = []
    for before, after in zip(frames[:-1], frames[1:], strict=True):
        a, b = as_floats(before).cpu(), as_floats(after).cpu()
        motion = block_motion(a, b, block, reach)
        motion = motion.repeat_interleave(block, 1).repeat_interleave(block, 2)[:, :height, :width]
        y, x = (row + motion[0]).clamp(0, height - 1), (column + motion[1]).clamp(0, width - 1)
        errors.append((b - a[:, y, x]).abs().mean())
    return torch.stack(errors) if errors else torch.zeros(0)
