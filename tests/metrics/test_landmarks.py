from __future__ import annotations

import pytest
import torch

from eadnet.errors import InputError
from eadnet.metrics.landmarks import MOUTH_68, landmark_distance


@pytest.fixture
def points() -> torch.Tensor:
    return 100 * torch.rand(6, 68, 2, generator=torch.Generator().manual_seed(0))


def test_distances_are_shares_of_the_faces_diagonal():
    face = torch.tensor([[[0.0, 0.0], [30.0, 0.0], [0.0, 40.0]]])
    moved = face.clone()
    moved[0, 0, 0] = 15.0
    assert float(landmark_distance(moved, face, aligned=False)) == pytest.approx(15 / 3 / 50)


def test_a_moved_head_does_not_count_unless_asked(points):
    assert float(landmark_distance(points + 7, points).max()) < 1e-6
    assert float(landmark_distance(points + 7, points, aligned=False).min()) > 0.01


def test_the_mouth_alone(points):
    changed = points.clone()
    changed[:, 0] += 50
    assert float(landmark_distance(changed, points, MOUTH_68).max()) < 1e-6
    assert float(landmark_distance(changed, points).min()) > 0


def test_more_disturbance_is_farther_and_scale_does_not_matter(points):
    noise = torch.randn(points.shape, generator=torch.Generator().manual_seed(1))
    values = [float(landmark_distance(points + s * noise, points).mean()) for s in (0.5, 2, 8)]
    assert values == sorted(values) and values[0] > 0
    torch.testing.assert_close(
        landmark_distance(3 * points + 3 * noise, 3 * points), landmark_distance(points + noise, points)
    )


def test_frames_without_a_face_are_left_out_not_guessed(points):
    lost = points.clone()
    lost[2] = float("nan")
    assert landmark_distance(lost, points).isnan().tolist() == [False, False, True, False, False, False]
    valid = torch.tensor([True, False, True, True, True, True])
    assert landmark_distance(points, points, valid=valid).isnan().tolist() == [False, True] + [False] * 4
    assert landmark_distance(torch.zeros(2, 5, 2), torch.zeros(2, 5, 2)).isnan().all()


def test_what_is_no_pair_of_faces_is_refused(points):
    with pytest.raises(InputError, match="one detector"):
        landmark_distance(points, points[:, :5])
    with pytest.raises(InputError, match="frames, points"):
        landmark_distance(points[0], points[0])
