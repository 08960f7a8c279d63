"""The still skin of a head: relief under a soft light, nose, ears, neck, beard, freckles and lines."""

from __future__ import annotations

import numpy as np

from .canvas import blend, blur, fill, lines_mask, polygon_mask
from .curves import closed_curve, ellipse, mirrored, open_curve, ribbon, tapered
from .geometry import Geometry

_WARM_SHADOW = np.array([0.60, 0.44, 0.42], np.float32)


class Grid:
    """Pixel centres of a size x size picture in normalised coordinates."""

    def __init__(self, size: int) -> None:
        axis = (np.arange(size, dtype=np.float32) + 0.5) / size
        self.size = size
        self.x = axis[None, :]
        self.y = axis[:, None]

    def bump(self, x: float, y: float, sx: float, sy: float) -> np.ndarray:
        """Gaussian hill of height 1 -> float32 [size, size]."""
        across = np.exp(-0.5 * ((self.x - x) / sx) ** 2)
        along = np.exp(-0.5 * ((self.y - y) / sy) ** 2)
        hill: np.ndarray = along * across
        return hill

    def pair(self, offset: float, y: float, sx: float, sy: float) -> np.ndarray:
        """The same hill on both sides of the face."""
        axis = self.x
        across = np.exp(-0.5 * ((axis - 0.5 - offset) / sx) ** 2) + np.exp(
            -0.5 * ((axis - 0.5 + offset) / sx) ** 2
        )
        hills: np.ndarray = np.exp(-0.5 * ((self.y - y) / sy) ** 2) * across
        return hills


def _relief(geometry: Geometry, grid: Grid) -> np.ndarray:
    """Height of the face above the picture plane, in picture units."""
    g = geometry
    u = (grid.x - 0.5) / (g.half_width * 1.12)
    w = (grid.y - 0.47) / 0.47
    height = 0.30 * np.sqrt(np.maximum(0.02, 1 - u**2 - 0.75 * w**2))
    n = g.nose_half_width / 0.047
    height = height + 0.024 * grid.bump(0.5, 0.515, 0.021 * n, 0.060)
    height += 0.036 * grid.bump(0.5, g.nose_y - 0.022, 0.026 * n, 0.022)
    height += 0.014 * grid.pair(0.034 * n, g.nose_y - 0.010, 0.014 * n, 0.013)
    height += 0.010 * grid.pair(0.11, 0.392, 0.060, 0.016)
    height -= 0.016 * grid.pair(g.eye_x - 0.012, 0.442, 0.050, 0.026)
    height += 0.016 * grid.pair(0.150, 0.580, 0.060, 0.050)
    height += 0.014 * grid.bump(0.5, g.mouth_y, 0.070, 0.040)
    height -= 0.005 * grid.bump(0.5, g.mouth_y + 0.062, 0.045, 0.012)
    height += 0.016 * grid.bump(0.5, g.chin - 0.035, 0.050, 0.026)
    height -= 0.004 * grid.bump(0.5, 0.648, 0.009, 0.018)
    return height


def light_direction(geometry: Geometry) -> np.ndarray:
    """Unit vector towards the light, [3]: x right, y down, z towards the viewer."""
    direction = np.array([0.62 * geometry.identity.light_x, -0.48, 0.80])
    unit: np.ndarray = direction / np.linalg.norm(direction)
    return unit


def _lit(color: np.ndarray, geometry: Geometry, grid: Grid) -> np.ndarray:
    """Skin colour [3] under the light -> float32 [size, size, 3]."""
    height = _relief(geometry, grid) * grid.size
    dy, dx = np.gradient(height) if grid.size > 1 else (np.zeros_like(height), np.zeros_like(height))
    length = np.sqrt(1 + dx * dx + dy * dy)
    x, y, z = light_direction(geometry)
    lambert = (z - x * dx - y * dy) / length
    warmth = geometry.identity.light_warmth
    shadow = np.array([0.66, 0.53, 0.51]) - 0.02 * warmth * np.array([-1, 0, 1])
    bright = np.array([1.055, 1.035, 1.015]) + 0.02 * warmth * np.array([1, 0, -1.4])
    tone = np.clip((lambert - 0.18) / 0.80, 0, 1).astype(np.float32)
    tone = (tone * (1.55 - 0.55 * tone))[..., None]
    skin = color * (shadow + (bright - shadow) * tone).astype(np.float32)
    half = np.array([x, y, z + 1]) / np.linalg.norm([x, y, z + 1])
    shine = np.clip((half[2] - half[0] * dx - half[1] * dy) / length, 0, 1) ** 26
    skin += (0.08 * shine).astype(np.float32)[..., None] * np.array([255, 240, 225], np.float32)
    return skin


