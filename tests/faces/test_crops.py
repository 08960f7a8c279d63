"""From any picture to the model's square crop and back."""

from __future__ import annotations

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from eadnet.errors import InputError
from eadnet.faces.crops import centre_square, prepare_portrait, to_pictures


@given(size=st.tuples(st.integers(1, 200), st.integers(1, 200)), channels=st.integers(1, 4))
@example((1, 1), 1)
@example((1, 500), 3)
@example((7, 5), 2)
@example((64, 64), 4)
@example((333, 127), 4)
def test_any_picture_becomes_a_crop(size: tuple[int, int], channels: int) -> None:
    crop = prepare_portrait(torch.rand(2, *size, channels), 64)
    assert crop.shape == (2, 3, 64, 64) and crop.dtype == torch.float32 and crop.is_contiguous()
    assert crop.min() >= -1 and crop.max() <= 1


@pytest.mark.slow
def test_large_pictures_are_scaled_down_without_aliasing() -> None:
    stripes = (torch.arange(4000) % 2).float()[None, None, :, None].expand(1, 4000, 4000, 3)
    crop = prepare_portrait(stripes, 128)
    assert crop.abs().max() < 0.05, "one pixel wide stripes become mid grey, not a moire"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_every_float_type_is_taken(dtype: torch.dtype) -> None:
    assert prepare_portrait(torch.full((1, 9, 9, 3), 0.75, dtype=dtype), 16).mean().item() == pytest.approx(
        0.5
    )


def test_transparency_is_laid_on_grey() -> None:
    image = torch.ones(1, 16, 16, 4)
    image[..., 3] = 0
    torch.testing.assert_close(prepare_portrait(image, 16), torch.zeros(1, 3, 16, 16))
    image[..., 3] = 0.5
    torch.testing.assert_close(prepare_portrait(image, 16), torch.full((1, 3, 16, 16), 0.5))


def test_the_crop_is_the_centred_square() -> None:
    image = torch.zeros(1, 3, 10, 20)
    image[..., 5:15] = 1
    assert centre_square(image).shape == (1, 3, 10, 10) and centre_square(image).min() == 1
    assert centre_square(image.transpose(2, 3)).min() == 1


def test_a_crop_of_the_right_size_is_not_touched() -> None:
    image = torch.rand(3, 32, 32, 3)
    torch.testing.assert_close(to_pictures(prepare_portrait(image, 32)), image, atol=1e-6, rtol=0)


def test_values_beyond_the_range_are_clipped() -> None:
    crop = prepare_portrait(torch.tensor([-3.0, 0.5, 9.0]).expand(1, 8, 8, 3), 8)
    assert crop[0, :, 0, 0].tolist() == [-1, 0, 1]


@pytest.mark.parametrize(
    "image",
    [
        torch.rand(8, 8, 3),
        torch.rand(1, 8, 8, 5),
        torch.rand(0, 8, 8, 3),
        torch.rand(1, 0, 8, 3),
        torch.zeros(1, 8, 8, 3, dtype=torch.uint8),
        torch.full((1, 8, 8, 3), torch.nan),
        torch.full((1, 8, 8, 3), torch.inf),
    ],
    ids=["no batch", "five channels", "empty batch", "no rows", "bytes", "nan", "infinite"],
)
def test_what_is_no_picture_is_refused(image: torch.Tensor) -> None:
    with pytest.raises(InputError, match="image"):
        prepare_portrait(image, 64)
