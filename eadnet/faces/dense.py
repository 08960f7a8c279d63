"""What a mesh of 468 or 478 points (MediaPipe's, also ComfyUI's FACE_LANDMARKS) says of a face."""

from __future__ import annotations

import numpy as np

from .face import Face

# Corners and lids of an eye, ends of the mouth, tip of the nose; right is the person's.
_RIGHT_EYE, _LEFT_EYE = (33, 133, 159, 145), (263, 362, 386, 374)
_NOSE_TIP, _MOUTH = (4,), ((61,), (291,))
# What LatentSync averages of its detector's 106 points: the upper edge of each brow, and lower bridge, tip
# and wings of the nose.
_RIGHT_BROW, _LEFT_BROW = (70, 63, 105, 66, 107), (300, 293, 334, 296, 336)
_NOSE = (5, 4, 129, 358)

MESH = 468  # the first so many points are the skin; the rest, where there are any, the irises


def face_from_mesh(mesh: np.ndarray, score: float = 1.0) -> Face:
    """A face from mesh points [468 or more, 2] in pixels."""
    skin = mesh[:MESH].astype(np.float32)

    def middles(*groups: tuple[int, ...]) -> np.ndarray:
        return np.stack([skin[list(group)].mean(axis=0) for group in groups])

    return Face(
        box=np.concatenate([skin.min(axis=0), skin.max(axis=0)]),
        points=middles(_RIGHT_EYE, _LEFT_EYE, _NOSE_TIP, *_MOUTH),
        score=score,
        brows=middles(_RIGHT_BROW, _LEFT_BROW, _NOSE),
    )