def _shade(picture: np.ndarray, mask: np.ndarray, amount: float, tint: np.ndarray = _WARM_SHADOW) -> None:
    """Darken the picture towards a warm shadow by amount * mask, in place."""
    import cv2

    strength = np.ascontiguousarray(mask, np.float32) * np.float32(amount)
    picture *= cv2.merge([1 - strength * np.float32(1 - channel) for channel in tint]).reshape(picture.shape)


def _nose(picture: np.ndarray, geometry: Geometry, size: int) -> None:
    g, w = geometry, geometry.nose_half_width
    light = geometry.identity.light_x
    y = g.nose_y
    under = closed_curve(
        [(0.5 - w * 0.85, y - 0.004), (0.5, y - 0.006), (0.5 + w * 0.85, y - 0.004), (0.5, y + 0.014)], 40
    )
    _shade(picture, blur(polygon_mask(under, size), 0.006, size), 0.75)
    side = -1 if light > 0 else 1  # the side of the bridge away from the light
    bridge = open_curve(
        [
            (0.5 + side * 0.030, 0.425),
            (0.5 + side * 0.020, 0.48),
            (0.5 + side * 0.027, 0.545),
            (0.5 + side * w * 0.72, y - 0.030),
        ]
    )
    strength = 0.28 + 0.25 * abs(light)
    _shade(picture, blur(polygon_mask(ribbon(bridge, 0.015), size), 0.007, size), strength)
    for way in (-1, 1):
        wing = open_curve(
            [
                (0.5 + way * w * 0.80, y - 0.034),
                (0.5 + way * w * 1.04, y - 0.016),
                (0.5 + way * w * 0.90, y + 0.001),
                (0.5 + way * w * 0.66, y + 0.001),
            ]
        )
        _shade(
            picture,
            blur(polygon_mask(ribbon(wing, tapered(40, 0.0068, 0.2, 0.55, 0.4)), size), 0.0022, size),
            0.72,
        )
        nostril = closed_curve(
            [
                (0.5 + way * w * 0.24, y + 0.001),
                (0.5 + way * w * 0.42, y - 0.006),
                (0.5 + way * w * 0.66, y - 0.002),
                (0.5 + way * w * 0.45, y + 0.004),
            ],
            24,
        )
        _shade(
            picture,
            blur(polygon_mask(nostril, size), 0.0020, size),
            0.95,
            np.array([0.30, 0.17, 0.16], np.float32),
        )
    shine = polygon_mask(ellipse((0.5 + 0.007 * light, y - 0.031), 0.010, 0.009), size)
    blend(picture, picture * 0.72 + np.array([78, 74, 70], np.float32), blur(shine, 0.006, size) * 0.55)
    ridge = polygon_mask(
        ribbon(open_curve([(0.5 + 0.004 * light, 0.47), (0.5 + 0.006 * light, 0.555)]), 0.010), size
    )
    blend(picture, picture * 0.75 + np.array([68, 62, 56], np.float32), blur(ridge, 0.007, size) * 0.35)


def _freckles(picture: np.ndarray, geometry: Geometry, size: int, rng: np.random.Generator) -> None:
    amount = geometry.identity.freckles
    count = int(40 + 80 * amount)
    side = rng.choice([-1, 1], count)
    x = 0.5 + side * np.minimum(np.abs(rng.normal(0.075, 0.050, count)), 0.19)
    y = rng.normal(0.557, 0.026, count)
    radius = rng.uniform(0.0012, 0.0028, count)
    mask = np.zeros((size, size), np.uint8)
    for cx, cy, r in zip(x, y, radius, strict=True):
        fill(mask, ellipse((cx, cy), r, r, 8), 255, size)
    spots = blur(mask.astype(np.float32) / 255, 0.0012, size)
    _shade(picture, spots, 0.22 + 0.26 * amount, np.array([0.66, 0.45, 0.34], np.float32))


