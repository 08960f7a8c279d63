"""The part of the latents that training works on."""

from __future__ import annotations

import pytest
import torch

from eadnet.faces.masks import REGIONS, mask_image
from eadnet.training.block import Block


@pytest.mark.parametrize("region", REGIONS)
def test_the_block_holds_every_latent_site_that_is_generated(region):
    picture = mask_image(region, 128)
    block = Block.around(picture)
    sites = torch.nn.functional.avg_pool2d(picture, 8)[0]
    outside = sites.clone()
    outside[block.top : block.top + block.side, block.left : block.left + block.side] = 0
    assert outside.max() <= 0.2
    assert block.side % 4 == 0


def test_the_face_needs_about_half_of_the_sites():
    assert Block.around(mask_image("face", 128)) == Block(top=4, left=2, side=12)


def test_a_block_never_leaves_the_picture():
    picture = torch.zeros(1, 128, 128)
    picture[:, -8:, -8:] = 1
    assert Block.around(picture) == Block(top=12, left=12, side=4)
    assert Block.around(torch.ones(1, 128, 128)) == Block(top=0, left=0, side=16)


def test_cutting_takes_the_block_once():
    block = Block(top=4, left=2, side=12)
    latents = torch.arange(256.0).view(1, 16, 16)
    cut = block.cut(latents)
    assert cut.shape == (1, 12, 12) and cut[0, 0, 0] == latents[0, 4, 2]
    assert block.cut(cut) is cut
