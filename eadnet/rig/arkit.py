"""ARKit's 52 blend shapes and the facial parameters: what one says of the other.

Both are mixtures of facial actions, written down differently. The table gives, for each parameter, the blend
shapes that show it and how much of each makes a full one; the way back uses the same pairs. MediaPipe
measures these 52.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .expression import INDEX, PARAMETERS

_SIDED = (
    *(
        "browDown",
        "browOuterUp",
        "cheekSquint",
        "eyeBlink",
        "eyeLookDown",
        "eyeLookIn",
        "eyeLookOut",
        "eyeLookUp",
    ),
    *("eyeSquint", "eyeWide", "mouthDimple", "mouthFrown", "mouthLowerDown", "mouthPress", "mouthSmile"),
    *("mouthStretch", "mouthUpperUp", "noseSneer"),
)
_WHOLE = (
    *(
        "browInnerUp",
        "cheekPuff",
        "jawForward",
        "jawLeft",
        "jawOpen",
        "jawRight",
        "mouthClose",
        "mouthFunnel",
    ),
    *("mouthLeft", "mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower"),
    *("mouthShrugUpper", "tongueOut"),
)
ARKIT: tuple[str, ...] = tuple(sorted((*(n + s for n in _SIDED for s in ("Left", "Right")), *_WHOLE)))
"""The 52 names, in alphabetical order."""

_AT = {name: place for place, name in enumerate(ARKIT)}

# parameter: (blend shape, how much of the parameter one of it is). Sided names stand for both sides.
_PAIRS: dict[str, tuple[tuple[str, float], ...]] = {
    "inner_brow_up": (("browInnerUp", 1.0),),
    "outer_brow_up": (("browOuterUp", 1.0),),
    "brow_lower": (("browDown", 1.0),),
    "upper_lid_raise": (("eyeWide", 1.0),),
    "cheek_raise": (("cheekSquint", 1.0),),
    "lid_tighten": (("eyeSquint", 1.0),),
    "smile": (("mouthSmile", 1.0),),
    "dimple": (("mouthDimple", 1.0),),
    "frown": (("mouthFrown", 1.0),),
    "blink": (("eyeBlink", 1.0),),
    "nose_wrinkle": (("noseSneer", 1.0),),
    "upper_lip_raise": (("mouthUpperUp", 1.0),),
    "lower_lip_depress": (("mouthLowerDown", 1.0),),
    "lip_stretch": (("mouthStretch", 1.0),),
    "lip_press": (("mouthPress", 1.0),),
    "chin_raise": (("mouthShrugLower", 1.0),),
    "lip_pucker": (("mouthPucker", 1.0),),
    "lip_funnel": (("mouthFunnel", 1.0),),
    "jaw_open": (("jawOpen", 1.0),),
    "lip_bite": (("mouthRollLower", 1.0),),
    "tongue_up": (),
}
_SIDES = {"l": "Left", "r": "Right"}


def to_facs(shapes: Tensor) -> Tensor:
    """Blend shapes [T, 52] 0..1, in the order of `ARKIT` -> parameters [T, P].

    mouthClose says how far lips are closed over an open jaw, so lip_close is its share of jawOpen. Gaze is
    the mean of both eyes; the person's left is right in the picture.
    """
    values = shapes.new_zeros(len(shapes), len(PARAMETERS))

    def shape(name: str) -> Tensor:
        return shapes[:, _AT[name]]

    def mean(name: str) -> Tensor:
        return (shape(name + "Left") + shape(name + "Right")) / 2

    for parameter, pairs in _PAIRS.items():
        sides = [f"_{side}" for side in _SIDES] if f"{parameter}_l" in INDEX else [""]
        for side in sides:
            for name, factor in pairs:
                if name in _AT:
                    source = shape(name)
                else:
                    source = shape(name + _SIDES[side[1:]]) if side else mean(name)
                values[:, INDEX[parameter + side]] += factor * source
    closed = shape("mouthClose") / shape("jawOpen").clamp(min=0.05)
    values[:, INDEX["lip_close"]] = closed.clamp(0, 1)
    right = (
        shape("eyeLookOutLeft") + shape("eyeLookInRight") - shape("eyeLookInLeft") - shape("eyeLookOutRight")
    )
    down = mean("eyeLookDown") - mean("eyeLookUp")
    values[:, INDEX["gaze_x"]] = right / 2
    values[:, INDEX["gaze_y"]] = down
    return torch.cat([values[:, :-5].clamp(-1, 1), values[:, -5:]], 1)


def from_facs(parameters: Tensor) -> Tensor:
    """Parameters [T, P] -> blend shapes [T, 52] 0..1, what has no counterpart 0."""
    shapes = parameters.new_zeros(len(parameters), len(ARKIT))

    def value(name: str) -> Tensor:
        return parameters[:, INDEX[name]]

    for parameter, pairs in _PAIRS.items():
        sided = f"{parameter}_l" in INDEX
        for name, factor in pairs:
            if name in _AT:
                both = (value(parameter + "_l") + value(parameter + "_r")) / 2 if sided else value(parameter)
                shapes[:, _AT[name]] = both / factor
            else:
                for side, long in _SIDES.items():
                    source = value(f"{parameter}_{side}") if sided else value(parameter)
                    shapes[:, _AT[name + long]] = source / factor
    shapes[:, _AT["mouthClose"]] = value("lip_close") * value("jaw_open")
    for name, amount in (
        ("eyeLookOutLeft", value("gaze_x")),
        ("eyeLookInRight", value("gaze_x")),
        ("eyeLookInLeft", -value("gaze_x")),
        ("eyeLookOutRight", -value("gaze_x")),
        ("eyeLookDownLeft", value("gaze_y")),
        ("eyeLookDownRight", value("gaze_y")),
        ("eyeLookUpLeft", -value("gaze_y")),
        ("eyeLookUpRight", -value("gaze_y")),
    ):
        shapes[:, _AT[name]] = amount
    return shapes.clamp(0, 1)
