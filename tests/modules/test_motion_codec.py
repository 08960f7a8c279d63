"""A map of the face holds every facial parameter where it belongs, and gives it back exactly."""

from __future__ import annotations

import pytest
import torch

from eadnet.errors import InputError
from eadnet.modules.motion_codec import CELLS, COLUMNS, MotionCodec
from eadnet.rig.expression import INDEX, PARAMETERS, RANGES
from eadnet.rig.track import GROUPS


def codec() -> MotionCodec:
    low, high = RANGES.T.tolist()
    made = MotionCodec(PARAMETERS, low, high)
    made.standardise(any_faces(400))
    return made


def any_faces(count: int) -> torch.Tensor:
    low, high = torch.from_numpy(RANGES).unbind(1)
    return low + (high - low) * torch.rand(count, len(PARAMETERS), generator=torch.Generator().manual_seed(1))


def test_there_and_back_is_exact_for_any_face_in_range() -> None:
    faces = any_faces(50).view(5, 10, -1)
    maps = codec().encode(faces)
    assert maps.shape == (5, 10, 4, 8, 4)
    assert torch.allclose(codec().decode(maps), faces, atol=1e-5)


def test_maps_of_typical_faces_have_unit_variance() -> None:
    maps = codec().encode(any_faces(4000))
    assert torch.allclose(maps.std(0), torch.ones(4, 8, 4), atol=0.08)


def test_what_is_out_of_range_is_clamped() -> None:
    low, high = torch.from_numpy(RANGES).unbind(1)
    far = codec().decode(torch.full((2, 4, 8, 4), 100.0) * torch.tensor([1.0, -1.0])[:, None, None, None])
    assert torch.equal(far[0], high) and torch.equal(far[1], low)


def test_errors_of_a_cell_are_shared_by_all_cells_of_its_parameter() -> None:
    maps = codec().encode(torch.zeros(1, len(PARAMETERS)))
    maps[0, 0, 6, 0] += 12  # one of the jaw's twelve cells
    moved = codec().standardised(maps) - codec().standardised(codec().encode(torch.zeros(1, len(PARAMETERS))))
    assert moved[0, INDEX["jaw_open"]] == pytest.approx(1.0, abs=1e-4)
    assert moved.abs().sum() == pytest.approx(1.0, abs=1e-3)


def test_sides_lie_on_their_sides_and_every_parameter_has_a_place() -> None:
    face = torch.zeros(1, len(PARAMETERS))
    rest = codec().encode(face)
    for name in PARAMETERS:
        other = face.clone()
        other[0, INDEX[name]] = 0.01
        columns = (codec().encode(other) != rest).any(0).any(0).any(0).nonzero().flatten().tolist()
        if name.endswith("_l"):  # the person's left is the picture's right
            assert columns and min(columns) >= COLUMNS // 2, name
        elif name.endswith("_r"):
            assert columns and max(columns) < COLUMNS // 2, name
        else:
            assert columns, name
    assert len(CELLS) == 8 and all(len(row) == 4 for row in CELLS)


@pytest.mark.parametrize(
    ("names", "rows"),
    [(GROUPS["head"], [7]), (GROUPS["gaze"], [2]), (GROUPS["mouth"], [4, 5, 6]), (GROUPS["brows"], [0])],
)
def test_groups_are_kept_by_rows(names: tuple[str, ...], rows: list[int]) -> None:
    mask = codec().keep_mask(names)
    assert mask.shape == (1, 8, 4)
    assert mask[0].amin(1).nonzero().flatten().tolist() == rows and mask.sum() == 4 * len(rows)


def test_a_place_that_holds_more_is_kept_with_all_of_it_only() -> None:
    assert codec().keep_mask(["blink_l", "blink_r"]).sum() == 0
    assert codec().keep_mask(PARAMETERS).sum() == 32


def test_mistakes_are_named() -> None:
    with pytest.raises(InputError, match="did you mean jaw_open"):
        codec().keep_mask(["jaw_opn"])
    with pytest.raises(InputError, match="all of the map's: jaw_open"):
        MotionCodec([name for name in PARAMETERS if name != "jaw_open"], [0.0] * 38, [1.0] * 38)
