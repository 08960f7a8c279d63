"""The colours of a face in a picture: skin, the white of the eyes, the light's tint, teeth that would fit."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

LUMINANCE = (0.30, 0.59, 0.11)
_SKIN = (50, 280, 205, 425, 101, 330, 36, 266, 151, 9)
_LIP = (14, 17, 84, 314, 85, 315, 16)


@dataclass(frozen=True, eq=False)
class Colours:
    """Red, green and blue [3] in 0..255; `level` is how bright a mouth is lit, 1 in good light."""

    skin: Tensor
    lip: Tensor
    sclera: Tensor
    tint: Tensor
    tooth: Tensor
    level: float


def luminance(colour: Tensor) -> Tensor:
    """Of colours [..., 3]."""
    return colour @ colour.new_tensor(LUMINANCE)


def sampled(picture: Tensor, points: Tensor) -> Tensor:
    """Nearest pixels [N, 3] of a picture [3, H, W] at points [N, 2]; points outside take the edge."""
    height, width = picture.shape[1:]
    x = points[:, 0].round().long().clamp(0, width - 1)
    y = points[:, 1].round().long().clamp(0, height - 1)
    return picture[:, y, x].T


def colours(picture: Tensor, points: Tensor, sclera: Tensor) -> Colours:
    """From a picture [3, H, W] in 0..255, its mesh [468, 2] and pixels [n, 3] of the white of both eyes.

    Teeth are between the white of the eyes and a pale skin, and never darker than the light on the skin
    allows: on dark skin they are what stands out.
    """
    skin = sampled(picture, points[list(_SKIN)]).median(0).values
    lip = sampled(picture, points[list(_LIP)]).mean(0)
    if len(sclera) > 12:
        bright = luminance(sclera)
        white = sclera[bright >= bright.quantile(0.7)].mean(0)
    else:
        white = (skin * 1.1 + 10).clamp(0, 255)
    on_skin, on_white = luminance(skin), luminance(white)
    pale = (0.5 * skin / on_skin.clamp(min=1) + 0.5) * on_white
    tooth = (0.2 * white + 0.8 * pale) * skin.new_tensor([1.11, 1.08, 1.00])
    least = torch.maximum(1.22 * on_skin, (1.9 * on_skin).clamp(max=150.0))
    tooth = tooth * torch.maximum(least / luminance(tooth).clamp(min=1), torch.ones_like(least))
    # Nothing in a mouth is a saturated colour, whatever the light.
    tooth = 0.80 * tooth + 0.20 * luminance(tooth)
    tooth = tooth.clamp(0, 242)
    return Colours(skin, lip, white, white / on_white.clamp(min=1), tooth, float(luminance(tooth)) / 200)
