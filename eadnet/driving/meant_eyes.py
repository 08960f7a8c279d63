"""Lids and gaze that a sentence means: tired eyes half shut, ashamed ones cast down.

The model of motion makes them together with blinks and glances of its own, which are too weak to be shown and
are drawn by rule instead (`idle`). What lasts, and is more than the model shows without a sentence, is meant,
and stays beneath the drawn ones.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..rig.track import Track, columns

_LASTS = 2.0  # seconds: what is quicker is a blink or a glance
# From what on it is meant, and where it is so wholly. Without a sentence the model's lids stay below .11 and
# its gaze below .06.
_LIDS, _GAZE = (0.12, 0.24), (0.07, 0.15)


def meant_eyes(track: Track, lids: float = 1.0, gaze: float = 1.0) -> Track:
    """Blink and gaze as they are meant, times ``lids`` and ``gaze``; the rest 0."""
    width = round(_LASTS * track.fps) // 2 * 2 + 1
    values = torch.zeros_like(track.values)
    for group, (low, high), amount in (("blink", _LIDS, lids), ("gaze", _GAZE, gaze)):
        for column in columns(group):
            lasting = _running_median(track.values[:, column], width)
            share = ((lasting.abs() - low) / (high - low)).clamp(0, 1)
            values[:, column] = amount * lasting * share * share * (3 - 2 * share)
    return Track(values, track.fps)


def with_meant_eyes(track: Track, meant: Track) -> Track:
    """A track whose lids are never wider than they are meant, and whose glances start from where they are."""
    lids, gaze = columns("blink"), columns("gaze")
    values = track.values.clone()
    values[:, lids] = torch.maximum(values[:, lids], meant.values[:, lids])
    values[:, gaze] = (values[:, gaze] + meant.values[:, gaze]).clamp(-1, 1)
    return Track(values, track.fps)


def _running_median(curve: Tensor, width: int) -> Tensor:
    """[T] -> [T], over an odd number of frames; ends are held."""
    if not len(curve):
        return curve
    padded = F.pad(curve[None, None], (width // 2, width // 2), mode="replicate")[0, 0]
    return padded.unfold(0, width, 1).median(1).values
