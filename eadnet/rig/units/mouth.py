"""Lips and jaw: AU10, 12, 14 to 18, 20, 22, 24, 26 and 32, and what closes the lips."""

from __future__ import annotations

import torch
from torch import Tensor

from ..topology import CHEEK, CHIN, CHIN_FRONT, CORNER, CORNERS, NOSE_BASE, SIDES, SIGN
from .ground import Ground, smooth
from .middle import lid_free

DROP = 0.36  # of the chin, with the jaw wide open
LIP_LIFT = 0.035  # of the upper lip, with the jaw wide open
JAW_GAP = DROP + LIP_LIFT  # opening of the lips in eye distances with the jaw wide open
BY_JAW, MOST_RAISED = 0.8, 0.7  # share of an open mouth that its jaw closes, and how far it goes up
UPPER_RAISE = 0.135  # AU10
LOWER_DEPRESS = 0.115  # AU16
FUNNEL_UP, FUNNEL_DOWN = 0.032, 0.040  # AU22
# Shares of a gap that the lower lip and the upper lip take when they close it.
CLOSE_LOWER, CLOSE_UPPER = 0.62, 0.38


def mouth(ground: Ground) -> dict[str, Tensor]:
    """Displacements [N, 3] of everything that moves the mouth."""
    return {**_corners(ground), **_lips(ground), **_jaw(ground)}


def _corners(ground: Ground) -> dict[str, Tensor]:
    found = {}
    shift = ground.points.new_tensor
    lips = ground.upper_lip | ground.lower_lip
    # A bow, not a V: smiling people's lips rise with S² from their middle to their corners.
    bow = 0.12 + 0.84 * ground.across_mouth.abs().clamp(max=1) ** 2
    for side in SIDES:
        half, sign, corner = ground.side(side), SIGN[side], ground.at(CORNER[side])
        cheek = ground.hill(ground.at(CHEEK[side]), 0.30, 0.26, 0.30) * lid_free(ground, side) * half
        pull = ground.hill(corner, 0.27, 0.30, 0.26)
        pull = torch.where(lips, bow, pull) * half
        found[f"smile_{side}"] = ground.move(pull, 0.120 * sign, -0.130, 0.08) + ground.move(
            cheek, 0.022 * sign, -0.080, -0.07
        )
        found[f"dimple_{side}"] = ground.move(
            ground.hill(corner, 0.22, 0.24) * half, 0.065 * sign, -0.020, 0.04
        )
        below = ground.hill(corner + shift([0.0, 0.16, 0.0]), 0.22, 0.20) * half
        found[f"frown_{side}"] = ground.move(
            ground.hill(corner, 0.25, 0.22, 0.34) * half, 0.022 * sign, 0.120
        ) + ground.move(below, 0.0, 0.03)
    return found


