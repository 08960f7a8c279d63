"""How close two images are pixel by pixel: PSNR and SSIM."""

from __future__ import annotations

import torch
from torch import Tensor

from ..media.clips import Frames
from .pairs import frame_by_frame

# Equal images have no noise to measure; 8-bit images that differ at all stay below this.
HIGHEST_PSNR = 100.0
_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2


def psnr(generated: Frames, reference: Frames) -> Tensor:
    """Peak signal-to-noise ratio of every shared frame in dB, at most 100; higher is better.

    Args:
        generated, reference: [T, 3, H, W], 0..1 or uint8.

    Returns:
        [min(T)], float32.

    Raises:
        InputError: images of different size.
    """

    def compare(a: Tensor, b: Tensor) -> Tensor:
        error = (a.cpu().double() - b.cpu().double()).square().mean((1, 2, 3))
        return (-10 * error.clamp(min=1e-20).log10()).clamp(max=HIGHEST_PSNR).float()

    return frame_by_frame(compare, generated, reference)


def ssim(generated: Frames, reference: Frames) -> Tensor:
    """Structural similarity (Wang et al., 2004) of every shared frame, 1 for equal images.

    Gaussian window of 11 pixels and deviation 1.5, population variances, mean over the three channels and
    over every place where the window fits. Images smaller than the window use the largest that fits.

    Args:
        generated, reference: [T, 3, H, W], 0..1 or uint8.

    Returns:
        [min(T)], float32.

    Raises:
        InputError: images of different size.
    """

    def compare(a: Tensor, b: Tensor) -> Tensor:
        window = _gaussian(min(_WINDOW, *a.shape[-2:])).tolist()

        def local(x: Tensor) -> Tensor:
            return _weighted(_weighted(x, window, -1), window, -2)

        mean_a, mean_b = local(a), local(b)
        var_a = local(a * a) - mean_a.square()
        var_b = local(b * b) - mean_b.square()
        both = local(a * b) - mean_a * mean_b
        luminance = (2 * mean_a * mean_b + _C1) / (mean_a.square() + mean_b.square() + _C1)
        return (luminance * (2 * both + _C2) / (var_a + var_b + _C2)).mean((1, 2, 3))

    return frame_by_frame(compare, generated, reference)


def _weighted(x: Tensor, window: list[float], dim: int) -> Tensor:
    """Weighted sums along an axis where the window fits; a convolution takes five times as long."""
    places = x.shape[dim] - len(window) + 1
    total = x.narrow(dim, 0, places) * window[0]
    for start, weight in enumerate(window[1:], 1):
        total.add_(x.narrow(dim, start, places), alpha=weight)
    return total


def _gaussian(size: int) -> Tensor:
    place = torch.arange(size) - (size - 1) / 2
    weight = torch.exp(-place.square() / (2 * _SIGMA**2))
    return weight / weight.sum()
