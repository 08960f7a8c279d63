"""The facial parameters that drive drawn heads and the rig, and the eight emotions written in them.

Names follow the Facial Action Coding System (FACS, Ekman & Friesen 1978); the number of the action unit
stands beside each. `_l` and `_r` are the person's own left and right, so `_l` lies on the right half of the
picture. Gaze, head turn and head shift use picture axes: positive x is right, positive y is down.
"""

from __future__ import annotations

import difflib

import numpy as np

from ..errors import InputError, no_such

_UNIT = (0.0, 1.0)
_SIGNED = (-1.0, 1.0)
_TABLE: dict[str, tuple[float, float]] = {
    "inner_brow_up_l": _UNIT,  # AU1
    "inner_brow_up_r": _UNIT,
    "outer_brow_up_l": _UNIT,  # AU2
    "outer_brow_up_r": _UNIT,
    "brow_lower_l": _UNIT,  # AU4
    "brow_lower_r": _UNIT,
    "upper_lid_raise_l": _UNIT,  # AU5
    "upper_lid_raise_r": _UNIT,
    "cheek_raise_l": _UNIT,  # AU6
    "cheek_raise_r": _UNIT,
    "lid_tighten_l": _UNIT,  # AU7
    "lid_tighten_r": _UNIT,
    "nose_wrinkle": _UNIT,  # AU9
    "upper_lip_raise": _UNIT,  # AU10
    "smile_l": _UNIT,  # AU12
    "smile_r": _UNIT,
    "dimple_l": _UNIT,  # AU14
    "dimple_r": _UNIT,
    "frown_l": _UNIT,  # AU15
    "frown_r": _UNIT,
    "lower_lip_depress": _UNIT,  # AU16
    "chin_raise": _UNIT,  # AU17
    "lip_pucker": _UNIT,  # AU18
    "lip_stretch": _UNIT,  # AU20
    "lip_funnel": _UNIT,  # AU22
    "lip_press": _UNIT,  # AU24
    "jaw_open": _UNIT,  # AU26
    "lip_close": _UNIT,  # lips together whatever the jaw does: p, b, m
    "lip_bite": _UNIT,  # AU32, lower lip against the upper teeth: f, v
    "tongue_up": _UNIT,  # tongue tip behind the upper teeth: t, d, n, l
    "blink_l": _UNIT,  # AU45
    "blink_r": _UNIT,
    "gaze_x": _SIGNED,
    "gaze_y": _SIGNED,
    "head_yaw": _SIGNED,  # +-1 moves the features by about 0.025 of the picture
    "head_pitch": _SIGNED,
    "head_roll": (-4.0, 4.0),  # degrees, clockwise on the picture
    "head_x": (-0.02, 0.02),  # fraction of the picture
    "head_y": (-0.02, 0.02),
}

PARAMETERS: tuple[str, ...] = tuple(_TABLE)
"""Names of all P parameters, in the order of every parameter vector."""

INDEX: dict[str, int] = {name: position for position, name in enumerate(PARAMETERS)}
"""Position of each parameter in a vector [P]."""

HEAD_POSE: tuple[str, ...] = tuple(name for name in PARAMETERS if name.startswith("head_"))
"""Names of the parameters that turn and shift the head."""

RANGES: np.ndarray = np.array(list(_TABLE.values()), dtype=np.float32)
"""Smallest and largest allowed value of each parameter, [P, 2]."""


def _both(**values: float) -> dict[str, float]:
    """The same value for the left and the right side of each named action."""
    return {f"{name}_{side}": value for name, value in values.items() for side in "lr"}


EMOTIONS: dict[str, dict[str, float]] = {
    "neutral": {},
    "happy": {
        **_both(smile=0.95, cheek_raise=0.85, lid_tighten=0.15, outer_brow_up=0.15),
        "upper_lip_raise": 0.35,
        "jaw_open": 0.18,
    },
    "sad": {
        **_both(inner_brow_up=1.0, brow_lower=0.30, frown=0.90, lid_tighten=0.10),
        "chin_raise": 0.55,
        "gaze_y": 0.45,
    },
    "angry": {
        **_both(brow_lower=1.0, upper_lid_raise=0.45, lid_tighten=0.60, frown=0.30),
        "lip_press": 0.75,
        "chin_raise": 0.25,
    },
    "fearful": {
        **_both(inner_brow_up=0.95, outer_brow_up=0.35, brow_lower=0.35, upper_lid_raise=0.90, frown=0.25),
        "lip_stretch": 0.90,
        "lower_lip_depress": 0.35,
        "jaw_open": 0.15,
    },
    "disgusted": {
        **_both(brow_lower=0.50, cheek_raise=0.50, lid_tighten=0.60, frown=0.45),
        "nose_wrinkle": 1.0,
        "upper_lip_raise": 0.85,
        "chin_raise": 0.20,
    },
    "surprised": {
        **_both(inner_brow_up=0.95, outer_brow_up=1.0, upper_lid_raise=0.95),
        "jaw_open": 0.60,
        "lip_funnel": 0.45,
    },
    "contemptuous": {
        "smile_l": 0.65,
        "dimple_l": 1.0,
        "cheek_raise_l": 0.25,
        "outer_brow_up_r": 0.60,
        "brow_lower_l": 0.35,
        **_both(lid_tighten=0.40),
        "lip_press": 0.25,
        "gaze_x": -0.20,
    },
}
"""Each emotion at full intensity as a mixture of actions; absent parameters are 0.

The action units of each emotion follow the prototypes of the FACS investigator's guide (EMFACS); their
strengths are tuned by eye on these heads."""


def neutral() -> np.ndarray:
    """A resting face looking straight ahead: float32 zeros [P]."""
    return np.zeros(len(PARAMETERS), dtype=np.float32)


def expression(**params: float) -> np.ndarray:
    """A neutral face with the named parameters set -> float32 [P].

    Raises InputError for an unknown name and for a value that is not a number within its range.
    """
    vector = neutral()
    for name, value in params.items():
        if name not in INDEX:
            close = difflib.get_close_matches(name, PARAMETERS, n=3)
            hint = f"did you mean {', '.join(close)}?" if close else "see eadnet.rig.expression.PARAMETERS."
            raise InputError(f"Unknown facial parameter '{name}': {hint}")
        low, high = _TABLE[name]
        if not low <= value <= high:
            raise InputError(f"Facial parameter '{name}' is {value}: give a value from {low:g} to {high:g}.")
        vector[INDEX[name]] = value
    return vector


def emotion_expression(name: str, intensity: float = 1.0) -> np.ndarray:
    """The face of an emotion at an intensity from 0 (neutral) to 1 (full) -> float32 [P].

    Raises InputError for an unknown emotion and for an intensity outside 0..1.
    """
    if name not in EMOTIONS:
        raise InputError(no_such("emotion", name, EMOTIONS))
    if not 0.0 <= intensity <= 1.0:
        raise InputError(f"The intensity of '{name}' is {intensity}: give a value from 0 to 1.")
    return expression(**EMOTIONS[name]) * np.float32(intensity)
