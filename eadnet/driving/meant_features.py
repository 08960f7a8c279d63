"""Features that a sentence names and the model of motion shows only in part: a wrinkled nose, one brow.

A feature that was rare in training alone (every fortieth sentence or less) is found by the model, but shown
with half of its strength. The sentence itself says how far it is meant to go: its face is read off the same
tokens by a linear map (`sentence`), which is a second, independent reading. Where both see a feature, the
weaker showing is raised to what the sentence means; what the model does not show, or shows more strongly,
stays. The second reading takes most of a second to fit, and faces without such a feature (happy, sad, angry)
gain nothing by it: `shows_rare_feature` tells them apart. What it is worth: docs/results/motion.md.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..rig.expression import INDEX, RANGES
from ..rig.track import GROUPS, columns

_LASTS = 1.0  # seconds over which a feature is looked at: quicker is speech
# From what on the model shows a feature, and where it does so surely. In calm faces it stays below the first.
_FROM, _SURE = 0.1, 0.2
# What was rare alone: these, and one side of a face without the other, or further than it by so much.
_RARE = ("nose_wrinkle", "dimple_l", "dimple_r")
_ASKEW = 0.06
_LEFT = [name for name in GROUPS["emotion"] if name.endswith("_l")]


def shows_rare_feature(values: Tensor, fps: float) -> bool:
    """Whether facial parameters [T, P] have, for a second, a feature that may be shown in part."""
    shown = _slow(values, _width(fps))
    rare = shown[:, [INDEX[name] for name in _RARE]]
    left, right = (shown[:, [INDEX[name[:-1] + side] for name in _LEFT]] for side in "lr")
    return bool((rare > _FROM).any() or ((left - right).abs() > _ASKEW).any())


def with_meant_features(values: Tensor, meant: Tensor, fps: float) -> Tensor:
    """Facial parameters [T, P] whose features of emotion go at least as far as the sentence means.

    Args:
        values: in the order of `rig.expression.PARAMETERS`.
        meant: the sentence's face, [T, P] or [1, P] (`SentenceReader.beyond_none`).
        fps: frames per second.

    Returns:
        [T, P], another tensor; lips, jaw, lids, gaze and head are as they were.
    """
    feels = [column for name in GROUPS["emotion"] for column in columns(name)]
    shown = _slow(values[:, feels], _width(fps))
    seen = ((shown - _FROM) / (_SURE - _FROM)).clamp(0, 1)
    missing = (meant[:, feels].to(values) - shown).clamp(min=0)
    high = torch.from_numpy(RANGES[feels, 1]).to(values)
    raised = values.clone()
    raised[:, feels] = torch.minimum(values[:, feels] + seen * seen * (3 - 2 * seen) * missing, high)
    return raised


def _width(fps: float) -> int:
    return round(_LASTS * fps) // 2 * 2 + 1


def _slow(curves: Tensor, width: int) -> Tensor:
    """Moving averages over an odd number of frames, [T, n] -> same; ends are held."""
    if not len(curves):
        return curves
    padded = F.pad(curves.T[None], (width // 2, width // 2), mode="replicate")
    return F.avg_pool1d(padded, width, 1)[0].T
