"""What hides a mouth or an eye: a mask, a hand, dark lenses. What is hidden stays as it is.

The limits are between what 51 portraits, paintings and renders with bare faces show and what pictures with
painted masks and lenses do: bare lips differ from the skin around them by .16 of its brightness and more, and
that skin from the cheeks by 6.6 hundredths of chromaticity at the most; eyes have a contrast of .24 and more.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .canonical import Canonical
from .colours import luminance, sampled
from .topology import CHEEKBONE, EYES, FOREHEAD, LIP_RINGS, NOSE_ROOT

_LIPS = [row for _, upper, lower, _ in LIP_RINGS[1:3] for row in (*upper, *lower)]
_UPPER_SEAM, _LOWER_SEAM = [13, 312, 82], [14, 317, 87]  # where lips meet
_CORNERS_OF_EYES = [33, 263]
_AROUND = [164, 167, 393, 18, 83, 313, 57, 287, 43, 273, 106, 335, 186, 410]  # above, below and beside lips
_CHEEKS = [*CHEEKBONE.values(), 118, 347, 50, 280, 101, 330, NOSE_ROOT, 197, 151, FOREHEAD]
_NO_LIPS, _OTHER_COLOUR = 0.13, 0.08
_ALL_ALIKE, _NO_SEAM = 0.08, 0.05  # painted masks and hands of the skin's colour: .00 and .00
_PARTED, _SMALLEST = 0.05, 40  # eye distances between the lips, pixels between the eyes: no line to look for
_NO_LIPS_GREY, _OTHER_LIGHT = 0.08, (0.2, 1.4)  # where only brightness tells
_NO_EYE, _DARK_LENS = 0.12, 0.2
CLOSED = 0.055  # eye distances between the lids below which an eye is closed

MOUTH = (
    *("upper_lip_raise", "smile_l", "smile_r", "dimple_l", "dimple_r", "frown_l", "frown_r"),
    *("lower_lip_depress", "chin_raise", "lip_pucker", "lip_stretch", "lip_funnel", "lip_press"),
    *("jaw_open", "lip_bite", "close", "shut"),
)
LIDS = ("blink", "lid_tighten", "upper_lid_raise")


def mouth_is_covered(picture: Tensor, points: Tensor) -> bool:
    """Whether something of another colour than the face lies where the lips are, in a picture [3, H, W] in
    0..255 with mesh [468, 2].

    There are no lips to see, and what is around them is no skin; or, where it is of the skin's colour (a
    hand, a mask to match), no line between lips either, which drawings and statues have. Lips that are
    parted have no such line, and in a small picture it is lost. A beard has lips in it.
    """
    lips, around, cheeks = (
        sampled(picture, points[rows]).median(0).values for rows in (_LIPS, _AROUND, _CHEEKS)
    )
    light = luminance(around).clamp(min=20)
    differs = float((lips - around).norm() / light)
    colour = float((_chromaticity(around) - _chromaticity(cheeks)).norm())
    if differs < _NO_LIPS and colour > _OTHER_COLOUR:
        return True
    seam = luminance(sampled(picture, points[_UPPER_SEAM + _LOWER_SEAM])).median()
    line = abs(float((luminance(lips) - seam) / light)) >= _NO_SEAM
    if differs < _ALL_ALIKE and not line and _shows_a_line(points):
        return True
    brighter = float(luminance(around) / luminance(cheeks).clamp(min=1))
    return differs < _NO_LIPS_GREY and not _OTHER_LIGHT[0] < brighter < _OTHER_LIGHT[1]


def _shows_a_line(points: Tensor) -> bool:
    """Whether lips at mesh [468, 2] are together, and large enough for the line between them to be seen."""
    eyes = float((points[_CORNERS_OF_EYES[0]] - points[_CORNERS_OF_EYES[1]]).norm())
    apart = float((points[_UPPER_SEAM] - points[_LOWER_SEAM]).norm(dim=-1).max())
    return eyes >= _SMALLEST and apart < _PARTED * eyes


def covered_eyes(picture: Tensor, points: Tensor) -> tuple[str, ...]:
    """The sides on which no eye is seen between the lids: all is alike, or black, in a picture [3, H, W] in
    0..255 with mesh [468, 2]."""
    skin = luminance(sampled(picture, points[_CHEEKS])).median().clamp(min=10)
    found = []
    for side, eye in EYES.items():
        upper, lower = points[list(eye.upper)], points[list(eye.lower)]
        way = torch.linspace(0.15, 0.85, 6)[:, None, None]
        light = luminance(sampled(picture, (upper + (lower - upper) * way).reshape(-1, 2)))
        low, high = light.quantile(0.1), light.quantile(0.9)
        if float((high - low) / skin) < _NO_EYE or float(high / skin) < _DARK_LENS:
            found.append(side)
    return tuple(found)


def closed_eyes(face: Canonical) -> tuple[str, ...]:
    """The sides on which the lids meet."""
    return tuple(
        side
        for side, eye in EYES.items()
        if float((face.points[list(eye.lower), 1] - face.points[list(eye.upper), 1]).max()) < CLOSED
    )


def hidden(
    picture: Tensor, points: Tensor, face: Canonical
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """(units that have to stay, sides whose eyes are covered, what to tell the user) of a picture."""
    held: set[str] = set()
    notes = []
    if mouth_is_covered(picture, points):
        held.update(MOUTH)
        notes.append("The mouth is covered: it stays as it is, so nothing speaks; eyes, brows and head move.")
    covered = covered_eyes(picture, points)
    held.update(f"{name}_{side}" for name in LIDS for side in covered)
    if covered:
        notes.append("The eyes are covered or too dark to see: they stay as they are.")
    elif closed := closed_eyes(face):
        held.update(f"upper_lid_raise_{side}" for side in closed)
        notes.append("The eyes are closed: they stay so, the picture does not show what is behind the lids.")
    return tuple(sorted(held)), covered, tuple(notes)


def _chromaticity(colour: Tensor) -> Tensor:
    return colour / colour.sum(-1, keepdim=True).clamp(min=1)
