"""Masks: what is generated, what stays, and which of the two the U-Net is given."""

from __future__ import annotations

import pytest
import torch

from eadnet.errors import InputError
from eadnet.faces.masks import (
    REGIONS,
    composite,
    feathered,
    keep_mask,
    latent_mask,
    mask_image,
    masked_picture,
)


@pytest.mark.parametrize("resolution", [64, 128, 256, 512])
@pytest.mark.parametrize("region", REGIONS)
def test_regions_are_symmetric_and_hold_the_mouth_but_not_the_border(region: str, resolution: int) -> None:
    mask = mask_image(region, resolution)
    assert mask.shape == (1, resolution, resolution) and mask.dtype == torch.float32
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(mask, mask.flip(-1))
    assert mask[0, int(0.76 * resolution), resolution // 2] == 1
    border = torch.cat([mask[0, 0], mask[0, -1], mask[0, :, 0], mask[0, :, -1]])
    assert border.sum() == 0


def holds(region: str, x: float, y: float) -> bool:
    return bool(mask_image(region, 256)[0, int(y * 256), int(x * 256)])


def test_each_region_reaches_as_far_up_as_it_should() -> None:
    brow, cheek, nose = (0.38, 0.33), (0.25, 0.45), (0.5, 0.45)
    assert holds("face", *brow) and not holds("lower_face", *brow) and not holds("mouth", *brow)
    assert holds("face", *cheek) and holds("lower_face", *cheek) and not holds("mouth", *cheek)
    assert not holds("lower_face", *nose), "the bridge of the nose stays between the cheeks"


@pytest.mark.parametrize(("region", "share"), [("face", 0.40), ("lower_face", 0.406), ("mouth", 0.128)])
def test_a_region_covers_the_same_share_at_every_resolution(region: str, share: float) -> None:
    for resolution in (64, 128, 512):
        assert mask_image(region, resolution).mean().item() == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize(("region", "resolution"), [("nose", 128), ("", 128), ("face", 4), ("face", 0)])
def test_unknown_regions_and_senseless_sizes_are_refused(region: str, resolution: int) -> None:
    with pytest.raises(InputError):
        mask_image(region, resolution)


def test_the_unet_is_given_what_to_keep_as_in_latentsync() -> None:
    region = mask_image("mouth", 64).expand(3, 1, -1, -1)
    given = latent_mask(region)
    assert given.shape == (3, 1, 8, 8)
    assert given[0, 0, 0, 0] == 1 and given[0, 0, 6, 4] == 0
    assert torch.equal(given, torch.nn.functional.interpolate(keep_mask(region), size=(8, 8)))


def test_hidden_pixels_are_mid_grey_and_the_rest_is_untouched() -> None:
    picture = torch.rand(2, 3, 64, 64) * 2 - 1
    region = mask_image("face", 64)
    hidden = masked_picture(picture, region)
    inside = region.expand_as(picture) == 1
    assert (hidden[inside] == 0).all() and torch.equal(hidden[~inside], picture[~inside])


@pytest.mark.parametrize("radius", [0, 1, 4, 9])
def test_a_feather_softens_inwards_only(radius: int) -> None:
    region = mask_image("face", 128)
    soft = feathered(region, radius)
    assert soft.shape == region.shape
    assert (soft[region == 0] == 0).all() and soft.max() == pytest.approx(1) and soft.min() >= 0
    middle = soft[0, 77, :64]
    assert (middle.diff() >= -1e-6).all(), "it rises steadily from the edge to the middle"
    assert ((middle > 0) & (middle < 1)).sum() >= radius


def test_a_composite_leaves_pixels_outside_bit_exact() -> None:
    generated, original = torch.rand(2, 3, 64, 64), torch.rand(2, 3, 64, 64)
    weight = feathered(mask_image("mouth", 64), 2)
    result = composite(generated, original, weight)
    outside = (weight == 0).expand_as(result)
    assert torch.equal(result[outside], original[outside])
    full = (weight == 1).expand_as(result)
    torch.testing.assert_close(result[full], generated[full])
