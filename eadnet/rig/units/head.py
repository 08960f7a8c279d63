"""Turns and shifts of the whole head, with hair, neck and shoulders following a little."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..expression import HEAD_POSE
from ..topology import CHIN
from .ground import BEYOND, Ground, smooth

TURN = math.radians(6.5)  # of yaw and pitch 1: the drawn world's parallax
PICTURE = 4.1  # eye distances that a drawn picture is wide: head_x and head_y are shares of it
TURN_PIVOT = (0.0, 0.35, 1.05)  # between the ears
NECK_PIVOT = (0.0, 2.4, 0.6)  # where a head rolls


def head(ground: Ground) -> dict[str, Tensor]:
    """Displacements [N, 3] of the five parameters of the head's pose, for 1 of each, in its own unit."""
    zero = torch.zeros_like(ground.x)
    follow = _follow(ground)[:, None]
    turned = ground.points - ground.points.new_tensor(TURN_PIVOT)
    rolled = ground.points - ground.points.new_tensor(NECK_PIVOT)
    still = torch.stack([zero, zero, zero], 1)
    moves = {
        "head_yaw": TURN * torch.stack([-turned[:, 2], zero, turned[:, 0]], 1),
        "head_pitch": TURN * torch.stack([zero, -turned[:, 2], turned[:, 1]], 1),
        "head_roll": math.radians(1.0) * torch.stack([-rolled[:, 1], rolled[:, 0], zero], 1),
        "head_x": still + ground.points.new_tensor([PICTURE, 0.0, 0.0]),
        "head_y": still + ground.points.new_tensor([0.0, PICTURE, 0.0]),
    }
    return {name: moves[name] * follow for name in HEAD_POSE}


def _follow(ground: Ground) -> Tensor:
    """How much of the head's motion a place makes: all on face and hair, none around, less down the neck."""
    around = 1 - smooth(1.25, BEYOND, ground.ring)
    chin = float(ground.at(CHIN)[1])
    neck = 1 - 0.6 * smooth(chin + 0.1, chin + 1.4, ground.y)
    return around * neck