def _lips(ground: Ground) -> dict[str, Tensor]:
    found = {}
    shift = ground.points.new_tensor
    middle, line = ground.mouth, ground.lip_line
    dx, dy = ground.x - middle[0], ground.y - line
    upper, lower, profile = ground.upper_lip, ground.lower_lip, ground.lip_profile
    above_lip = ground.at(0) + shift([0.0, 0.02, 0.0])
    below_lip = ground.at(17) - shift([0.0, 0.03, 0.0])
    found["upper_lip_raise"] = ground.move(
        ground.hill(above_lip, 0.40, 0.27, 0.14, power=3) * ~lower, 0.0, -UPPER_RAISE
    )
    found["lower_lip_depress"] = ground.move(
        ground.hill(below_lip, 0.36, 0.14, 0.22, power=3) * ~upper, 0.0, LOWER_DEPRESS
    )
    # The chin pushes the lower lip up, and that one the upper: nothing opens between them.
    pushed = ground.hill(ground.at(13), 0.30, 0.20, 0.10)
    found["chin_raise"] = ground.move(
        torch.maximum(0.080 * ground.hill(ground.at(CHIN_FRONT), 0.30, 0.30) * ~upper, 0.046 * pushed * lower)
        + 0.040 * pushed * upper,
        0.0,
        -1.0,
        -0.3,
    )
    around = ground.hill(middle, 0.52, 0.36)
    found["lip_pucker"] = ground.move(around, -0.40 * dx, 0.22 * dy, -0.10)
    found["lip_funnel"] = (
        ground.move(around, -0.24 * dx, 0.16 * dy, -0.08)
        + ground.move(profile * upper, 0.0, -FUNNEL_UP)
        + ground.move(profile * lower, 0.0, FUNNEL_DOWN)
    )
    stretch = ground.move(ground.hill(middle, 0.40, 0.16), 0.0, -0.15 * dy)
    for side in SIDES:
        corner = ground.hill(ground.at(CORNER[side]), 0.25, 0.26) * ground.side(side)
        stretch = stretch + ground.move(corner, 0.185 * SIGN[side], 0.030, 0.06)
    found["lip_stretch"] = stretch
    pressed = torch.exp(-((dx / ground.mouth_half) ** 4) - (dy / 0.17) ** 2)
    found["lip_press"] = ground.move(pressed, -0.08 * dx, -0.50 * dy)
    bite = torch.exp(-((dy / 0.2) ** 2))
    found["lip_bite"] = ground.move(profile * lower * bite, 0.0, -0.03) + ground.move(
        ground.hill(ground.at(17), 0.30, 0.10) * lower, 0.0, -0.03
    )
    chin = ground.hill(ground.at(CHIN_FRONT), 0.30, 0.30) * ~lower * ~upper
    found["close"] = closing(ground, profile) + ground.move(0.35 * chin, 0.0, -CLOSE_LOWER)
    return found


def closing(ground: Ground, gap: Tensor) -> Tensor:
    """Displacements [N, 3] of the lips that close gaps [N] between them, from below and from above."""
    return ground.move(gap * ground.lower_lip, 0.0, -CLOSE_LOWER) + ground.move(
        gap * ground.upper_lip, 0.0, CLOSE_UPPER
    )


def by_jaw(gap: float) -> float:
    """How much of an opening in the picture its jaw closes, going up."""
    return min(BY_JAW * gap, MOST_RAISED * JAW_GAP)


def _jaw(ground: Ground) -> dict[str, Tensor]:
    """The jaw drops by 0.36 J and turns back by 0.12 J.

    J = smoothstep(0.12, 0.80, share of the way from nose to chin) · exp(-(x / 0.92)⁴), fading below the chin;
    on the lips J follows their profile from the corners, which stay behind.
    """
    nose, chin = float(ground.at(NOSE_BASE)[1]), float(ground.at(CHIN)[1])
    share = (ground.y - nose) / (chin - nose)
    dx = ground.x - ground.mouth[0]
    drop = smooth(0.12, 0.80, share) * torch.exp(-((dx.abs() / 0.92) ** 4))
    drop = torch.where(ground.y > chin, drop * torch.exp(-(((ground.y - chin) / 0.55) ** 2)), drop)
    level = float((ground.at(*CORNER.values())[1] - nose) / (chin - nose))
    corner = 0.8 * float(smooth(0.12, 0.80, torch.tensor(level)))
    profile, lip = ground.lip_profile, ground.across_mouth.abs().clamp(max=1) ** 3
    drop = torch.where(ground.lower_lip, corner + (1 - corner) * profile, drop)
    drop = torch.where(ground.upper_lip, corner * lip, drop)
    drop[list(CORNERS)] = corner
    narrower = ground.hill(ground.mouth, 0.50, 0.40) * -0.16
    return {
        "jaw_open": ground.move(drop, 0.0, DROP, 0.12)
        + ground.move(narrower, dx, 0.0)
        + ground.move(profile_of_upper(ground), 0.0, -LIP_LIFT)
    }


def profile_of_upper(ground: Ground) -> Tensor:
    return ground.lip_profile * ground.upper_lip
