"""What the picture's own face already does, and how much of it is taken back."""

from __future__ import annotations

from collections.abc import Mapping

from .canonical import Canonical
from .mixing import Rest

WIDE_OPEN = 0.11  # eye distances between the lips from which a still counts as one that speaks or shouts
# A still counts as emotional from so much of a blend shape; as much of it as `share` becomes that of the
# parameter.
_SHAPES = (
    ("mouthSmile", "smile", 0.35, 0.65),
    ("browOuterUp", "outer_brow_up", 0.85, 0.6),  # many calm faces have high arches
    ("mouthFrown", "frown", 0.35, 0.5),
    ("browDown", "brow_lower", 0.58, 0.7),
)
_SIDES = {"l": "Left", "r": "Right"}


def held_back(yaw: float) -> float:
    """How much strong expressions are held back on a head turned by so many degrees: nothing to 15, half at
    35."""
    t = min(1.0, max(0.0, (abs(yaw) - 15.0) / 20.0))
    return 0.5 * t * t * (3 - 2 * t)


def rest_of(
    face: Canonical, shapes: Mapping[str, float] | None, calm: float | None
) -> tuple[Rest, tuple[str, ...]]:
    """The picture's rest and what to tell the user of it."""
    gap = float((face.points[[14, 317, 87], 1] - face.points[[13, 312, 82], 1]).mean().clamp(min=0))
    known = shapes or {}
    strong = [
        shape
        for shape, _, least, _ in _SHAPES
        if max(known.get(shape + s, 0.0) for s in _SIDES.values()) > least
    ]
    wide = gap > WIDE_OPEN
    if calm is None:
        calm = 1.0 if strong or wide else 0.0
    taken = {}
    for shape, parameter, _, share in _SHAPES:
        for side, name in _SIDES.items():
            amount = share * max(0.0, known.get(shape + name, 0.0) - 0.1) * calm
            if amount > 0.01:
                taken[f"{parameter}_{side}"] = amount
    notes = []
    if calm > 0 and strong:
        notes.append("The face in the picture shows an expression of its own: it is calmed, its folds stay.")
    if calm > 0 and wide:
        notes.append("The mouth in the picture is open: it is closed at rest.")
    return Rest(gap, taken, calm if wide else 0.0, held_back(face.yaw)), tuple(notes)
