"""Crops out of frames and back: in the right place, without aliasing, and nothing else is touched."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from eadnet.errors import InputError
from eadnet.faces.affine import invert
from eadnet.faces.face_track import FaceTrack
from eadnet.faces.masks import REGIONS, mask_image
from eadnet.faces.resample import sample


def track(matrices: list[list[list[float]]], size: tuple[int, int], resolution: int = 64) -> FaceTrack:
    count = len(matrices)
    return FaceTrack(
        size=size,
        framing="portrait",
        resolution=resolution,
        matrices=torch.tensor(matrices),
        valid=torch.ones(count, dtype=torch.bool),
        found=torch.ones(count, dtype=torch.bool),
        points=torch.zeros(count, 5, 2),
        boxes=torch.zeros(count, 4),
        scores=torch.ones(count),
    )


def turned(degrees: float, scale: float, x: float, y: float) -> list[list[float]]:
    c, s = scale * math.cos(math.radians(degrees)), scale * math.sin(math.radians(degrees))
    return [[c, -s, x], [s, c, y]]


def smooth_picture(count: int, height: int, width: int) -> Tensor:
    """Frames [count, H, W, 3] in [0, 1] of slow waves, another in every channel and frame."""
    y, x = torch.meshgrid(torch.linspace(0, 9, height), torch.linspace(0, 9, width), indexing="ij")
    waves = [[x.sin() * (y + t).cos(), (x + y + t).sin(), (x - t).cos()] for t in range(count)]
    return torch.stack([torch.stack(channels, -1) for channels in waves]) * 0.4 + 0.5


PLACES = [turned(0, 1.0, -40.0, -30.0), turned(25, 0.8, -10.0, -40.0), turned(-70, 1.6, 0.0, 120.0)]


def test_a_shift_by_whole_pixels_copies_them() -> None:
    frames = torch.rand(1, 100, 120, 3)
    crop = track([turned(0, 1.0, -40.0, -30.0)], (100, 120)).crop(frames, [0])
    torch.testing.assert_close(
        crop[0].permute(1, 2, 0) / 2 + 0.5, frames[0, 30:94, 40:104], atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("place", PLACES)
def test_a_point_of_the_frame_lies_where_the_matrix_says(place: list[list[float]]) -> None:
    frames = smooth_picture(1, 130, 140)
    crop = track([place], (130, 140)).crop(frames, [0]) / 2 + 0.5
    matrix = torch.tensor(place)
    for point in ((60.0, 60.0), (70.0, 75.0)):
        x, y = (matrix[:, :2] @ torch.tensor(point) + matrix[:, 2]).round().int().tolist()
        if 0 <= x < 64 and 0 <= y < 64:
            there = frames[0, int(point[1]), int(point[0])]
            assert (crop[0, :, y, x] - there).abs().max() < 0.08


def test_crops_of_another_size_show_the_same() -> None:
    frames, one = smooth_picture(1, 130, 140), track([PLACES[1]], (130, 140))
    large = torch.nn.functional.avg_pool2d(one.crop(frames, [0], 128), 2)
    assert (one.crop(frames, [0]) - large).abs().max() < 0.02


@pytest.mark.parametrize(("scale", "left"), [(0.1, 0.01), (0.5, 0.02), (0.55, 0.05)])
def test_shrinking_is_antialiased(scale: float, left: float) -> None:
    stripes = (torch.arange(640) % 2).float()[None, None, :, None].expand(1, 640, 640, 3)
    crop = track([turned(0, scale, 0.0, 0.0)], (640, 640)).crop(stripes, [0])
    inner = crop[..., 2:-2, 2:-2]  # beyond the frame its edge is repeated
    assert inner.abs().max() < left, "one pixel wide stripes become mid grey, not a moire"


def test_part_of_a_crop_is_the_same_as_in_the_whole() -> None:
    frames, matrices = smooth_picture(2, 130, 140), torch.tensor(PLACES[:2])
    back = invert(matrices.double())
    pictures = frames[:2].permute(0, 3, 1, 2)
    whole = sample(pictures, back, (64, 64))
    torch.testing.assert_close(sample(pictures, back, (64, 64), every=5), whole[..., ::5, ::5])


def test_beyond_the_frame_is_mid_grey() -> None:
    one = track([turned(0, 1.0, 32.0, 0.0)], (64, 64))
    crop = one.crop(torch.ones(1, 64, 64, 3), [0])
    assert crop[..., :29].abs().max() == 0 and crop[..., 33:].min() > 0.999


def test_a_face_beside_the_frame_is_grey_and_changes_nothing() -> None:
    one, frames = track([turned(0, 1.0, 999.0, 0.0)], (64, 64)), torch.rand(1, 64, 64, 3)
    crop = one.crop(frames, [0])
    assert not crop.any()
    assert torch.equal(one.paste(frames, crop, [0]), frames)


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("kind", ["bytes", "floats", "half"])
def test_only_the_region_changes(region: str, kind: str) -> None:
    frames = torch.rand(3, 130, 140, 3)
    frames = {"bytes": (frames * 255).to(torch.uint8), "floats": frames, "half": frames.half()}[kind]
    three = track(PLACES, (130, 140))
    result = three.paste(frames, torch.ones(3, 3, 64, 64), range(3), region, colour_match=1.0)
    assert result.dtype == frames.dtype and result.shape == frames.shape
    edge = torch.nn.functional.max_pool2d(mask_image(region, 64)[None], 5, 1, 2)
    for index, place in enumerate(PLACES):
        matrix = torch.tensor(place)
        y, x = torch.meshgrid(torch.arange(130.0), torch.arange(140.0), indexing="ij")
        at = torch.stack([x, y], -1) @ matrix[:, :2].T + matrix[:, 2]
        spot = at.round().long()
        inside = ((spot >= 0) & (spot < 64)).all(-1)
        spot = spot.clamp(0, 63)
        outside = ~(inside & (edge[0, 0, spot[..., 1], spot[..., 0]] > 0))
        assert torch.equal(result[index][outside], frames[index][outside])
        assert not torch.equal(result[index], frames[index])


def test_a_crop_put_back_unchanged_leaves_the_frame_as_it_was() -> None:
    frames, three = smooth_picture(3, 130, 140), track(PLACES, (130, 140))
    for resolution in (64, 96):
        result = three.paste(frames, three.crop(frames, range(3), resolution), range(3), "face")
        assert (result - frames).abs().max() < 0.01


@pytest.mark.parametrize("scale", [1.6, 2.3, 3.9])
def test_noise_put_back_unchanged_is_hardly_blurred(scale: float) -> None:
    """Pixels of noise are the hardest case; a box average alone would give 22 dB."""
    frames = torch.rand(1, 80, 80, 3, generator=torch.Generator().manual_seed(0)) * 0.5 + 0.25
    one = track([turned(0, scale, -20.3 * scale, -20.7 * scale)], (80, 80), 96)
    result = one.paste(frames, one.crop(frames, [0]), [0], feather=0)
    inside = one.paste(torch.zeros_like(frames), torch.ones(1, 3, 96, 96), [0], feather=0)[0, ..., 0] == 1
    error = (result - frames)[0][inside].square().mean()
    assert -10 * error.log10() > 30


def test_frames_without_a_face_pass_untouched() -> None:
    three = track(PLACES, (130, 140))
    three.valid[1] = False
    frames = torch.rand(3, 130, 140, 3)
    result = three.paste(frames, torch.ones(3, 3, 64, 64), range(3))
    assert torch.equal(result[1], frames[1]) and three.missing() == [1]
    assert not torch.equal(result[0], frames[0]) and not torch.equal(result[2], frames[2])


def test_a_stretch_without_any_face_passes_untouched() -> None:
    """Frames are put together in pieces: one of them may have no face at all."""
    three = track(PLACES, (130, 140))
    three.valid[:] = False
    frames = torch.rand(3, 130, 140, 3)
    assert torch.equal(three.paste(frames, torch.ones(3, 3, 64, 64), range(3), colour_match=0.5), frames)


def test_frames_may_come_in_pieces_and_in_any_order() -> None:
    frames, three = torch.rand(3, 130, 140, 3), track(PLACES, (130, 140))
    whole = three.crop(frames, range(3))
    pieces = torch.cat([three.crop(frames[i : i + 1], [i]) for i in (2, 0, 1)])
    torch.testing.assert_close(pieces, whole[[2, 0, 1]], atol=1e-4, rtol=0)


def test_alpha_is_laid_on_grey_and_kept() -> None:
    one = track([PLACES[0]], (130, 140))
    frames = torch.rand(1, 130, 140, 4)
    crop = one.crop(frames, [0])
    assert crop.shape == (1, 3, 64, 64)
    result = one.paste(frames, torch.ones(1, 3, 64, 64), [0])
    assert torch.equal(result[..., 3], frames[..., 3]) and not torch.equal(result, frames)


def test_numpy_frames_are_taken() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (1, 130, 140, 3), dtype=np.uint8)
    one = track([PLACES[0]], (130, 140))
    result = one.paste(frames, one.crop(frames, [0]), [0])
    assert result.dtype == torch.uint8


def test_a_mask_of_the_frame_becomes_a_region_of_the_crop() -> None:
    mask = torch.zeros(1, 100, 120)
    mask[:, 50:60, 60:80] = 1
    one = track([turned(0, 1.0, -40.0, -30.0)], (100, 120))
    region = one.crop_mask(mask, [0])
    assert region.shape == (1, 1, 64, 64) and region.sum().item() == pytest.approx(200)
    assert region[0, 0, 20:30, 20:40].min() > 0.999
    result = one.paste(torch.zeros(1, 100, 120, 3), torch.ones(1, 3, 64, 64), [0], region, feather=0)
    torch.testing.assert_close(result[..., 0], mask, atol=1e-3, rtol=0)
    assert (result[..., 0] > 0).sum() == 200


def test_frames_of_another_video_are_refused() -> None:
    one = track([PLACES[0]], (130, 140))
    with pytest.raises(InputError, match="140 x 130 pixels"):
        one.crop(torch.rand(1, 64, 64, 3), [0])
    with pytest.raises(InputError, match="track has 1 frames, and frame 5"):
        one.crop(torch.rand(1, 130, 140, 3), [5])
    with pytest.raises(InputError, match="There are 2 faces and 1 frames"):
        one.paste(torch.rand(1, 130, 140, 3), torch.zeros(2, 3, 64, 64), [0])
