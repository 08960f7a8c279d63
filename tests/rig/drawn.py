"""A drawn head with a mesh: the 478 points laid through the 68 that the drawn world knows exactly."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import eadnet
from eadnet.faces.bundled import bundled_face
from eadnet.media.images import read_image
from eadnet.rig.topology import (
    BROWS,
    CHEEK,
    CHEEKBONE,
    EYES,
    LOWER_INNER,
    LOWER_OUTER,
    NASOLABIAL,
    OVAL,
    UPPER_INNER,
    UPPER_OUTER,
    WING,
)


def _through(points: np.ndarray, count: int) -> np.ndarray:
    """So many points at equal distances along a polyline."""
    length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    at = np.linspace(0, length[-1], count)
    return np.stack([np.interp(at, length, points[:, k]) for k in (0, 1)], 1)


def mesh_of(marks: np.ndarray) -> Tensor:
    """A plausible mesh [478, 3] in pixels through 68 landmarks of an upright face [68, 2]."""
    marks = marks.astype(float)
    eyes = {"r": marks[36:42].mean(0), "l": marks[42:48].mean(0)}
    scale = float(np.linalg.norm(eyes["l"] - eyes["r"]))
    middle = (eyes["r"] + eyes["l"]) / 2
    mesh = np.full((478, 2), np.nan)

    def put(rows: tuple[int, ...], points: np.ndarray) -> None:
        mesh[list(rows)] = points

    # Outline: the jaw of the 68, closed over the forehead by an ellipse.
    jaw = marks[:17]
    width = (jaw[-1, 0] - jaw[0, 0]) / 2
    angles = np.linspace(0, np.pi, 19)[1:-1]
    centre = (jaw[0] + jaw[-1]) / 2
    top = np.stack([centre[0] - width * np.cos(angles), centre[1] - 0.78 * width * np.sin(angles)], 1)
    ring = np.concatenate([top[8:], jaw[::-1], top[:8]])
    put(OVAL, _through(np.concatenate([ring, ring[:1]]), len(OVAL) + 1)[:-1])
    # Lips, from the right corner to the left one.
    put(UPPER_OUTER, _through(marks[48:55], 11))
    put(LOWER_OUTER, _through(np.concatenate([marks[54:60], marks[48:49]])[::-1], 11))
    put(UPPER_INNER, _through(marks[60:65], 11))
    put(LOWER_INNER, _through(np.concatenate([marks[64:68], marks[60:61]])[::-1], 11))
    for rows, outer, inner, share in (
        ((76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306), UPPER_OUTER, UPPER_INNER, 0.4),
        ((62, 183, 42, 41, 38, 12, 268, 271, 272, 407, 292), UPPER_OUTER, UPPER_INNER, 0.75),
        ((77, 90, 180, 85, 16, 315, 404, 320, 307), LOWER_OUTER[1:-1], LOWER_INNER[1:-1], 0.4),
        ((96, 89, 179, 86, 15, 316, 403, 319, 325), LOWER_OUTER[1:-1], LOWER_INNER[1:-1], 0.75),
    ):
        put(rows, (1 - share) * mesh[list(outer)] + share * mesh[list(inner)])
    lids = {
        "r": (marks[[36, 37, 38, 39]], marks[[36, 41, 40, 39]]),
        "l": (marks[[42, 43, 44, 45]], marks[[42, 47, 46, 45]]),
    }
    for side, (upper, lower) in lids.items():
        eye, brow = EYES[side], BROWS[side]
        put(eye.upper, _through(upper, 9))
        put(eye.lower, _through(lower, 9))
        high, low = mesh[list(eye.upper)][1:-1], mesh[list(eye.lower)][1:-1]
        put(eye.crease, high - [0, 0.09 * scale])
        put(eye.above, high - [0, 0.16 * scale])
        put(eye.below, low + [0, 0.06 * scale])
        put(eye.bag, low + [0, 0.14 * scale])
        line = _through(marks[17:22] if side == "r" else marks[26:21:-1], 5)
        put(brow.upper, line - [0, 0.04 * scale])
        put(brow.lower, line + [0, 0.04 * scale])
        iris = (upper[1] + upper[2] + lower[1] + lower[2]) / 4
        radius = 0.13 * scale
        put(eye.iris, iris + radius * np.array([[0, 0], [1, 0], [0, -1], [-1, 0], [0, 1]]))
        sign = 1 if side == "l" else -1
        corner = marks[54 if side == "l" else 48]
        wing = marks[35 if side == "l" else 31]
        mesh[WING[side]] = wing + [0.03 * sign * scale, -0.04 * scale]
        mesh[CHEEKBONE[side]] = eyes[side] + [0.25 * sign * scale, 0.28 * scale]
        mesh[CHEEK[side]] = eyes[side] + [0.12 * sign * scale, 0.68 * scale]
        fold = np.linspace(0.15, 0.8, 3)[:, None] * (corner - wing) + wing + [0.12 * sign * scale, 0]
        put(NASOLABIAL[side][1:3], fold[:2])
        put(NASOLABIAL[side][3:], fold[:2] - [0.10 * sign * scale, 0])
    nose = marks[27:36]
    for index, point in {
        **{6: nose[0], 2: nose[6] + [0, 0.02 * scale], 4: nose[3], 164: (nose[6] + marks[51]) / 2},
        **{10: ring[0], 151: ring[0] * 0.6 + nose[0] * 0.4, 9: ring[0] * 0.3 + nose[0] * 0.7},
        **{152: marks[8], 200: 0.6 * marks[8] + 0.4 * marks[57]},
    }.items():
        mesh[index] = point
    # What no row names lies on cheeks and forehead.
    free = np.flatnonzero(np.isnan(mesh[:, 0]))
    golden = np.pi * (3 - np.sqrt(5))
    radii = np.sqrt((np.arange(len(free)) + 0.5) / len(free))
    spiral = np.stack(
        [radii * np.cos(golden * np.arange(len(free))), radii * np.sin(golden * np.arange(len(free)))], 1
    )
    spots = spiral * [0.95 * width, 0.95 * width] + middle + [0, 0.2 * scale]
    near_mouth = np.abs(spots - marks[48:68].mean(0)) < [0.62 * scale, 0.38 * scale]
    near_eye = np.min([np.abs(spots - e).max(1) for e in eyes.values()], 0) < 0.45 * scale
    away = near_mouth.all(1) | near_eye
    spots[away] = [
        [middle[0] + s, ring[0][1] + 0.3 * scale] for s in np.linspace(-0.5, 0.5, int(away.sum())) * scale
    ]
    mesh[free] = spots
    # Depth as on an ellipsoid, with the nose in front.
    x, y = (mesh - middle).T / scale
    depth = 0.9 - 1.15 * np.sqrt(np.clip(1 - (x / 1.35) ** 2 - ((y - 0.45) / 1.9) ** 2, 0.02, 1))
    depth -= 0.30 * np.exp(-((x / 0.16) ** 2) - ((y - 0.62) / 0.25) ** 2)
    return torch.from_numpy(np.concatenate([mesh, scale * depth[:, None]], 1)).float()


@lru_cache(maxsize=8)
def drawn_head(seed: int = 2, size: int = 256) -> tuple[Tensor, Tensor]:
    """A picture uint8 [size, size, 3] of a drawn person at rest and its mesh [478, 3]."""
    from eadnet.synthetic.expression import neutral
    from eadnet.synthetic.identity import sample_identity
    from eadnet.synthetic.renderer import Renderer

    frame = Renderer(sample_identity(np.random.default_rng(seed)), size=size).render(neutral())
    return torch.from_numpy(frame.image), mesh_of(frame.landmarks)


def noise_head(size: tuple[int, int] = (200, 180), channels: int = 3, seed: int = 1) -> tuple[Tensor, Tensor]:
    """A picture without anything in it, uint8 [H, W, channels], and the drawn head's mesh in it."""
    _, mesh = drawn_head()
    factor = size[1] / 256
    generator = torch.Generator().manual_seed(seed)
    picture = torch.randint(40, 216, (*size, channels), generator=generator, dtype=torch.uint8)
    return picture, mesh * factor


def turned(mesh: Tensor, degrees: float) -> Tensor:
    """The mesh of a head that is turned about the line down its middle."""
    angle = np.deg2rad(degrees)
    centre = mesh.mean(0)
    x, y, z = (mesh - centre).unbind(1)
    return centre + torch.stack(
        [x * np.cos(angle) - z * np.sin(angle), y, x * np.sin(angle) + z * np.cos(angle)], 1
    )


@lru_cache(maxsize=1)
def bundled_head() -> tuple[Tensor, Tensor]:
    """The bundled portrait and its mesh as the face landmarker sees it."""
    picture = read_image(Path(eadnet.__file__).parent / "assets" / "portrait.png")
    pixels = (picture[..., :3] * 255).round().to(torch.uint8)
    face = bundled_face(pixels.numpy())
    assert face is not None
    return pixels, torch.as_tensor(face.points)
