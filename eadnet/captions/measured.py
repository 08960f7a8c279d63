"""Captions measured on the face: blend shapes to action units to an emotion, with no language model.

Blend shapes are ARKit's 52, from `eadnet.faces.landmarker` or from ComfyUI's own face landmarks. They say
how much a shape is there, not how much is much: at rest some are well above 0, and some never come near 1.
`blendshapes.json` holds what is usual for each (see `docs/results/measured.md` for where the numbers come
from).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np

from ..errors import InputError
from ..faces.comfy_landmarks import blend_shapes, faces_of_frames
from ..faces.landmarker import blendshapes
from .base import Captioned
from .frames import check_frames
from .schema import EMOTIONS, SIDES, UNITS, ActionUnit, Description, prototypes
from .words import sentence

_VISIBLE = 0.15


@dataclass(frozen=True)
class Rules:
    """What was settled by looking at labelled clips, so that it can be measured on others.

    `calm`: a face whose action units have less than this length is called neutral. `cheeks`: a smile that
    narrows the eyes raises the cheeks. `speech`: units that mostly speak do not count.
    """

    calm: float = 0.35
    cheeks: bool = True
    speech: bool = True


RULES = Rules()

_TURNED = 0.35


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    return json.loads(resources.files(__package__).joinpath("blendshapes.json").read_text("utf-8"))


def mean_shapes(frames: Sequence[Mapping[str, float] | None]) -> dict[str, float]:
    """Every shape's mean over the frames with a face. Raises InputError when there is none."""
    seen = [frame for frame in frames if frame]
    if not seen:
        raise InputError("No face was found in the frames: use frames with one clearly visible face.")
    return {name: float(np.mean([frame.get(name, 0.0) for frame in seen])) for name in seen[0]}


def action_units(
    shapes: Mapping[str, float], rest: Mapping[str, float] | None = None, rules: Rules = RULES
) -> tuple[ActionUnit, ...]:
    """Action units from the shapes of a face; ``rest`` is the same person's calm face, where known."""
    found = []
    measured = {
        int(number): {side: _strength(shapes, rest, names) for side, names in sides.items()}
        for number, sides in _table()["units"].items()
    }
    for side in SIDES[1:] if rules.cheeks else ():
        # Cheeks that a smile pushes up narrow the eyes; MediaPipe sees only the eyes.
        pushed = min(measured[7][side], measured[12][side])
        measured[6][side] = max(measured[6][side], pushed)
        measured[7][side] -= pushed
    for number, strengths in measured.items():
        left, right = strengths.get("left"), strengths.get("right")
        if left is None or right is None:
            found.append((number, "both", strengths["both"]))
        elif abs(left - right) < 0.25 * max(left, right) + 0.1:
            found.append((number, "both", (left + right) / 2))
        else:
            found += [(number, "left", left), (number, "right", right)]
    return tuple(ActionUnit(n, side, round(value, 3)) for n, side, value in found if value >= _VISIBLE)


def _strength(shapes: Mapping[str, float], rest: Mapping[str, float] | None, names: Sequence[str]) -> float:
    """Mean over the shapes of how far each is on its way from rest to full."""
    return float(np.mean([_share(shapes, rest, name) for name in names]))


def _share(shapes: Mapping[str, float], rest: Mapping[str, float] | None, name: str) -> float:
    usual, full = _table()["shapes"][name]
    low = usual if rest is None else rest.get(name, usual)
    return min(1.0, max(0.0, (shapes.get(name, 0.0) - low) / max(full - low, 0.05)))


def _vector(units: Sequence[ActionUnit], rules: Rules = RULES) -> np.ndarray:
    """Strengths of the units that tell emotions apart here, on the left and on the right, [2 * units].

    Left out are those that MediaPipe leaves at 0 on every face ("blind") and those that mostly speak
    ("speech").
    """
    left_out = {*_table()["blind"], *(_table()["speech"] if rules.speech else ())}
    numbers = [number for number in UNITS if number not in left_out]
    vector = np.zeros((2, len(numbers)))
    for unit in units:
        for row, side in enumerate(SIDES[1:]):
            if unit.side in ("both", side) and unit.number in numbers:
                place = row, numbers.index(unit.number)
                vector[place] = max(vector[place], unit.strength)
    return vector.reshape(-1) / np.sqrt(2)


