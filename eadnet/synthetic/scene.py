"""What stands still around the head: background and clothes."""

from __future__ import annotations

import numpy as np

from .canvas import blend, blur, polygon_mask
from .curves import closed_curve, mirrored, open_curve, ribbon
from .geometry import Geometry
from .head import Grid
from .identity import Identity


def background(identity: Identity, size: int) -> np.ndarray:
    """Muted out-of-focus surroundings, float32 [size, size, 3] in 0..255."""
    first, second = (np.asarray(color, np.float32) * 255 for color in identity.background_colors)
    grid = Grid(size)
    rng = np.random.default_rng(identity.texture_seed + 1)
    picture = np.empty((size, size, 3), np.float32)
    picture[:] = first
    kind = identity.background
    if kind == "gradient":
        blend(picture, second, np.clip(0.85 * grid.y + 0.25 * identity.light_x * -(grid.x - 0.5), 0, 1))
    elif kind == "two_tone":
        slope = 0.35 * np.sign(identity.light_x)
        step = np.clip((grid.y - 0.55 + slope * (grid.x - 0.5)) / 0.02 + 0.5, 0, 1)
        blend(picture, second, step.astype(np.float32) * 0.75)
    elif kind == "halo":
        away = np.sqrt((grid.x - 0.5) ** 2 + (grid.y - 0.42) ** 2)
        blend(picture, second, np.clip((away - 0.15) * 1.7, 0, 1))
    else:
        blend(picture, second, np.full((size, size), 0.35, np.float32) + 0.4 * grid.y)
        _room(picture, identity, size, rng, first, second)
    vignette = np.clip(((grid.x - 0.5) ** 2 + (grid.y - 0.5) ** 2) * 0.55, 0, 0.3)
    picture *= 1 - vignette[..., None]
    return picture


def _room(
    picture: np.ndarray,
    identity: Identity,
    size: int,
    rng: np.random.Generator,
    first: np.ndarray,
    second: np.ndarray,
) -> None:
    """A window, a shelf and a plant, far out of focus."""

    def box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
        return polygon_mask(np.array([(left, top), (right, top), (right, bottom), (left, bottom)]), size)

    lit_left = identity.light_x < 0
    window = 0.02 if lit_left else 0.74
    bright = np.minimum(first * 1.12 + 22, 250)
    layer = np.zeros((size, size), np.float32)
    for column in range(2):
        for row in range(2):
            x, y = window + 0.125 * column, 0.06 + 0.22 * row
            layer = np.maximum(layer, box(x, y, x + 0.105, y + 0.20))
    blend(picture, bright, blur(layer, 0.012, size) * 0.75)
    shelf = 0.70 if lit_left else -0.02
    blend(picture, second * 0.72, blur(box(shelf, 0.50, shelf + 0.34, 0.525), 0.010, size) * 0.7)
    x = shelf + 0.03
    for _ in range(6):
        width, height = rng.uniform(0.025, 0.045), rng.uniform(0.10, 0.17)
        tone = second * rng.uniform(0.65, 1.05) + rng.uniform(-16, 16, 3)
        blend(
            picture, np.clip(tone, 0, 255), blur(box(x, 0.50 - height, x + width, 0.50), 0.009, size) * 0.75
        )
        x += width + 0.006


