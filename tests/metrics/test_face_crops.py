"""Where in the frame each SyncNet looks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from eadnet.faces.face import Face
from eadnet.faces.face_track import FaceTrack
from eadnet.faces.tracking import detect_faces, track_face
from eadnet.metrics.face_crops import SYNCNET_V2, TIGHT, face_crops, in_frame, square_track, syncnet_track

BOX = np.array([100, 80, 160, 160], np.float32)  # 60 x 80, so half of the longer side is 40
POINTS = np.array([[118, 110], [142, 110], [130, 122], [120, 138], [140, 138]], np.float32)
COUNT = 8


class Here:
    def __init__(self, gone: frozenset[int] = frozenset()) -> None:
        self.gone, self.index = gone, -1

    def detect(self, frame: np.ndarray) -> list[Face]:
        self.index += 1
        return [] if self.index in self.gone else [Face(BOX, POINTS)]


def frames() -> np.ndarray:
    """The published crop of the box, 112 pixels from (74, 80) on, is white on black."""
    pictures = np.zeros((COUNT, 240, 320, 3), np.uint8)
    pictures[:, 80:192, 74:186] = 255
    return pictures


@pytest.fixture(scope="module")
def track() -> FaceTrack:
    return track_face(detect_faces(frames(), Here()), "portrait", 128)


def test_syncnet_v2_sees_the_square_of_the_published_evaluation(track: FaceTrack) -> None:
    pictures = torch.from_numpy(frames()).movedim(-1, 1)
    crops = face_crops(pictures, syncnet_track(track, "syncnet_v2"))
    assert crops.shape == (COUNT, 3, 224, 224)
    assert int(crops[0:1][..., 2:-2, 2:-2].min()) == 255
    corners = torch.tensor([[73.5, 79.5], [185.5, 191.5]], dtype=torch.float64)  # edges of the pixels
    matrix = syncnet_track(track, "syncnet_v2").matrices[0].double()
    torch.testing.assert_close(
        corners @ matrix[:, :2].T + matrix[:, 2],
        torch.tensor([[-0.5, -0.5], [223.5, 223.5]], dtype=torch.float64),
        atol=1e-3, rtol=0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("network", "framing", "side"),
    [("mini", "portrait", 128), ("stable_syncnet", "latentsync", 256), ("motion", "portrait", 256)],
)
def test_other_syncnets_have_the_framing_they_were_trained_on(
    track: FaceTrack, network: str, framing: str, side: int
) -> None:
    seen = syncnet_track(track, network)
    assert (seen.framing, seen.resolution) == (framing, side)
    followed = track_face(detect_faces(frames(), Here()), framing, side)
    torch.testing.assert_close(seen.matrices, followed.matrices)


def test_one_wrong_box_does_not_move_the_square(track: FaceTrack) -> None:
    boxes = track.boxes.clone()
    boxes[3] += 50
    seen = square_track(replace(track, boxes=boxes), TIGHT)
    torch.testing.assert_close(seen.matrices[3], seen.matrices[0])


def test_points_go_back_into_the_frame_and_there_are_none_without_a_face() -> None:
    gone = frozenset(range(1, COUNT))
    track = square_track(
        track_face(detect_faces(frames(), Here(gone)), "portrait", 128, patience=2), SYNCNET_V2
    )
    points = in_frame(torch.tensor([[[0.0, 0.0], [0.5, 1.0]]]).repeat(COUNT, 1, 1), track)
    torch.testing.assert_close(points[0], torch.tensor([[73.5, 79.5], [129.5, 191.5]]), atol=1e-3, rtol=0)
    assert points[-1].isnan().all()