def _age_lines(picture: np.ndarray, geometry: Geometry, size: int) -> None:
    """Lines at rest: forehead, under the eyes, beside the mouth, crow's feet."""
    age, g = geometry.identity.age, geometry
    fine = [
        ribbon(open_curve([(0.5 - w, y + 0.006), (0.5, y), (0.5 + w, y + 0.006)]), tapered(40, 0.005))
        for y, w in ((0.262, 0.11), (0.296, 0.13), (0.328, 0.10))
    ]
    for side in (-1, 1):
        eye = g.eye_x
        bag = open_curve(
            [
                (0.5 + side * (eye - 0.055), 0.478),
                (0.5 + side * eye, 0.502),
                (0.5 + side * (eye + 0.045), 0.492),
            ]
        )
        fine.append(ribbon(bag, tapered(40, 0.007)))
        fold = open_curve(
            [(0.5 + side * 0.062, 0.600), (0.5 + side * 0.098, 0.640), (0.5 + side * 0.115, 0.690)]
        )
        fine.append(ribbon(fold, tapered(40, 0.008)))
        for k in (-1, 0, 1):
            crow = open_curve(
                [
                    (0.5 + side * (eye + 0.072), 0.450 + 0.012 * k),
                    (0.5 + side * (eye + 0.100), 0.450 + 0.024 * k),
                ]
            )
            fine.append(ribbon(crow, tapered(40, 0.0045)))
    mask = np.zeros((size, size), np.uint8)
    for outline in fine:
        fill(mask, outline, 255, size)
    strength = 0.60 * float(np.clip((age - 0.2) / 0.8, 0, 1))
    _shade(picture, blur(mask.astype(np.float32) / 255, 0.0042, size), strength)


def _ears(picture: np.ndarray, alpha: np.ndarray, geometry: Geometry, size: int, skin: np.ndarray) -> None:
    scale, hw = geometry.identity.ear_size, geometry.half_width
    for way in (-1, 1):
        x = 0.5 + way * hw * 0.985
        shape = closed_curve(
            [
                (x - way * 0.010, 0.425),
                (x + way * 0.022, 0.412),
                (x + way * 0.040 * scale, 0.445),
                (x + way * 0.030 * scale, 0.505),
                (x + way * 0.012, 0.553 + 0.01 * scale),
                (x - way * 0.012, 0.545),
            ],
            50,
        )
        mask = polygon_mask(shape, size)
        blend(picture, skin * (0.93, 0.86, 0.85), mask)
        inner = closed_curve(
            [
                (x + way * 0.004, 0.445),
                (x + way * 0.022, 0.440),
                (x + way * 0.026 * scale, 0.475),
                (x + way * 0.012, 0.520),
            ],
            40,
        )
        _shade(picture, blur(polygon_mask(inner, size), 0.005, size) * mask, 0.62)
        _shade(picture, np.clip(1.6 * (1 - blur(mask, 0.010, size)), 0, 1) * mask, 0.30)
        np.maximum(alpha, mask, out=alpha)


