"""The detail of a generated mouth reaches the frame: it is the crop that limits it, not putting it back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eadnet.faces.detectors.manual import ManualDetector, parse_face
from eadnet.faces.face_track import FaceTrack
from eadnet.faces.masks import mask_image
from eadnet.faces.tracking import detect_faces, track_face

SIDE = 512


@pytest.fixture(scope="module")
def track() -> FaceTrack:
    """A face that is about as large in its frame as a crop of 512 pixels."""
    blank = np.zeros((720, 720, 3), np.uint8)
    face = ManualDetector(parse_face("180, 150, 540, 620"))
    return track_face(detect_faces([blank], face), "latentsync", SIDE)


def teeth(side: int) -> torch.Tensor:
    """A crop [1, 3, side, side] of vertical lines four pixels of 512 wide, as sharp as its size allows."""
    fine = (torch.arange(SIDE) // 4 % 2 * 2.0 - 1) * 0.6
    crop = fine.expand(1, 3, SIDE, SIDE)
    return torch.nn.functional.interpolate(crop, (side, side), mode="bilinear", antialias=True)


def contrast(picture: torch.Tensor, track: FaceTrack) -> float:
    """Deviation of the lines in the middle of the mouth."""
    back = track.crop(picture, [0], SIDE)[0, 0]
    return float(back[380:400, 220:290].std())


def test_lines_of_a_large_crop_stay_and_those_of_a_small_one_are_lost_before(track: FaceTrack) -> None:
    frame = torch.full((1, 720, 720, 3), 0.5)
    kept = {
        side: contrast(track.paste(frame, teeth(side), [0], "mouth"), track) / float(teeth(SIDE).std())
        for side in (512, 256, 128)
    }
    assert kept[512] > 0.75 > 0.7 > kept[256] > kept[128] and kept[128] < 0.2, kept


def test_only_the_mouth_changes(track: FaceTrack) -> None:
    frame = torch.rand(1, 720, 720, 3, generator=torch.Generator().manual_seed(0))
    done = track.paste(frame, teeth(512), [0], "mouth")
    changed = (done != frame).any(-1)[0]
    inside = track.paste(torch.zeros_like(frame), torch.ones(1, 3, 512, 512), [0], "mouth")[0, ..., 0] > 0
    face = track.paste(torch.zeros_like(frame), torch.ones(1, 3, 512, 512), [0], "face")[0, ..., 0] > 0
    assert torch.equal(changed, inside) and mask_image("mouth", 512).mean() < mask_image("face", 512).mean()
    assert inside.sum() < face.sum()
