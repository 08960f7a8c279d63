"""Does a face sit in the centred square of a picture where a model expects it?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from ..errors import InputError
from .affine import crop_size, template
from .detectors.manual import box_around
from .face import FaceDetector
from .framing import PORTRAIT_TEMPLATE
from .heads import EXPECTED, SURE, find_heads
from .points import alignment_points

SMALLEST_CROP = 64  # pixels, below which nothing is to be seen
# How far a face may lie from its place, as a share of the square's side, and how much larger or smaller it
# may be. Drawn heads in every pose stay within 0.04 and 1.12.
FARTHEST, LARGEST = 0.10, 1.4

_AROUND = 0.6  # of its height, what is repeated around a tight crop, so that a whole head fits in


@dataclass(frozen=True)
class Placement:
    """A face in a picture, and how it lies in the centred square.

    points: [5, 2] in pixels of the picture, in the order of `face.POINTS`.
    beside: [2], how far right of and below its place it is, as shares of the square's side.
    scale: how much larger it is than expected.
    """

    points: np.ndarray
    beside: tuple[float, float]
    scale: float

    @property
    def fits(self) -> bool:
        """Whether a model may take it to be in its place."""
        return self.off() <= 1

    def off(self) -> float:
        """How far it is from where it fits: up to 1 it does."""
        return max(
            float(np.hypot(*self.beside)) / FARTHEST, abs(float(np.log(self.scale))) / float(np.log(LARGEST))
        )

    def words(self) -> str:
        """What is wrong with its place: "too high and too small"."""
        across, down = self.beside
        wrong = []
        if abs(down) > FARTHEST / 2:
            wrong.append("too high" if down < 0 else "too low")
        if abs(across) > FARTHEST / 2:
            wrong.append("too far left" if across < 0 else "too far right")
        if not 1 / LARGEST <= self.scale <= LARGEST:
            wrong.append("too small" if self.scale < 1 else "too large")
        return " and ".join(wrong)

    def box(self) -> tuple[int, int, int, int]:
        """The face from brows to chin and ear to ear: left, top, right, bottom, as one enters it by hand."""
        left, top, right, bottom = (round(float(side)) for side in box_around(self.points))
        return left, top, right, bottom


def placed_face(picture: np.ndarray, framing: str, detector: FaceDetector | None = None) -> Placement | None:
    """The face in a picture uint8 [H, W, 3] that is nearest to where the framing expects it in the centred
    square; None where none is found. The ``detector`` is asked where our own eyes see none in place.

    Raises InputError for an unknown framing.
    """
    size = (picture.shape[0], picture.shape[1])
    found: list[Placement] = []
    if framing == "latentsync":
        tight = _tight_heads(picture)
        found += [
            place
            for score, points in tight
            if (place := _place(points, framing, size)).fits and score > EXPECTED
        ]
    if not found:
        for head in find_heads(picture):
            place = _place(head.points(), framing, size)
            if head.score > (EXPECTED if place.fits else SURE):
                found.append(place)
    if detector is not None and not any(place.fits for place in found):
        seen = [_place(face.points, framing, size, face.brows) for face in detector.detect(picture)]
        found = seen or found
    return min(found, key=Placement.off, default=None)


def _place(
    points: np.ndarray, framing: str, size: tuple[int, int], brows: np.ndarray | None = None
) -> Placement:
    side = min(size)
    corner = np.array([(size[1] - side) // 2, (size[0] - side) // 2])
    if framing == "portrait":
        shown, goal, stretch = points, np.array(PORTRAIT_TEMPLATE), np.ones(2)
    elif framing == "latentsync":  # its crop of 3 : 4 is stretched to the square
        shown = alignment_points(points) if brows is None else brows
        stretch = np.array([crop_size()[0] / crop_size()[1], 1.0])
        goal = template().numpy() / np.array(crop_size()) * stretch
    else:
        raise InputError(f"The framing is '{framing}': use portrait or latentsync.")
    at = (shown + 0.5 - corner) / side * stretch
    beside = at.mean(axis=0) - goal.mean(axis=0)
    scale = _spread(at) / _spread(goal)
    return Placement(points, (float(beside[0]), float(beside[1])), max(scale, 1e-3))


def _spread(points: np.ndarray) -> float:
    return float(np.sqrt(((points - points.mean(axis=0)) ** 2).sum(axis=1).mean()))


def _tight_heads(picture: np.ndarray) -> list[tuple[float, np.ndarray]]:
    """(score, five points in the picture) of heads in a tight crop that is stretched as LatentSync's is."""
    height, width = picture.shape[:2]
    side = min(height, width)
    left, top = (width - side) // 2, (height - side) // 2
    square = torch.tensor(picture[top : top + side, left : left + side])
    small = (192, 256)  # (width, height)
    pixels = F.interpolate(
        square.permute(2, 0, 1)[None].float(), small[::-1], mode="bilinear", antialias=True
    )
    room = round(_AROUND * small[1])
    padded = F.pad(pixels, (room,) * 4, mode="replicate")[0].permute(1, 2, 0).round().to(torch.uint8).numpy()
    factor = np.array([side / small[0], side / small[1]])
    return [
        (head.score, (head.points() - room + 0.5) * factor - 0.5 + np.array([left, top]))
        for head in find_heads(padded)
    ]
