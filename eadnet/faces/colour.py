"""Generated faces take on the colours of what surrounds them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

# How much the match may change: contrast by a factor, brightness by a part of full scale. More than this is
# no tint but a wrong face, which no tint corrects.
_MOST_GAIN = 1.25
_MOST_SHIFT = 0.08
_RING = 12  # the ring's width is the crop's side over this
_COUNTED = 128
_ENOUGH = 32.0  # pixels that count


def to_linear(pictures: Tensor) -> Tensor:
    """sRGB in [0, 1] -> amounts of light in [0, 1]."""
    low = pictures / 12.92
    return low.where(pictures <= 0.04045, ((pictures.clamp(min=0) + 0.055) / 1.055) ** 2.4)


def to_srgb(light: Tensor) -> Tensor:
    """The inverse of `to_linear`; negative light becomes 0."""
    light = light.clamp(min=0)
    low = light * 12.92
    return low.where(light <= 0.0031308, 1.055 * light.clamp(min=1e-8) ** (1 / 2.4) - 0.055)


def ring(region: Tensor) -> Tensor:
    """What directly surrounds a region [n, 1, R, R], as weights of the same shape."""
    radius = max(2, region.shape[-1] // _RING)
    marked = (region > 0).to(region)
    for dim in (2, 3):  # a square's dilation is a row's and a column's
        kernel = [1, 1]
        kernel[dim - 2] = 2 * radius + 1
        padding = [0, 0]
        padding[dim - 2] = radius
        marked = F.max_pool2d(marked, kernel, stride=1, padding=padding)
    return marked * (region <= 0)


@dataclass(frozen=True)
class ColourChange:
    """For each image and channel: light becomes ``gain`` * light + ``offset``, mixed in by ``share``.

    gain, offset: [n, 3, 1, 1]; share: [n, 1, 1, 1] in 0 to 1.
    """

    gain: Tensor
    offset: Tensor
    share: Tensor

    def apply(self, pictures: Tensor) -> Tensor:
        """Images [n, 3, h, w] in [0, 1], changed."""
        changed = to_srgb((to_linear(pictures) * self.gain + self.offset).clamp(0, 1))
        return torch.lerp(pictures, changed, self.share.to(changed))


def counted_step(resolution: int) -> int:
    """A pixel in so many across and down is enough for the statistics of a crop."""
    return max(1, resolution // _COUNTED)


def colour_change(generated: Tensor, original: Tensor, where: Tensor, strength: float = 1.0) -> ColourChange:
    """What gives ``generated`` the mean and deviation that ``original`` has in the ring.

    Args:
        generated, original: [n, 3, r, r] in [-1, 1]; the same few pixels of both will do.
        where: weights [n or 1, 1, r, r] of the pixels that are compared, from `ring`.
        strength: 0 changes nothing, 1 matches in full, within limits.

    Returns:
        The change; none for frames whose ring has too few pixels.
    """
    ours, theirs = _light(generated), _light(original)
    where = where.expand(len(ours), -1, -1, -1).to(ours)
    total = where.sum(dim=(2, 3), keepdim=True)
    weights = where / total.clamp(min=1)
    our_mean, our_spread = _statistics(ours, weights)
    mean, spread = _statistics(theirs, weights)
    gain = ((spread + 1e-3) / (our_spread + 1e-3)).clamp(1 / _MOST_GAIN, _MOST_GAIN)
    shift = (mean - our_mean).clamp(-_MOST_SHIFT, _MOST_SHIFT)
    return ColourChange(gain, our_mean + shift - our_mean * gain, strength * (total >= _ENOUGH))


def _light(crops: Tensor) -> Tensor:
    """Crops in [-1, 1] -> light in [0, 1]."""
    return to_linear((crops / 2 + 0.5).clamp(0, 1))


def _statistics(pictures: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted mean and standard deviation of each channel, [n, 3, 1, 1] each."""
    mean = (pictures * weights).sum(dim=(2, 3), keepdim=True)
    variance = ((pictures - mean) ** 2 * weights).sum(dim=(2, 3), keepdim=True)
    return mean, variance.clamp(min=0).sqrt()