def emotion_scores(units: Sequence[ActionUnit], rules: Rules = RULES) -> dict[str, float]:
    """How well each emotion's prototype explains a face, as a cosine; contempt counts on either side.

    Neutral gets what is missing to a visible face.
    """
    face = _vector(units, rules)
    length = float(np.linalg.norm(face))
    scores = {"neutral": max(0.0, 1 - length / (2 * rules.calm))}
    for name in EMOTIONS[1:]:
        plain = prototypes()[name].action_units
        mirrored = [
            ActionUnit(u.number, {"left": "right", "right": "left"}.get(u.side, u.side), u.strength)
            for u in plain
        ]
        best = max(float(face @ _unit_length(_vector(side, rules))) for side in (plain, mirrored))
        scores[name] = best / max(length, 1e-9) if length else 0.0
    return scores


def _unit_length(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def describe_shapes(
    shapes: Mapping[str, float],
    rest: Mapping[str, float] | None = None,
    seed: int = 0,
    features: int = 3,
    rules: Rules = RULES,
) -> Description:
    """A description of a face from its blend shapes, with a caption."""
    units = action_units(shapes, rest, rules)
    scores = emotion_scores(units, rules)
    length = float(np.linalg.norm(_vector(units, rules)))
    calm = length < rules.calm
    emotion = "neutral" if calm else max(EMOTIONS[1:], key=lambda name: scores[name])
    intensity = 0.0
    if emotion != "neutral":
        full = float(np.linalg.norm(_vector(prototypes()[emotion].action_units, rules)))
        intensity = min(1.0, scores[emotion] * length / full)
    prototype = prototypes()[emotion]
    described = Description(
        emotion,
        round(intensity, 3),
        round(prototype.valence * intensity, 3),
        round(prototype.arousal * intensity, 3),
        units,
        gaze=_gaze(shapes),
    )
    return Description(**{**vars(described), "caption": sentence(described, seed, features)})


def _gaze(shapes: Mapping[str, float]) -> str:
    """Where the eyes look, as the viewer sees it: the person's own left is the viewer's right."""

    def mean(*names: str) -> float:
        return sum(shapes.get(name, 0.0) for name in names) / len(names)

    ways = {
        "right": mean("eyeLookOutLeft", "eyeLookInRight"),
        "left": mean("eyeLookOutRight", "eyeLookInLeft"),
        "up": mean("eyeLookUpLeft", "eyeLookUpRight"),
        "down": mean("eyeLookDownLeft", "eyeLookDownRight") - 0.15,  # lids at rest count as a little down
    }
    way = max(ways, key=lambda name: ways[name])
    return way if ways[way] > _TURNED else "ahead"


def from_face_landmarks(landmarks: Any, seed: int = 0) -> Captioned:
    """From what ComfyUI's face landmark node gives: plain data, see `FACE_LANDMARKS` in its documentation.

    The first face of every frame counts. Raises InputError when there is no face or when it has no blend
    shapes.
    """
    frames = faces_of_frames(landmarks)
    shapes = [blend_shapes(faces[0]) if faces else None for faces in frames]
    if any(frames) and not any(shapes):
        raise InputError(
            "The face landmarks contain no blend shapes: use a landmark model that outputs them."
        )
    return _captioned(shapes, "measured on ComfyUI's face landmarks", seed)


class MeasuredCaptioner:
    """Measures the frames with the face landmarker (see `eadnet.faces.landmarker`)."""

    def __init__(self, task: str | os.PathLike[str]) -> None:
        self.task = task

    def describe(self, frames: Sequence[np.ndarray], seed: int = 0) -> Captioned:
        """See `Captioner`. Raises InputError when no face is found, CheckpointError without the file."""
        check_frames(frames)
        return _captioned(blendshapes(frames, self.task), "measured with MediaPipe", seed)


def _captioned(frames: Sequence[Mapping[str, float] | None], source: str, seed: int) -> Captioned:
    shapes = mean_shapes(frames)
    without = sum(not frame for frame in frames)
    notes = (f"{without} of {len(frames)} frames show no face",) if without else ()
    raw = json.dumps({name: round(value, 3) for name, value in shapes.items() if value >= 0.01})
    return Captioned(describe_shapes(shapes, seed=seed), source, raw, notes=notes)
