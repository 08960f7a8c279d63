"""A face from few points: the mean face, turned, moved and bent until its points lie where they are given.

For pictures in which no finder sees a face, and for meshes that came without depth.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import CheckpointError, InputError
from ..modules.face_mesh import POINTS

# Points that a person can name, and the vertices of the mesh whose mean each is. Right is the person's.
NAMED: dict[str, tuple[int, ...]] = {
    "right eye": (33, 133, 159, 145),
    "left eye": (263, 362, 386, 374),
    "nose tip": (4,),
    "right mouth corner": (61,),
    "left mouth corner": (291,),
    "chin": (152,),
    "forehead": (10,),  # where it ends, in the middle
    "right cheek": (234,),  # the outline, level with the eyes
    "left cheek": (454,),
    "right brow": (70, 63, 105, 66, 107),
    "left brow": (300, 293, 334, 296, 336),
    "upper lip": (0,),  # its upper edge, in the middle
    "lower lip": (17,),  # its lower edge, in the middle
}
FIVE = tuple(NAMED)[:5]  # in the order of `face.POINTS`: the least that is needed

_FLAT = 0.05  # how much a camera that stretches the face counts against one that only turns it
_REACH = 0.8  # how far a point bends the face around it, in distances of the eyes


def mean_face() -> np.ndarray:
    """[478, 3] float64 in distances of the eyes, (0, 0, 0) between them: x to the person's left, y down, z
    away.

    It is the mean of what the landmarker sees in drawn, neutral heads of our own, made symmetric
    (`python -m experiments landmarks mean`). No recording of a person went into it.
    """
    path = Path(__file__).with_name("mean_face.json")
    if not path.is_file():
        raise CheckpointError("The bundled mean face is missing (mean_face.json): reinstall the package.")
    return np.array(json.loads(path.read_text(encoding="utf-8")), np.float64)


def mesh_at(points: Mapping[str, Sequence[float] | np.ndarray]) -> np.ndarray:
    """Points (x, y) in pixels by the names of `NAMED`, `FIVE` among them -> a whole mesh [478, 3] float32.

    The mesh passes through them. Its depth is in pixels, as in `landmarker.LandmarkedFace`. Raises InputError
    for unknown names, too few points, and points that coincide, lie on a line or are not finite.
    """
    unknown = [name for name in points if name not in NAMED]
    missing = [name for name in FIVE if name not in points]
    if unknown or missing:
        wrong = f"'{unknown[0]}' is none of them" if unknown else f"'{missing[0]}' is missing"
        raise InputError(
            f"A face by hand needs the points {', '.join(FIVE)}, and may have {', '.join(list(NAMED)[5:])}: "
            f"{wrong}."
        )
    given = np.array([points[name] for name in points], np.float64).reshape(len(points), 2)
    return _bent(mean_face(), _averages([NAMED[name] for name in points]), given)


def whole_mesh(mesh: np.ndarray) -> np.ndarray:
    """A mesh of 468 or 478 points [N, 2] in pixels -> [478, 3] float32 with irises and the mean face's depth.

    With a depth of its own, [N, 3], it keeps that. Raises InputError for another number of points.
    """
    count, axes = mesh.shape
    if count not in (468, POINTS) or axes not in (2, 3):
        raise InputError(f"The face mesh has the shape {list(mesh.shape)}: use 468 or 478 points.")
    result = _bent(mean_face(), np.eye(POINTS)[:count], mesh[:, :2].astype(np.float64), reach=0.15)
    result[:count, :axes] = mesh
    return result


def _averages(groups: Sequence[Sequence[int]]) -> np.ndarray:
    """[N, 478]: what makes of the vertices the mean of each group."""
    averages = np.zeros((len(groups), POINTS))
    for row, group in zip(averages, groups, strict=True):
        row[list(group)] = 1 / len(group)
    return averages


def _bent(face: np.ndarray, averages: np.ndarray, given: np.ndarray, reach: float = _REACH) -> np.ndarray:
    """The face [478, 3] as a camera shows it, with the means [N, 478] of its vertices at ``given`` [N, 2]."""
    own = averages @ face
    camera, shift, towards = _camera(own, given)
    seen = face @ camera.T + shift
    # A sum of bumps, one at each point, that moves every point to its place.
    bumps = _bumps(face, own, reach)
    # A little on the diagonal: points of one place need not agree.
    near = averages @ bumps + 1e-6 * np.eye(len(own))
    seen = seen + bumps @ np.linalg.solve(near, given - averages @ seen)
    return np.concatenate([seen, (face @ towards)[:, None]], axis=1).astype(np.float32)


def _bumps(at: np.ndarray, middles: np.ndarray, reach: float) -> np.ndarray:
    """[N, M]: how near each place is to each middle, 1 there and less with distance."""
    apart = ((at[:, None, :2] - middles[None, :, :2]) ** 2).sum(axis=2)
    bumps: np.ndarray = np.exp(-apart / (2 * reach**2))
    return bumps


def _camera(own: np.ndarray, given: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What turns points [N, 3] into pixels [N, 2], as far as it can: (matrix [2, 3], shift [2], depth [3]).

    A turn and a scale, then a little stretched along the picture where that fits better.
    """
    middle, centre = own.mean(axis=0), given.mean(axis=0)
    shape, picture = own - middle, given - centre
    finite = bool(np.isfinite(picture).all())
    spread = np.linalg.svd(picture if finite else np.zeros((2, 2)), compute_uv=False)
    if spread[0] < 1e-3 or spread[1] < 0.02 * spread[0]:
        raise InputError(
            "The points of the face coincide, lie on one line or are not finite: enter them again."
        )
    turned = _turned(shape, picture)
    # Ridge regression towards the turned camera, weighted by the shape's own size.
    gram = shape.T @ shape
    ridge = _FLAT * np.trace(gram) / 3 * np.eye(3)
    camera = turned + (picture - shape @ turned.T).T @ shape @ np.linalg.inv(gram + ridge)
    scale = np.linalg.norm(turned, axis=1).mean()
    towards = np.cross(turned[0], turned[1]) / scale
    return camera, centre - camera @ middle, towards


def _turned(shape: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """The scaled rotation [2, 3] that brings points [N, 3] nearest to the picture [N, 2], both centred.

    Scaled orthography by alternating: the depth that the picture lacks is taken from the last estimate.
    """
    depth = np.zeros(len(shape))
    camera = np.zeros((3, 3))
    for _ in range(50):
        target = np.concatenate([picture, depth[:, None]], axis=1)
        u, sizes, vh = np.linalg.svd(target.T @ shape)
        flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vh))])
        camera = u @ flip @ vh
        seen = shape @ camera.T
        scale = (seen[:, :2] * picture).sum() / max(float((seen[:, :2] ** 2).sum()), 1e-12)
        depth = scale * seen[:, 2]
    return camera[:2] * max(float(scale), 1e-12)
