"""The pictures that rigs are built on: stills, and the calmest frame of clips, cropped around the face."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from eadnet.errors import InputError
from eadnet.faces.landmarker import FaceLandmarker, LandmarkedFace
from eadnet.media.images import read_image
from eadnet.media.video import read_frames

SIDE = 512
WIDTH = 3.4  # of the crop, in eye distances
_CLIPS = (".mp4", ".mpg")
_EVERY, _FRAMES = 4, 60


@dataclass(frozen=True, eq=False)
class Still:
    """A square picture uint8 [512, 512, 3] with its mesh [478, 3] and blend shapes."""

    name: str
    picture: Tensor
    points: Tensor
    shapes: Mapping[str, float]


def stills(media: Path, landmarker: FaceLandmarker) -> Iterator[Still]:
    """Every portrait, talking person and virtual person, and the neutral clips of the acted ones."""
    files = [
        *sorted((media / "portraits").glob("*.*")),
        *sorted((media / "talking").glob("*.m*")),
        *sorted((media / "emotion").glob("*_neutral.mp4")),
        *sorted((media / "virtual").glob("*.mp4")),
    ]
    if not files:
        raise InputError(f"There are no recordings in {media}: choose the folder that holds portraits.")
    for path in files:
        found = _calmest(path, landmarker)
        if found is not None:
            picture, face = found
            cropped, _ = crop(picture, torch.as_tensor(face.points))
            again = landmarker.detect(cropped.numpy())
            if again:
                points = torch.as_tensor(again[0].points).float()
                yield Still(f"{path.parent.name}/{path.stem}", cropped, points, again[0].blendshapes)


def _calmest(path: Path, landmarker: FaceLandmarker) -> tuple[Tensor, LandmarkedFace] | None:
    if path.suffix not in _CLIPS:
        pictures = [(read_image(path)[..., :3] * 255).round().to(torch.uint8)]
    else:
        frames = islice(read_frames(path), 0, _EVERY * _FRAMES, _EVERY)
        pictures = [torch.from_numpy(frame) for frame in frames]
    found = [(picture, faces[0]) for picture in pictures if (faces := landmarker.detect(picture.numpy()))]
    return min(found, key=lambda pair: _unrest(pair[1].blendshapes)) if found else None


def _unrest(shapes: Mapping[str, float]) -> float:
    """How far a face is from looking at the camera with its mouth shut."""
    return (
        shapes["jawOpen"]
        + 0.25 * (shapes["mouthSmileLeft"] + shapes["mouthSmileRight"])
        + 0.3 * (shapes["eyeBlinkLeft"] + shapes["eyeBlinkRight"])
        + 0.3 * shapes["mouthPucker"]
        + 0.5 * shapes["mouthUpperUpLeft"]
    )


def crop(picture: Tensor, points: Tensor, side: int = SIDE) -> tuple[Tensor, Tensor]:
    """A square around a face, edges continued: (uint8 [side, side, 3], points in it)."""
    eyes = torch.stack([points[[33, 133], :2].mean(0), points[[362, 263], :2].mean(0)])
    apart = max(float((eyes[0] - eyes[1]).norm()), float((points[10, :2] - points[152, :2]).norm()) / 2.1)
    centre = eyes.mean(0) + torch.tensor([0.0, 0.35 * apart])
    span = max(8, round(WIDTH * apart))
    left, top = (round(float(value) - span / 2) for value in centre)
    height, width = picture.shape[:2]
    room = (max(0, -left), max(0, left + span - width), max(0, -top), max(0, top + span - height))
    planes = F.pad(picture.permute(2, 0, 1)[None].float(), room, mode="replicate")
    x, y = left + room[0], top + room[2]
    square = planes[:, :, y : y + span, x : x + span]
    resized = F.interpolate(square, (side, side), mode="bicubic", antialias=True, align_corners=False)
    factor = side / span
    moved = points.clone()
    moved[:, :2] = (points[:, :2] - torch.tensor([left, top]) + 0.5) * factor - 0.5
    moved[:, 2] *= factor
    return resized[0].permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8), moved


def face_crop(picture: Tensor, points: Tensor, side: int = 112) -> Tensor:
    """What a reader of expressions sees: a square around the mesh, [3, side, side] in 0..1."""
    low, high = points[:468, :2].amin(0), points[:468, :2].amax(0)
    middle, span = (low + high) / 2, int(0.95 * float((high - low).max()))
    left, top = (int(value) for value in (middle - span / 2).floor())
    room = max(0, -left, -top, left + span - picture.shape[1], top + span - picture.shape[0])
    planes = F.pad(picture.permute(2, 0, 1)[None].float(), (room,) * 4, mode="replicate")
    square = planes[:, :, top + room : top + room + span, left + room : left + room + span]
    return F.interpolate(square, (side, side), mode="bilinear", antialias=True, align_corners=False)[0] / 255
