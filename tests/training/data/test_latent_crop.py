"""The square of the latents that training works on."""

from __future__ import annotations

import pytest
import torch

from eadnet.faces.masks import REGIONS, mask_image
from eadnet.training.data.latent_crop import LatentCrop


@pytest.mark.parametrize("region", REGIONS)
def test_the_crop_holds_every_latent_site_that_is_generated(region):
    picture = mask_image(region, 128)
    crop = LatentCrop.around(picture)
    sites = torch.nn.functional.avg_pool2d(picture, 8)[0]
    outside = sites.clone()
    outside[crop.top : crop.top + crop.side, crop.left : crop.left + crop.side] = 0
    assert outside.max() <= 0.2
    assert crop.side % 4 == 0


def test_the_face_needs_about_half_of_the_sites():
    assert LatentCrop.around(mask_image("face", 128)) == LatentCrop(top=4, left=2, side=12)


def test_a_crop_never_leaves_the_picture():
    picture = torch.zeros(1, 128, 128)
    picture[:, -8:, -8:] = 1
    assert LatentCrop.around(picture) == LatentCrop(top=12, left=12, side=4)
    assert LatentCrop.around(torch.ones(1, 128, 128)) == LatentCrop(top=0, left=0, side=16)


def test_cropping_twice_is_cropping_once():
    crop = LatentCrop(top=4, left=2, side=12)
    latents = torch.arange(256.0).view(1, 16, 16)
    cropped = crop.crop(latents)
    assert cropped.shape == (1, 12, 12) and cropped[0, 0, 0] == latents[0, 4, 2]
    assert crop.crop(cropped) is cropped
