"""A tracked face, cropped as each SyncNet was trained; the frames are read when they are needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..faces.affine import invert
from ..faces.face_track import FaceTrack
from ..faces.framing import frame_face
from ..faces.points import alignment_points
from ..media.clips import Frames, LazyFrames

MEDIAN = 13  # frames


@dataclass(frozen=True)
class Square:
    """A square around a face's box, in halves of the box's longer side.

    Attributes:
        side: of the square.
        above: from the middle of the box up to the square's upper edge; sideways it is centred.
        resolution: of the crop in pixels.
    """

    side: float
    above: float
    resolution: int


# The published evaluation of SyncNet v2 (run_pipeline.py): crop scale 0.4, so 1.4 times the box, reaching
# down from its upper edge.
SYNCNET_V2 = Square(2.8, 1.0, 224)
# Tight, with the chin: what landmark and expression networks were trained on.
TIGHT = Square(2.1, 1.01, 112)
# With room around, for what looks for the face itself: the landmarker of 478 points.
ROOMY = Square(3.2, 1.6, 384)


def square_track(track: FaceTrack, square: Square) -> FaceTrack:
    """A track whose crops are upright squares around the boxes, which are median-filtered over 13 frames.

    As in the published evaluation of SyncNet v2, but for two things: the first box is repeated before the
    beginning, not zeros, and mid grey instead of 110 lies beyond the frame.
    """
    from scipy.ndimage import median_filter  # not at the top: slow to import

    boxes = track.boxes.double().numpy()
    half = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]) / 2
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    half, x, y = (median_filter(v, MEDIAN, mode="nearest") for v in (half, middle[:, 0], middle[:, 1]))
    zoom = square.resolution / (square.side * half.clip(1.0))
    left, top = x - square.side / 2 * half, y - square.above * half
    nothing = np.zeros_like(zoom)
    rows = [[zoom, nothing, (0.5 - left) * zoom - 0.5], [nothing, zoom, (0.5 - top) * zoom - 0.5]]
    matrices = torch.from_numpy(np.array(rows).transpose(2, 0, 1)).float()
    return replace(track, framing="square", resolution=square.resolution, matrices=matrices)


def framed_track(track: FaceTrack, framing: str, resolution: int) -> FaceTrack:
    """The same face in another framing of `eadnet.faces.framing`."""
    if (track.framing, track.resolution) == (framing, resolution):
        return track
    points = track.points.numpy()
    ends = [*track.shots[1:], len(track)]
    matrices = torch.cat(
        [
            frame_face(framing, points[a:b], alignment_points(points[a:b]), resolution)
            for a, b in zip(track.shots, ends, strict=True)
        ]
    )
    return replace(track, framing=framing, resolution=resolution, matrices=matrices)


def syncnet_track(track: FaceTrack, network: str) -> FaceTrack:
    """A face framed as the SyncNet of this name was trained."""
    if network == "syncnet_v2":
        return square_track(track, SYNCNET_V2)
    if network == "stable_syncnet":
        return framed_track(track, "latentsync", 256)
    return framed_track(track, "portrait", 128)


def face_crops(frames: Frames, track: FaceTrack) -> LazyFrames:
    """The crops of a track as a clip [T, 3, R, R], uint8.

    Args:
        frames: those in which the face was looked for.
        track: of them.
    """

    def read(numbers: Sequence[int]) -> Tensor:
        pictures = frames[numbers[0] : numbers[-1] + 1].movedim(1, -1)
        return ((track.crop(pictures, list(numbers)) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)

    count = min(frames.shape[0], len(track))
    return LazyFrames((count, 3, track.resolution, track.resolution), read)


def in_frame(points: Tensor, track: FaceTrack) -> Tensor:
    """Points [T, P, 2] in shares of the crop -> pixels of the frame; NaN in frames without a face."""
    count = len(points)
    pixels = points.cpu().double() * track.resolution - 0.5
    back = invert(track.matrices[:count].double())
    placed = pixels @ back[:, :, :2].transpose(1, 2) + back[:, None, :, 2]
    return placed.where(track.valid[:count, None, None], torch.nan).float()
