"""Everything about a clip and its reference that needs no weights, in one go, as text and as an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..media.charts import THEMES, Panel, Picture, finite_range, tiles
from ..media.clips import Frames, piece_size, pieces
from .fidelity import HIGHEST_PSNR, psnr, ssim
from .pairs import as_floats, common_frames
from .temporal import Flicker, warped_errors

# Motion is measured on images no larger than this: quick, and blind to grain.
MOTION_SIDE = 256
WIDTH, HEIGHT = 960, 640


@dataclass(frozen=True)
class ClipScores:
    """Attributes: psnr (dB) and ssim of every frame [T]; flicker where the reference is still, and warped
    difference, each of the clip and of the reference as its control; notes on what was compared.
    """

    psnr: Tensor
    ssim: Tensor
    flicker: float
    flicker_reference: float
    warped: float
    warped_reference: float
    notes: tuple[str, ...]

    def report(self) -> str:
        """Some lines of text with every number."""
        worst = int(self.ssim.argmin())
        lines = [
            f"PSNR               {float(self.psnr.mean()):.2f} dB  (higher is closer, 100 is equal)",
            f"SSIM               {float(self.ssim.mean()):.4f}  (1 is equal)",
            f"worst frame        {worst}  (SSIM {float(self.ssim[worst]):.4f})",
            f"flicker            {self.flicker:.5f}  (reference {self.flicker_reference:.5f})",
            f"warped difference  {self.warped:.5f}  (reference {self.warped_reference:.5f})",
            *(f"note               {note}" for note in self.notes),
            "Flicker: mean change per frame where the reference is still; warped difference: what motion",
            "does not explain of the change per frame; both in shares of full brightness, lower is steadier.",
        ]
        return "\n".join(lines)


def clip_scores(generated: Frames, reference: Frames) -> ClipScores:
    """Compare two clips frame by frame over the frames both have.

    Args:
        generated, reference: [T, 3, H, W], 0..1 or uint8.

    Raises:
        InputError: not clips, or images of different size.
    """
    count = common_frames(generated, reference)
    notes = []
    lengths = generated.shape[0], reference.shape[0]
    if lengths[0] != lengths[1]:
        notes.append(
            f"The clip has {lengths[0]} frames and the reference {lengths[1]}; "
            f"the first {count} were compared."
        )
    size = motion_size(generated.shape[-2:])
    if size != tuple(generated.shape[-2:]):
        notes.append(f"Flicker and motion were measured at {size[1]} x {size[0]} pixels.")
    if count == 1:
        notes.append("One frame: flicker and motion need at least two.")
    psnrs: list[Tensor] = []
    ssims: list[Tensor] = []
    ours_by_motion: list[Tensor] = []
    truth_by_motion: list[Tensor] = []
    ours_still, truth_still = Flicker(), Flicker()
    # One pass: the clips may be read from files.
    few = max(1, piece_size(generated) // 4)  # motion takes long: who reads may want to end it
    for a, b in zip(pieces(generated, few, 1), pieces(reference, few, 1), strict=False):
        shared = min(len(a), len(b))
        seen = 1 if psnrs else 0
        a, b = a[:shared], b[:shared]
        if shared > seen:
            psnrs.append(psnr(a[seen:], b[seen:]))
            ssims.append(ssim(a[seen:], b[seen:]))
        small_a, small_b = smaller(a), smaller(b)
        ours_still.add(small_a, small_b)
        truth_still.add(small_b, small_b)
        ours_by_motion.append(warped_errors(small_a))
        truth_by_motion.append(warped_errors(small_b))
    return ClipScores(
        psnr=torch.cat(psnrs),
        ssim=torch.cat(ssims),
        flicker=ours_still.value() if count > 1 else 0.0,
        flicker_reference=truth_still.value() if count > 1 else 0.0,
        warped=float(torch.cat(ours_by_motion).mean()) if count > 1 else 0.0,
        warped_reference=float(torch.cat(truth_by_motion).mean()) if count > 1 else 0.0,
        notes=tuple(notes),
    )


def motion_size(size: Sequence[int]) -> tuple[int, int]:
    """(height, width) at which motion of images of this size is measured: no side above 256 pixels."""
    factor = min(1.0, MOTION_SIDE / max(size))
    height, width = (max(1, round(side * factor)) for side in size)
    return height, width


def smaller(frames: Tensor) -> Tensor:
    """Frames [T, 3, H, W] as motion is measured; unchanged where they are small enough."""
    size = motion_size(frames.shape[-2:])
    return frames if size == frames.shape[-2:] else F.interpolate(as_floats(frames), size, mode="area")


def clip_picture(scores: ClipScores, fps: float = 25.0, theme: str = "dark") -> NDArray[np.float32]:
    """PSNR and SSIM over time with the means, [640, 960, 3] in 0..1; `theme` is "dark" or "light"."""
    colours = THEMES[theme]
    sheet = Picture(WIDTH, HEIGHT, colours)
    count = len(scores.psnr)
    sheet.text(24, 20, "Generated and reference, frame by frame", 24, colours.ink)
    sheet.text(24, 54, f"{count} {'frame' if count == 1 else 'frames'} compared", 13, colours.muted)
    numbers = (
        ("PSNR, dB", f"{float(scores.psnr.mean()):.1f}"),
        ("SSIM", f"{float(scores.ssim.mean()):.3f}"),
        ("flicker, 1/1000", f"{1000 * scores.flicker:.1f}"),
    )
    tiles(sheet, numbers, WIDTH - 24)
    seconds = [k / fps for k in range(count)]
    for name, values, best, colour, top, bottom in (
        ("PSNR in dB", scores.psnr, HIGHEST_PSNR, colours.line, 90, 352),
        ("SSIM", scores.ssim, 1.0, colours.good, 364, HEIGHT - 20),
    ):
        low, high = finite_range(values.numpy(), 0.12)
        high = min(high, best)
        box = (24, top, WIDTH - 24, bottom)
        panel = Panel(sheet, box, name, (0, max(seconds[-1], 1 / fps)), (low, high), "seconds")
        panel.curve(seconds, values.tolist(), colour, fill_to=low)
        worst = int(values.argmin())
        if float(values[worst]) < float(values.max()):
            panel.mark(seconds[worst], float(values[worst]), f"frame {worst}", colours.bad)
    return sheet.pixels()