def _beard(
    picture: np.ndarray, alpha: np.ndarray, geometry: Geometry, size: int, rng: np.random.Generator
) -> None:
    """Stubble darkens the skin; moustache and full beard are drawn hair by hair."""
    g, kind = geometry, geometry.identity.beard
    hair = np.asarray(geometry.identity.hair_color, np.float32) * 255 * 0.85
    m = g.mouth_y
    drop = g.chin - 0.858
    upper = [
        (0.5 - 0.116, m + 0.006),
        (0.5 - 0.088, m - 0.042),
        (0.5 - 0.03, m - 0.066),
        (0.5, m - 0.060),
        (0.5 + 0.03, m - 0.066),
        (0.5 + 0.088, m - 0.042),
        (0.5 + 0.116, m + 0.006),
    ]
    moustache = closed_curve(
        [
            *upper,
            (0.5 + 0.092, m + 0.010),
            (0.5 + 0.045, m - 0.018),
            (0.5, m - 0.018),
            (0.5 - 0.045, m - 0.018),
            (0.5 - 0.092, m + 0.010),
        ],
        80,
    )
    hw, jaw = g.half_width, g.jaw
    cheek_right = [
        (0.5 + hw * 1.0, 0.52),
        (0.5 + hw * 0.88, 0.585),
        (0.5 + hw * 0.70, 0.648),
        (0.5 + 0.120, m - 0.035),
    ]
    low = [
        (0.5 + hw * 0.86 * jaw, 0.725),
        (0.5 + hw * 0.64 * jaw, 0.808 + drop),
        (0.5 + hw * 0.34 * jaw, 0.862 + drop),
        (0.5, g.chin + 0.012),
    ]
    outline = (
        cheek_right
        + [
            (0.5 + 0.112, m + 0.018),
            (0.5 + 0.06, m + 0.060),
            (0.5, m + 0.056),
            (0.5 - 0.06, m + 0.060),
            (0.5 - 0.112, m + 0.018),
        ]
        + mirrored(cheek_right[::-1]).tolist()
    )
    under = [(0.5 - hw * 1.0, 0.60), *mirrored(low).tolist(), *low[-2::-1], (0.5 + hw * 1.0, 0.60)]
    full = closed_curve(outline + under, 160)
    if kind == "stubble":
        area = np.maximum(polygon_mask(full, size), polygon_mask(moustache, size)) * alpha
        soft = blur(area, 0.012, size)
        grain = rng.uniform(0.75, 1.0, (size, size)).astype(np.float32)
        blend(picture, hair * 0.9, soft * blur(grain, 0.002, size) * 0.34)
        return
    area = polygon_mask(moustache, size)
    strokes = [
        _hair_stroke(
            rng, 0.5 + side * rng.uniform(0.0, 0.105), m - rng.uniform(0.01, 0.060), side * 0.55, 0.030
        )
        for side in (-1, 1)
        for _ in range(70)
    ]
    if kind == "full":
        area = np.maximum(area, polygon_mask(full, size))
        for side in (-1, 1):
            for _ in range(260):
                x = rng.uniform(0.0, 0.29)
                strokes.append(
                    _hair_stroke(rng, 0.5 + side * x, rng.uniform(0.56, 0.87), side * (0.1 + 1.2 * x), 0.038)
                )
        np.maximum(alpha, blur(area, 0.004, size), out=alpha)
    soft = blur(area, 0.0045, size)
    blend(
        picture, hair * 0.92 + 0.06 * 255 * np.asarray(geometry.identity.skin_color, np.float32), soft * 0.90
    )
    near = np.clip(blur(area, 0.006, size) * 1.5, 0, 1)
    blend(picture, hair * 0.62, lines_mask(strokes[::2], size, 0.0030) * near * 0.60)
    blend(picture, hair * 1.12 + 26, lines_mask(strokes[1::2], size, 0.0026) * near * 0.42)
    edge = np.clip(soft - blur(np.roll(area, max(1, round(0.012 * size)), axis=0), 0.008, size), 0, 1)
    blend(picture, hair * 1.10 + 18, edge * 0.20)


def _hair_stroke(rng: np.random.Generator, x: float, y: float, lean: float, length: float) -> np.ndarray:
    lean += rng.uniform(-0.25, 0.25)
    end = (x + lean * length * 0.7, y + length * (1 - 0.25 * abs(lean)))
    return np.array([(x, y), ((x + end[0]) / 2 + 0.003 * lean, (y + end[1]) / 2), end])


