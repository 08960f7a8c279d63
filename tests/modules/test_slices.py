"""Every video frame hears the ten feature rows LatentSync gives it."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch

from eadnet.errors import InputError
from eadnet.modules.slices import frame_rows, rows_needed, slice_features
from tests.golden_weights import load_golden

PUBLISHED = [(fps, rows) for fps, table in load_golden("whisper_slices.json").items() for rows in table]


@pytest.mark.parametrize(("fps", "rows"), PUBLISHED)
def test_rows_equal_the_published_ones(fps: str, rows: str) -> None:
    reference = torch.tensor(load_golden("whisper_slices.json")[fps][rows])
    assert torch.equal(frame_rows(int(rows), int(fps), len(reference)), reference)


@pytest.mark.parametrize("fps", [1, 10, 12.5, 23.976, Fraction(30000, 1001), 50, 60, 120])
def test_at_any_rate_rows_follow_the_clock(fps: float) -> None:
    rows = frame_rows(10_000, fps, 100)
    for frame in (0, 17, 99):
        assert int(rows[frame, 4]) == int(frame * 50 / float(fps))
    assert rows.min() == 0 and (rows.diff(dim=0) >= 0).all()


def test_frames_count_from_the_first_one_given() -> None:
    whole = frame_rows(200, 25, 60)
    assert torch.equal(frame_rows(200, 25, 16, first_frame=30), whole[30:46])
    several = frame_rows(200, 25, 16, first_frame=torch.tensor([0, 30]))
    assert torch.equal(several, torch.stack([whole[:16], whole[30:46]]))


@pytest.mark.parametrize("fps", [24, 25, 29.97, 60])
def test_with_enough_rows_the_last_frame_is_not_clamped(fps: float) -> None:
    enough = rows_needed(fps, 16, first_frame=9)
    assert int(frame_rows(enough, fps, 16, first_frame=9)[-1, -1]) == enough - 1
    assert torch.equal(frame_rows(enough, fps, 16, 9)[-1].diff(), torch.ones(9, dtype=torch.long))


def test_features_are_row_major_and_layers_stay_together() -> None:
    rows = torch.arange(20 * 5 * 3, dtype=torch.float32).reshape(20, 5, 3)
    sliced = slice_features(rows, 25, 4)
    assert sliced.shape == (4, 50, 3)
    assert torch.equal(sliced[3], rows[2:12].reshape(50, 3))


def test_clips_of_a_batch_may_start_at_different_frames() -> None:
    rows = torch.randn(3, 100, 2, 4)
    sliced = slice_features(rows, 25, 8, first_frame=torch.tensor([0, 5, 40]))
    for clip, first in enumerate((0, 5, 40)):
        assert torch.equal(sliced[clip], slice_features(rows[clip], 25, 8, first_frame=first))
    assert torch.equal(slice_features(rows, 25, 8)[1], slice_features(rows[1], 25, 8))


def test_slicing_passes_gradients_to_the_rows_it_reads_and_to_no_others() -> None:
    rows = torch.randn(40, 1, 4, requires_grad=True)
    slice_features(rows, 25, 2, first_frame=5).sum().backward()
    assert rows.grad is not None
    assert rows.grad[:, 0, 0].nonzero().flatten().tolist() == list(range(6, 18))


def test_no_frames_is_no_error() -> None:
    assert slice_features(torch.randn(10, 5, 4), 25, 0).shape == (0, 50, 4)


@pytest.mark.parametrize(
    ("rows", "fps"), [(0, 25), (10, 0), (10, -1), (10, float("nan")), (10, float("inf"))]
)
def test_impossible_numbers_are_refused(rows: int, fps: float) -> None:
    with pytest.raises(InputError):
        frame_rows(rows, fps, 1)
