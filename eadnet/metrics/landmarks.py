"""Landmark distance (LMD, Chen et al., ECCV 2018): how far the points of a face lie from where they should.

Points come from any detector; both clips must use the same one. Distances are shares of the face's size, so
that resolutions compare.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import InputError
from ..rig.topology import CORNERS, LOWER_LIP, UPPER_LIP

# Rows of the mouth in the 68 points of the iBUG scheme.
MOUTH_68 = tuple(range(48, 68))
# Rows of the lips, all four rings with their corners, in the face mesh of 478 points.
MOUTH_478 = tuple(sorted({*UPPER_LIP, *LOWER_LIP, *CORNERS}))


def landmark_distance(
    generated: Tensor,
    reference: Tensor,
    points: Sequence[int] | None = None,
    valid: Tensor | None = None,
    aligned: bool = True,
) -> Tensor:
    """Mean distance of the points of every shared frame, in shares of the reference face's diagonal.

    Args:
        generated, reference: [T, P, 2], in any one unit; NaN where no face was found.
        points: rows to compare, for instance `MOUTH_68`; all if None.
        valid: bool [T]; frames to compare. None takes all with finite points.
        aligned: take out the difference between the centres of the compared points first, so that a moved
            head does not count; the published measure does so.

    Returns:
        [min(T)], float32, NaN for frames that cannot be compared.

    Raises:
        InputError: not landmarks, or different numbers of points.
    """
    for landmarks in (generated, reference):
        if landmarks.ndim != 3 or landmarks.shape[-1] != 2 or 0 in landmarks.shape:
            raise InputError(f"landmarks have shape {list(landmarks.shape)}: use [frames, points, 2].")
    if generated.shape[1] != reference.shape[1]:
        raise InputError(
            f"the faces have {generated.shape[1]} and {reference.shape[1]} points: use one detector for both."
        )
    count = min(len(generated), len(reference))
    ours, truth = generated[:count].cpu().double(), reference[:count].cpu().double()
    size = (truth.amax(1) - truth.amin(1)).norm(dim=-1)
    if points is not None:
        rows = torch.as_tensor(points, dtype=torch.long)
        ours, truth = ours[:, rows], truth[:, rows]
    if aligned:
        ours, truth = (x - x.mean(1, keepdim=True) for x in (ours, truth))
    distance = (ours - truth).norm(dim=-1).mean(1) / size.clamp(min=1e-9)
    usable = size > 1e-9
    if valid is not None:
        usable &= valid[:count].bool().cpu()
    return distance.where(usable, torch.nan).float()