def head_layer(geometry: Geometry, size: int, shadow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Skin of the head before anything that moves.

    Returns (float32 [size, size, 3] in 0..255, coverage [size, size] in 0..1).
    `shadow` [size, size] is the shade that the hair throws on the skin.
    """
    identity = geometry.identity
    grid = Grid(size)
    rng = np.random.default_rng(identity.texture_seed)
    base = np.asarray(identity.skin_color, np.float32) * 255
    picture = _lit(base, geometry, grid)
    face = polygon_mask(geometry.contour, size)
    # Flush of the cheeks, nose tip and chin.
    g = geometry
    flush = grid.pair(0.155, 0.595, 0.055, 0.042) + 0.6 * grid.bump(0.5, g.nose_y - 0.025, 0.035, 0.025)
    flush += 0.35 * grid.bump(0.5, g.chin - 0.03, 0.05, 0.03)
    amount = (0.10 + 0.24 * identity.blush + 0.12 * identity.makeup) * np.minimum(flush, 1)
    picture *= 1 - amount[..., None] * np.array([0.02, 0.30, 0.26], np.float32)
    # Sockets, temples, the hollow under the lower lip, and the edge of the face are a little darker.
    sockets = grid.pair(g.eye_x - 0.010, 0.436, 0.058, 0.024) + 0.55 * grid.pair(0.052, 0.442, 0.020, 0.034)
    _shade(picture, np.minimum(sockets, 1.2), 0.34)
    _shade(picture, grid.pair(g.eye_x, 0.486, 0.045, 0.010), 0.10 + 0.12 * identity.age)
    _shade(picture, grid.bump(0.5, g.mouth_y + 0.060, 0.042, 0.010), 0.22)
    _shade(picture, grid.bump(0.5, 0.646, 0.008, 0.016), 0.16)
    edge = np.clip(1.9 * (1 - blur(face, 0.022, size)), 0, 1)
    _shade(picture, edge, 0.42)
    rim = grid.x - 0.5 if identity.light_x > 0 else 0.5 - grid.x
    blend(
        picture,
        picture * 0.7 + np.array([80, 77, 74], np.float32),
        edge * np.clip(rim * 4 - 0.55, 0, 1) * 0.38 * abs(identity.light_x),
    )
    _nose(picture, geometry, size)
    if identity.freckles > 0:
        _freckles(picture, geometry, size, rng)
    if identity.age > 0.2:
        _age_lines(picture, geometry, size)
    ears, alpha = np.empty_like(picture), np.zeros_like(face)
    ears[:] = base
    _ears(ears, alpha, geometry, size, base)
    blend(ears, picture, face)
    np.maximum(alpha, face, out=alpha)
    _shade(ears, shadow, 0.75)
    if identity.beard != "none":
        _beard(ears, alpha, geometry, size, rng)
    return ears, alpha


def neck_layer(geometry: Geometry, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Neck and shoulders' skin -> (float32 [size, size, 3], coverage [size, size])."""
    grid = Grid(size)
    base = np.asarray(geometry.identity.skin_color, np.float32) * 255
    hw = geometry.half_width
    half = 0.545 * hw * (0.6 + 0.4 * geometry.jaw)
    outline = open_curve(
        [
            (0.5 + half, 0.60),
            (0.5 + half * 0.98, 0.86),
            (0.5 + half * 1.10, 0.93),
            (0.5 + half * 1.8, 0.99),
            (0.5 + half * 2.6, 1.06),
        ]
    )
    mask = polygon_mask(np.concatenate([outline, mirrored(outline)[::-1]]), size)
    picture = np.broadcast_to(base * (0.90, 0.82, 0.80), (size, size, 3)).astype(np.float32)
    across = np.clip(np.abs(grid.x - 0.5) / (half * 1.05), 0, 1) ** 2
    _shade(picture, across * np.ones_like(grid.y), 0.40)
    side = np.clip((grid.x - 0.5) * (-1 if geometry.identity.light_x > 0 else 1) / half, 0, 1)
    _shade(picture, side * np.ones_like(grid.y), 0.30 * abs(geometry.identity.light_x))
    return picture, mask


def chin_shadow(geometry: Geometry, size: int) -> np.ndarray:
    """Shade of the head on neck and clothes in canonical space, [size, size] in 0..1."""
    contour = geometry.contour.copy()
    low = contour[:, 1] > 0.5
    contour[low, 1] += 0.045
    light = geometry.identity.light_x
    contour[:, 0] -= 0.018 * light
    shade = blur(polygon_mask(contour, size), 0.016, size)
    return np.clip(shade, 0, 1)
