"""LatentSync's face alignment, digit by digit."""

from __future__ import annotations

import math

import pytest
import torch

from eadnet.errors import InputError
from eadnet.faces.affine import align, align_track, crop_size, invert, template
from tests.golden_weights import load_golden


def moved(points: torch.Tensor, degrees: float, scale: float, shift: tuple[float, float]) -> torch.Tensor:
    angle = math.radians(degrees)
    rotation = torch.tensor(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]], dtype=points.dtype
    )
    return scale * points @ rotation.T + torch.tensor(shift, dtype=points.dtype)


def applied(matrix: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    return points @ matrix[:, :2].T + matrix[:, 2]


def test_matrices_of_a_track_equal_the_published_ones() -> None:
    golden = load_golden("face_affine.safetensors")
    matrices, _ = align_track(golden["points"], 256)
    error = (matrices - golden["matrices"]).norm() / golden["matrices"].norm()
    assert float(error) < 1e-5
    assert crop_size(256) == tuple(golden["face_size"].tolist())
    torch.testing.assert_close(template(256).float(), golden["template"])


def test_a_track_may_come_in_parts() -> None:
    points = load_golden("face_affine.safetensors")["points"]
    whole, _ = align_track(points)
    first, correction = align_track(points[:5])
    second, _ = align_track(points[5:], correction=correction)
    assert torch.equal(torch.cat([first, second]), whole)


@pytest.mark.parametrize("degrees", [-90, -20, 0, 45, 180])
def test_a_turned_scaled_and_shifted_face_lands_on_the_template(degrees: float) -> None:
    points = moved(template(), degrees, 1.7, (31.0, -12.0))
    matrix, _ = align(points, template(), smooth=False)
    torch.testing.assert_close(applied(matrix, points), template())
    smoothed, _ = align(points, template())
    assert (applied(smoothed, points) - template()).abs().max() < 3.0


def test_a_mirrored_face_is_not_mirrored_back() -> None:
    mirrored = template() * torch.tensor([-1.0, 1.0], dtype=torch.float64)
    matrix, _ = align(mirrored, template(), smooth=False)
    assert torch.linalg.det(matrix[:, :2]) > 0


def test_the_crop_grows_with_the_resolution() -> None:
    assert crop_size(512) == (420, 560)
    torch.testing.assert_close(template(512), 2 * template(256))


def test_the_inverse_leads_back() -> None:
    matrices, _ = align_track(load_golden("face_affine.safetensors")["points"])
    points = torch.rand(12, 5, 2) * 200
    there = points @ matrices[..., :2].transpose(1, 2) + matrices[..., 2][:, None]
    back = invert(matrices)
    torch.testing.assert_close(
        there @ back[..., :2].transpose(1, 2) + back[..., 2][:, None], points, atol=1e-2, rtol=0
    )


@pytest.mark.parametrize(
    "points",
    [torch.ones(1, 3, 2), torch.full((1, 3, 2), math.nan), torch.zeros(3, 2), torch.zeros(1, 5, 2)],
)
def test_points_that_are_no_face_are_refused(points: torch.Tensor) -> None:
    with pytest.raises(InputError):
        align_track(points)


def test_no_frames_is_no_error() -> None:
    assert align_track(torch.zeros(0, 3, 2))[0].shape == (0, 2, 3)
