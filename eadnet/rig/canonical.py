"""The canonical face: a mesh freed from where it is in the picture, how large, and how it is turned.

Units are eye distances (IOD), x right in the picture, y down, z away from the viewer, and the origin lies
between the eyes. Expressions are written here once; `Canonical.project` carries them into any picture,
turned heads included.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import InputError
from .topology import DOWN_POINTS, EYES, SKIN, UP_POINTS

LEAST_EYES = 6.0  # pixels between the eyes


@dataclass(frozen=True, eq=False)
class Canonical:
    """A face in its own coordinates and the way back into its picture.

    points: [478 or 468, 3] in eye distances.
    axes: [3, 3], the columns are the face's x, y and z in the picture's coordinates.
    centre: [3] pixels, between the eyes. scale: pixels per eye distance.
    """

    points: Tensor
    axes: Tensor
    centre: Tensor
    scale: float

    def project(self, vectors: Tensor) -> Tensor:
        """Displacements [..., 3] in eye distances -> in pixels of the picture [..., 2].

        d_picture = s (R d)_xy: without perspective, which the mesh does not know of either.
        """
        return self.scale * (vectors @ self.axes.T)[..., :2]

    def place(self, points: Tensor) -> Tensor:
        """Points [..., 3] of the canonical face -> pixels of the picture [..., 2]."""
        return self.centre[:2] + self.project(points)

    @property
    def yaw(self) -> float:
        """Degrees that the face is turned to the right of the picture."""
        return -math.degrees(math.atan2(float(self.axes[0, 2]), float(self.axes[2, 2])))

    @property
    def pitch(self) -> float:
        """Degrees that the face looks down."""
        return -math.degrees(math.asin(max(-1.0, min(1.0, float(self.axes[1, 2])))))

    @property
    def roll(self) -> float:
        """Degrees that the head is tilted, clockwise in the picture."""
        return math.degrees(math.atan2(float(self.axes[1, 0]), float(self.axes[0, 0])))


def canonical_face(points: Tensor) -> Canonical:
    """The canonical face of a mesh [478 or 468, 3] in pixels.

    x runs from the right eye to the left one, y from the forehead to the upper lip as far as it is
    orthogonal to x, z = x × y.

    Raises:
        InputError: another number of points, points that are not finite or coincide, a face that is too
        small.
    """
    if points.ndim != 2 or points.shape[0] not in (SKIN, SKIN + 10) or points.shape[1] != 3:
        raise InputError(
            f"The face's points have shape {list(points.shape)}: the rig needs the 478 points [478, 3] of "
            "MediaPipe's face mesh."
        )
    points = points.detach().float()
    if not bool(torch.isfinite(points).all()):
        raise InputError("The face's points are not finite numbers: find the face again.")
    eyes = {side: points[list(eye.corners)].mean(0) for side, eye in EYES.items()}
    across = eyes["l"] - eyes["r"]
    scale = float(across.norm())
    if scale < LEAST_EYES:
        raise InputError(
            f"The face is too small: its eyes are {scale:.0f} pixels apart, and the rig needs "
            f"{LEAST_EYES:.0f}. Use a larger picture of the face."
        )
    x = across / scale
    y = points[list(DOWN_POINTS)].mean(0) - points[list(UP_POINTS)].mean(0)
    y = y - x * (y @ x)
    if float(y.norm()) < 0.05 * scale:
        raise InputError("The face's points lie in one line: find the face again.")
    y = y / y.norm()
    axes = torch.stack([x, y, torch.linalg.cross(x, y)], dim=1)
    centre = (eyes["l"] + eyes["r"]) / 2
    return Canonical((points - centre) @ axes / scale, axes, centre, scale)
