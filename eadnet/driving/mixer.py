"""A sentence's face beside a speaking mouth: who moves what, and who gives way.

A speech driver knows the lips, and shows a feeling weaker than the sentence means it. So brows, lids, cheeks,
nose and the corners of the mouth take the sentence's own face, with the driver's rise and fall; the lips keep
what the driver says and take on as much of the feeling as what they are saying leaves room for.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..rig.expression import INDEX, RANGES
from ..rig.track import GROUPS, Track, columns

# A sentence says how people look; somebody who speaks has to show more of it to be seen.
_SHARE = 1.4
# How much of the feeling's own mouth the lips take on while they are free.
_LIPS = {
    **{"upper_lip_raise": 0.9, "lower_lip_depress": 0.8, "lip_stretch": 0.8, "lip_funnel": 0.5},
    **{"lip_press": 0.5, "jaw_open": 0.8},
}
_LEAST, _MOST = 0.75, 1.1  # how far a face falls and rises with the driver's own expression
_SLOW = 0.4  # seconds over which it does


def beside_speech(track: Track, face: Tensor, strength: float = 1.0) -> Track:
    """A track of speech with the face of a sentence.

    Args:
        track: of any speech driver, its own expression included, however weak.
        face: the facial parameters that the sentence means, [P], or [T, P] where it changes over time (see
            `eadnet.driving.sentence`).
        strength: times the face.

    What closes the lips stays the driver's to the letter, so bilabials close; blinks, gaze and the head are
    not touched. A face of zeros leaves the track as it is.
    """
    spoken = track.values
    meant = strength * (face if face.ndim == 2 else face[None]).to(spoken).expand(len(spoken), -1)
    values = spoken.clone()
    feels = [column for name in GROUPS["emotion"] for column in columns(name)]
    swing = _swing(spoken[:, feels], meant[:, feels], track.fps)
    values[:, feels] = torch.maximum(spoken[:, feels], _SHARE * swing * meant[:, feels])
    busy = _busy(track)
    for name, share in _LIPS.items():
        column = INDEX[name]
        room = (1 - busy) * (1 - spoken[:, column].clamp(0, 1))
        values[:, column] = spoken[:, column] + share * room * meant[:, column].clamp(0, 1)
    # Lips that are pressed together do not speak.
    pressed = INDEX["lip_press"]
    added = values[:, pressed] - spoken[:, pressed]
    values[:, pressed] = spoken[:, pressed] + added * (1 - 4 * track["jaw_open"]).clamp(0, 1)
    # Rounded lips let go of a smile.
    rounded = torch.maximum(track["lip_pucker"], track["lip_funnel"]).clamp(0, 1)
    for column in columns("smile"):
        values[:, column] = torch.lerp(
            values[:, column], torch.minimum(values[:, column], spoken[:, column]), 0.4 * rounded
        )
    low, high = torch.from_numpy(RANGES).unbind(1)
    return Track(torch.minimum(torch.maximum(values, low), high), track.fps)


def _busy(track: Track) -> Tensor:
    """How much the lips are needed for what they are saying, 0..1 [T]: closed, bitten or rounded."""
    parts = torch.stack([track[name] for name in ("lip_close", "lip_bite", "lip_pucker")])
    return parts.amax(0).clamp(0, 1)


def _swing(spoken: Tensor, meant: Tensor, fps: float) -> Tensor:
    """[T, 1]: how strongly the driver shows this face now, against its own average over the clip."""
    shown = (spoken * meant).sum(1) / meant.square().sum(1).clamp(min=1e-6)
    mean = shown.mean()
    if not len(shown) or float(mean) < 0.05:  # a driver without any expression has no rise and fall
        return torch.ones(len(shown), 1)
    width = max(1, round(_SLOW * fps)) | 1
    padded = torch.nn.functional.pad(shown[None, None], (width // 2, width // 2), mode="replicate")
    slow = torch.nn.functional.avg_pool1d(padded, width, 1)[0, 0]
    return (slow / mean).clamp(_LEAST, _MOST)[:, None]
