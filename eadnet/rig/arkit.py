"""ARKit's 52 blend shapes as facial parameters, and back.

Names and meaning are Apple's (`ARFaceAnchor.BlendShapeLocation`), which MediaPipe and most face capture
follow; which action unit each stands for is the common reading. Left is the person's own.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .expression import INDEX, PARAMETERS

_SIDES = {"l": "Left", "r": "Right"}

ARKIT: tuple[str, ...] = (
    *("browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff"),
    *("cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft"),
    *("eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight"),
    *("eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight"),
    *("jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight"),
    *("mouthFrownLeft", "mouthFrownRight", "mouthFunnel", "mouthLeft", "mouthLowerDownLeft"),
    *("mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight"),
    *("mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft"),
    *("mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight"),
    *("noseSneerLeft", "noseSneerRight", "tongueOut"),
)
"""The 52 names, in alphabetical order."""

_PLACE = {name: position for position, name in enumerate(ARKIT)}

# Parameter of a side -> shape of a side.
_PER_SIDE = {
    "outer_brow_up": "browOuterUp",
    "brow_lower": "browDown",
    "upper_lid_raise": "eyeWide",
    "cheek_raise": "cheekSquint",
    "lid_tighten": "eyeSquint",
    "smile": "mouthSmile",
    "dimple": "mouthDimple",
    "frown": "mouthFrown",
    "blink": "eyeBlink",
}
# Parameter -> shape that ARKit has once, or twice for its two sides.
_BOTH = {
    "nose_wrinkle": "noseSneer",
    "upper_lip_raise": "mouthUpperUp",
    "lower_lip_depress": "mouthLowerDown",
    "lip_stretch": "mouthStretch",
    "lip_press": "mouthPress",
}
_ONE = {
    "chin_raise": "mouthShrugLower",
    "lip_pucker": "mouthPucker",
    "lip_funnel": "mouthFunnel",
    "lip_bite": "mouthRollLower",
    "jaw_open": "jawOpen",
}
_LEAST_JAW = 0.02  # below which closed lips need nothing to close


def _pairs() -> list[tuple[str, str, float]]:
    """(parameter, shape, share of the shape in the parameter) of all that is proportional."""
    pairs = [(f"inner_brow_up_{side}", "browInnerUp", 1.0) for side in _SIDES]
    pairs += [
        (f"{p}_{side}", f"{shape}{word}", 1.0)
        for p, shape in _PER_SIDE.items()
        for side, word in _SIDES.items()
    ]
    pairs += [(p, f"{shape}{word}", 0.5) for p, shape in _BOTH.items() for word in _SIDES.values()]
    pairs += [(p, shape, 1.0) for p, shape in _ONE.items()]
    # The eyes: out and in are each eye's own, gaze_x is towards the picture's right, the person's left.
    pairs += [("gaze_x", "eyeLookOutLeft", 0.5), ("gaze_x", "eyeLookInRight", 0.5)]
    pairs += [("gaze_x", "eyeLookInLeft", -0.5), ("gaze_x", "eyeLookOutRight", -0.5)]
    pairs += [("gaze_y", f"eyeLookDown{word}", 0.5) for word in _SIDES.values()]
    pairs += [("gaze_y", f"eyeLookUp{word}", -0.5) for word in _SIDES.values()]
    return pairs


_PAIRS = _pairs()


def to_facs(shapes: Tensor) -> Tensor:
    """Shapes [T, 52] in 0..1 to parameters [T, P]; the head's pose, which ARKit keeps apart, is 0.

    mouthClose is how far the lips come together across an open jaw; `lip_close` is the share of that gap.
    """
    matrix = shapes.new_zeros(len(ARKIT), len(PARAMETERS))
    for parameter, shape, share in _PAIRS:
        matrix[_PLACE[shape], INDEX[parameter]] += share
    values = shapes @ matrix
    jaw, closed = shapes[:, _PLACE["jawOpen"]], shapes[:, _PLACE["mouthClose"]]
    values[:, INDEX["lip_close"]] = torch.where(
        jaw > _LEAST_JAW, closed / jaw.clamp(min=_LEAST_JAW), 0
    ).clamp(0, 1)
    return values


def from_facs(parameters: Tensor) -> Tensor:
    """Parameters [T, P] to shapes [T, 52] in 0..1."""
    shapes = parameters.new_zeros(len(parameters), len(ARKIT))
    counts = {shape: sum(1 for _, other, _ in _PAIRS if other == shape) for shape in ARKIT}
    for parameter, shape, share in _PAIRS:
        value = parameters[:, INDEX[parameter]] * (1 if share > 0 else -1)
        shapes[:, _PLACE[shape]] += value.clamp(0, 1) / counts[shape]
    jaw = parameters[:, INDEX["jaw_open"]].clamp(0, 1)
    shapes[:, _PLACE["mouthClose"]] = jaw * parameters[:, INDEX["lip_close"]].clamp(0, 1)
    return shapes
