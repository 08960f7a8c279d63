"""The mini autoencoder: f = 8, four channels, latents normalised by statistics stored with the weights."""

from __future__ import annotations

import pytest
import torch

from eadnet.errors import InputError
from eadnet.modules.autoencoder import MiniAutoencoder, ResidualBlock


@pytest.fixture
def model() -> MiniAutoencoder:
    torch.manual_seed(0)
    return MiniAutoencoder(encoder_width=16, encoder_blocks=1, decoder_widths=(16, 8, 8))


@pytest.mark.parametrize(("height", "width"), [(8, 8), (64, 64), (128, 40)])
def test_latents_have_an_eighth_of_the_sides_and_decode_to_the_size_they_came_from(model, height, width):
    latents = model.encode(torch.zeros(2, 3, height, width))
    assert latents.shape == (2, 4, height // 8, width // 8)
    assert model.decode(latents).shape == (2, 3, height, width)


def test_a_side_that_is_not_a_multiple_of_eight_is_refused_with_both_sides_named(model):
    with pytest.raises(InputError, match="60 x 64"):
        model.encode(torch.zeros(1, 3, 64, 60))


def test_the_statistics_shift_and_scale_the_latents_and_decoding_undoes_them(model):
    pictures = torch.rand(2, 3, 16, 16) * 2 - 1
    plain, decoded = model.encode(pictures), model(pictures)
    model.latent_mean.fill_(0.5)
    model.latent_std.fill_(2.0)
    torch.testing.assert_close(model.encode(pictures), (plain - 0.5) / 2)
    torch.testing.assert_close(model(pictures), decoded)


def test_a_new_residual_block_is_an_identity():
    x = torch.randn(1, 8, 4, 4)
    assert torch.equal(ResidualBlock(8)(x), x)


def test_the_configuration_rebuilds_the_same_network(model):
    again = MiniAutoencoder.from_config(model.config)
    again.load_state_dict(model.state_dict())
    x = torch.rand(1, 3, 16, 16)
    assert torch.equal(again(x), model(x))
