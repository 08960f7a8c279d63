"""Heads that turn away: how far, and what is left of the generated face."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eadnet.faces.detectors.manual import ManualDetector, face_at_points
from eadnet.faces.face_track import FaceTrack
from eadnet.faces.tracking import detect_faces, track_face
from eadnet.faces.turned import shown, turn
from tests.faces.test_points import FIVE, seen

SIDE = 400


def points(yaw: float, pitch: float = 0, roll: float = 0) -> torch.Tensor:
    return torch.from_numpy(seen(FIVE, yaw, pitch, roll))[None].float()


@pytest.mark.parametrize("yaw", [0, 15, -30, 45, -60, 75, 90])
@pytest.mark.parametrize("roll", [0, 90, -170])
def test_the_angle_is_that_of_the_canonical_face(yaw: float, roll: float) -> None:
    assert float(turn(points(yaw, 0, roll))) == pytest.approx(abs(np.sin(np.deg2rad(yaw))), abs=0.02)


@pytest.mark.parametrize("pitch", [-25, 25])
def test_a_nod_is_no_turn(pitch: float) -> None:
    assert float(turn(points(0, pitch))) < 0.02
    assert float(shown(points(30, pitch))) == 1


def test_it_fades_between_50_and_75_degrees() -> None:
    shares = [float(shown(points(yaw))) for yaw in range(0, 95, 5)]
    assert shares[:10] == [1.0] * 10 and shares[16:] == [0.0] * 3
    assert shares == sorted(shares, reverse=True) and 0.2 < float(shown(points(63))) < 0.8


def test_points_that_coincide_turn_nothing() -> None:
    assert float(turn(torch.zeros(1, 5, 2))) == 0


def track(yaw: float) -> FaceTrack:
    frame = np.zeros((SIDE, SIDE, 3), np.uint8)
    detector = ManualDetector(face_at_points(seen(FIVE, yaw, 0, 0).astype(np.float32)))
    return track_face(detect_faces([frame], detector), "latentsync", 64)


def pasted(yaw: float) -> torch.Tensor:
    frames = torch.full((1, SIDE, SIDE, 3), 100, dtype=torch.uint8)
    return track(yaw).paste(frames, torch.ones(1, 3, 64, 64), [0])


def test_a_face_in_full_view_is_put_back_and_a_profile_is_left_as_filmed() -> None:
    most = {yaw: int(pasted(yaw).max()) for yaw in (0, 45, 63, 85)}
    assert most[0] == most[45] == 255
    assert 110 < most[63] < 245
    assert (pasted(85) == 100).all()