def clothes(
    picture: np.ndarray, geometry: Geometry, size: int, neck: np.ndarray, neck_mask: np.ndarray
) -> np.ndarray:
    """Paint neck and clothes over `picture`, in place; returns their coverage [size, size]."""
    identity = geometry.identity
    color = np.asarray(identity.clothes_color, np.float32) * 255
    hw = geometry.half_width
    neck_half = 0.545 * hw * (0.6 + 0.4 * geometry.jaw)
    kind = identity.clothes
    shoulder = open_curve(
        [
            (0.5 + neck_half * 0.93, 0.880),
            (0.5 + neck_half * 1.35, 0.905),
            (0.5 + 0.33, 0.945),
            (0.5 + 0.43, 0.975),
            (0.5 + 0.485, 1.04),
            (0.5 + 0.49, 1.10),
        ]
    )
    body = polygon_mask(np.concatenate([shoulder, mirrored(shoulder)[::-1]]), size)
    depth = {"crew": 0.955, "v_neck": 1.04, "collar": 1.0, "turtleneck": 0.80, "hoodie": 0.955}[kind]
    grid = Grid(size)
    cloth = np.broadcast_to(color, (size, size, 3)).astype(np.float32)
    shade = (
        np.clip(np.abs(grid.x - 0.5) * 1.1 - 0.18, 0, 1)
        + np.clip((0.5 - grid.x) * identity.light_x, 0, 1) * 0.5
    )
    cloth *= 1 - (0.55 * shade * np.ones_like(grid.y))[..., None]
    blend(
        cloth,
        cloth * 1.10 + 12,
        blur(polygon_mask(ribbon(shoulder + (-0.02, 0.02), 0.03), size), 0.014, size) * 0.6,
    )
    blend(
        cloth,
        cloth * 1.10 + 12,
        blur(polygon_mask(ribbon(mirrored(shoulder) + (0.02, 0.02), 0.03), size), 0.014, size) * 0.6,
    )
    blend(picture, neck, neck_mask)
    wide = neck_half * (1.02 if kind != "v_neck" else 0.95)
    if kind == "turtleneck":
        tube = closed_curve(
            [
                (0.5 - wide * 1.06, 0.84),
                (0.5, 0.895),
                (0.5 + wide * 1.06, 0.84),
                (0.5 + wide * 1.12, 0.96),
                (0.5, 1.02),
                (0.5 - wide * 1.12, 0.96),
            ],
            60,
        )
        blend(picture, cloth, body)
        mask = polygon_mask(tube, size)
        blend(picture, cloth * 0.90, mask)
        body = np.maximum(body, mask)
    else:
        if kind == "v_neck":
            hole = np.array([(0.5 - wide * 1.04, 0.86), (0.5 + wide * 1.04, 0.86), (0.5, depth)])
        else:
            hole = closed_curve(
                [
                    (0.5 - wide * 1.06, 0.86),
                    (0.5 + wide * 1.06, 0.86),
                    (0.5 + wide * 0.62, depth - 0.018),
                    (0.5, depth),
                    (0.5 - wide * 0.62, depth - 0.018),
                ],
                60,
            )
        opening = polygon_mask(hole, size)
        blend(picture, cloth, body * (1 - opening))
        rim = np.clip(blur(opening, 0.008, size) * 2.2, 0, 1) * (1 - opening) * body
        blend(picture, cloth * (0.80 if kind != "crew" else 0.86), rim * 0.8)
        body = body * (1 - opening)
    if kind in ("collar", "hoodie"):
        for way in (-1, 1):
            if kind == "collar":
                flap = np.array(
                    [
                        (0.5 + way * wide * 1.02, 0.872),
                        (0.5 + way * wide * 1.42, 0.915),
                        (0.5 + way * wide * 0.85, 1.01),
                        (0.5 + way * 0.006, 0.985),
                    ]
                )
                tone = np.minimum(cloth * 1.12 + 14, 255)
            else:
                flap = closed_curve(
                    [
                        (0.5 + way * wide * 1.0, 0.845),
                        (0.5 + way * wide * 1.50, 0.875),
                        (0.5 + way * wide * 1.25, 0.965),
                        (0.5 + way * 0.01, 1.01),
                        (0.5 + way * wide * 0.7, 0.95),
                    ],
                    50,
                )
                tone = cloth * 0.88
            mask = polygon_mask(flap, size)
            blend(
                picture,
                picture * 0.72,
                blur(polygon_mask(flap + (0, 0.010), size), 0.008, size) * (1 - mask) * 0.7,
            )
            blend(picture, tone, mask)
            body = np.maximum(body, mask)
    return np.maximum(body, neck_mask)
