"""The blend shapes of MediaPipe's face landmarker: 52 weights from 146 of its points, by an MLP-Mixer.

(arXiv 2105.01601 and 2309.05782.) The layers stand in the order in which the published graph runs them:
`eadnet.convert` fills them in that order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

# ARKit's 52 names in the network's order; the first is not one of ARKit's, and means nothing.
BLENDSHAPES = (
    *("_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    *("cheekPuff", "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight"),
    *("eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft"),
    *("eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft", "eyeSquintRight"),
    *("eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose"),
    *("mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel"),
    *("mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight"),
    *("mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower"),
    *("mouthShrugUpper", "mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight"),
    *("mouthUpperUpLeft", "mouthUpperUpRight", "noseSneerLeft", "noseSneerRight"),
)
# Which of the 478 points the network sees (published in the face_blendshapes graph).
SEEN = (
    *(0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67),
    *(70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146),
    *(148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181),
    *(185, 191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293),
    *(295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321, 323, 324, 332, 334, 336, 338, 356, 361),
    *(362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386, 387, 388, 389, 390, 397, 398),
    *(400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477),
)
_WIDTH, _TOKENS = 64, 96  # numbers in a token; tokens, beside the one that is read out
_INSIDE = (384, 256)  # widths of the layers that mix tokens, and numbers
_BLOCKS = 4
_EPSILON = 1e-6


class _Norm(nn.Module):
    """Layer normalisation without a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(_WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, (_WIDTH,), self.weight, None, _EPSILON)


class _Token(nn.Module):
    """The token that is read out in the end. A module, so that it keeps its place in the order."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, _WIDTH))


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = _Norm()
        self.tokens = nn.Sequential(
            nn.Linear(_TOKENS + 1, _INSIDE[0]), nn.ReLU(), nn.Linear(_INSIDE[0], _TOKENS + 1)
        )
        self.norm_2 = _Norm()
        self.numbers = nn.Sequential(nn.Linear(_WIDTH, _INSIDE[1]), nn.ReLU(), nn.Linear(_INSIDE[1], _WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.tokens(self.norm(x).transpose(1, 2)).transpose(1, 2)
        return x + self.numbers(self.norm_2(x))


class BlendshapeMixer(nn.Module):
    """Points [B, 478, 2 or more] in pixels, any scale and place -> [B, 52] in 0..1, `BLENDSHAPES`."""

    seen: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.points = nn.Linear(len(SEEN), _TOKENS)
        self.axes = nn.Linear(2, _WIDTH)
        self.token = _Token()
        self.blocks = nn.Sequential(*(_Block() for _ in range(_BLOCKS)))
        self.weights = nn.Linear(_WIDTH, len(BLENDSHAPES))
        self.register_buffer("seen", torch.from_numpy(np.array(SEEN)), persistent=False)

    @property
    def config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> BlendshapeMixer:
        return cls(**config)

    def forward(self, points: Tensor) -> Tensor:
        # In the points' own precision: pixels of a large picture are too large for half of it.
        seen = points[:, self.seen, :2]
        centred = seen - seen.mean(dim=1, keepdim=True)
        size = centred.norm(dim=2, keepdim=True).mean(dim=1, keepdim=True)
        shape = (centred / size.clamp(min=1e-6) * 0.5).to(self.token.weight)
        tokens = self.axes(self.points(shape.transpose(1, 2)).transpose(1, 2))
        x = torch.cat([self.token.weight.expand(len(tokens), 1, -1), tokens], dim=1)
        return self.weights(self.blocks(x)[:, 0]).sigmoid()
