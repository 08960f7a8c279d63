"""Eyes: lids, lashes, iris as functions of the parameters, and how they are painted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .canvas import blend, box_around, fill, fixed_point, paint
from .curves import ribbon, tapered
from .geometry import LEFT, RIGHT, Geometry, Pose

_S = np.linspace(-1.0, 1.0, 25)  # from the inner to the outer corner
_UPPER_PROFILE = (1 - np.abs(_S) ** 2.3) ** 0.85 * (1 - 0.10 * _S)
_LOWER_PROFILE = (1 - np.abs(_S) ** 2.2) ** 0.90 * (1 + 0.14 * _S)
_CREASE = tapered(22, 0.0042, 0.2, 0.55, 0.3)
_BAG = tapered(25, 0.006, 0.1, 0.4, 0.1)
_LOWER_LASH = tapered(21, 0.0034, 0.1, 0.8, 0.6)
_LASH = np.interp(_S, [-1, -0.4, 0.6, 1.0], [0.25, 0.65, 1.0, 0.75])


@dataclass(frozen=True)
class EyeShape:
    """Lid curves [25, 2] from the inner to the outer corner in canonical space."""

    upper: np.ndarray
    lower: np.ndarray
    crease: np.ndarray
    pupil: np.ndarray  # [2]
    iris_radius: float


def eye_shape(geometry: Geometry, v: dict[str, float], side: int) -> EyeShape:
    """Lids of the eye on `side` for the parameter values `v`."""
    name = "l" if side == LEFT else "r"
    height = geometry.eye_height
    tighten, raised = v[f"lid_tighten_{name}"], v[f"upper_lid_raise_{name}"]
    blink, cheek = v[f"blink_{name}"], v[f"cheek_raise_{name}"]
    look = v["gaze_y"]
    top = height * (
        1 + 0.48 * raised - 0.30 * tighten - 0.10 * cheek - 0.13 * v[f"brow_lower_{name}"] - 0.16 * look
    )
    bottom = (
        0.60
        * height
        * (1 + 0.20 * raised - 0.62 * tighten - 0.62 * cheek - 0.10 * v["nose_wrinkle"] + 0.14 * look)
    )
    closed = 0.36 * height - 0.10 * height * (tighten + cheek)
    tilt = geometry.eye_tilt * (1 - _S) - geometry.eye_tilt
    x = 0.5 + side * (geometry.eye_x + geometry.eye_half_width * _S)
    upper_y = tilt + _UPPER_PROFILE * ((1 - blink) * -top + blink * closed)
    lower_y = tilt + _LOWER_PROFILE * ((1 - blink) * bottom + blink * closed)
    lift = 0.0155 + 0.006 * raised + 0.004 * v[f"outer_brow_up_{name}"] - 0.007 * v[f"brow_lower_{name}"]
    crease_y = tilt - (top * (1 - 0.25 * blink) + lift) * (1 - np.abs(_S * 0.93) ** 2.6) ** 0.8
    y = geometry.eye_y
    gaze = np.array([0.021 * v["gaze_x"], -0.0035 + 0.013 * look])
    return EyeShape(
        np.stack([x, y + upper_y], axis=1),
        np.stack([x, y + lower_y], axis=1),
        np.stack([x + side * 0.002, y + crease_y], axis=1),
        geometry.eye_center(side) + gaze,
        0.0292 * (0.5 + 0.5 * geometry.identity.eye_size),
    )


class EyePainter:
    """Paints one person's eyes and brows."""

    def __init__(self, geometry: Geometry) -> None:
        identity = geometry.identity
        skin = np.asarray(identity.skin_color) * 255
        self._geometry = geometry
        self._makeup = identity.makeup
        self._iris = np.asarray(identity.iris_color) * 255
        self._lash = np.asarray(identity.brow_color) * 255 * (0.35 - 0.2 * identity.makeup) + 8
        self._fold = skin * (0.58, 0.46, 0.44)
        natural = skin * (0.90, 0.82, 0.80)
        painted = np.asarray(identity.makeup_color) * 255 * 0.55 + 0.45 * skin
        self._lid = natural * (1 - 0.8 * self._makeup) + painted * 0.8 * self._makeup
        self._white = np.array([244, 240, 236]) * 0.94 + skin * 0.06
        self._lash_width = np.append(_LASH, 0.12) * (0.0078 + 0.0030 * identity.makeup)
        self._wing = 0.010 + 0.006 * identity.makeup

    def paint(self, picture: np.ndarray, pose: Pose, size: int) -> list[np.ndarray]:
        """Paint both eyes onto the float32 picture [size, size, 3]; returns their openings [50, 2]."""
        shapes = [eye_shape(self._geometry, pose.values, side) for side in (RIGHT, LEFT)]
        uppers = pose.place_all(*[shape.upper for shape in shapes])
        lowers = pose.place_all(*[shape.lower for shape in shapes])
        creases = pose.place_all(*[shape.crease for shape in shapes])
        wings = [
            upper[-1] + way * self._wing for upper, way in zip(uppers, _lash_directions(pose), strict=True)
        ]
        openings = [np.concatenate([upper, lower[::-1]]) for upper, lower in zip(uppers, lowers, strict=True)]
        lids = [np.concatenate([crease, upper[::-1]]) for crease, upper in zip(creases, uppers, strict=True)]

        paint(picture, lids, self._lid, size, 0.55 + 0.30 * self._makeup, 0.004)
        paint(picture, openings, self._lid, size, 0.8, 0.002)
        for shape, opening, upper in zip(shapes, openings, uppers, strict=True):
            self._paint_ball(picture, pose, shape, opening, upper, size)
        folds = [ribbon(crease[2:-1], _CREASE) for crease in creases]
        paint(picture, folds, self._fold, size, 0.60, 0.0012)
        bags = [ribbon(lower + (0, 0.013), _BAG) for lower in lowers]
        paint(picture, bags, self._fold, size, 0.22, 0.004)
        lower_lashes = [ribbon(lower[4:] + (0, 0.001), _LOWER_LASH) for lower in lowers]
        paint(picture, lower_lashes, self._lash, size, 0.45)
        lashes = [
            ribbon(np.vstack([upper, wing]) - (0, 0.0012), self._lash_width)
            for upper, wing in zip(uppers, wings, strict=True)
        ]
        paint(picture, lashes, self._lash, size, 0.95)
        corners = [
            ribbon(np.stack([upper[0], upper[0] + (upper[1] - upper[2]) * 0.8]), 0.004) for upper in uppers
        ]
        paint(picture, corners, self._fold, size, 0.5, 0.001)
        return openings

    def _paint_ball(
        self,
        picture: np.ndarray,
        pose: Pose,
        shape: EyeShape,
        opening: np.ndarray,
        upper: np.ndarray,
        size: int,
    ) -> None:
        """White, iris, pupil and highlights, clipped to the opening between the lids."""
        import cv2

        left, top, right, bottom = box_around(opening, size)
        if right <= left or bottom <= top:
            return
        origin = (left, top)
        ball = np.empty((bottom - top, right - left, 3), np.uint8)
        ball[:] = self._white
        pupil = pose.place(shape.pupil[None])
        radius = shape.iris_radius

        def disc(center: np.ndarray, r: float, color: np.ndarray) -> None:
            x, y = (int(n) for n in fixed_point(center, size, origin)[0])
            cv2.circle(
                ball, (x, y), max(1, round(r * size * 64)), tuple(float(c) for c in color), -1, cv2.LINE_AA, 6
            )

        disc(pupil, radius, self._iris * 0.42)
        disc(pupil, radius * 0.86, self._iris * 0.82)
        disc(pupil + (0, radius * 0.24), radius * 0.56, np.minimum(self._iris * 1.30 + 14, 255))
        if size >= 600:
            self._paint_fibres(ball, pupil[0], radius, size, origin)
        disc(pupil, radius * 0.44, np.array([18.0, 13.0, 14.0]))
        shade = np.zeros(ball.shape[:2], np.uint8)
        fill(shade, ribbon(upper, 0.022), 255, size, origin)
        shadow = cv2.GaussianBlur(shade, (0, 0), max(0.4, 0.006 * size)).astype(np.float32)
        ends = np.abs(np.arange(left, right) + 0.5 - opening[:, 0].mean() * size) / (
            self._geometry.eye_half_width * size
        )
        dim = (1 - shadow * np.float32(0.48 / 255)) * (1 - 0.16 * np.clip(ends, 0, 1) ** 2).astype(np.float32)
        ball = (ball * cv2.cvtColor(dim, cv2.COLOR_GRAY2RGB).reshape(ball.shape)).astype(np.uint8)
        disc(pupil + (-0.34 * radius, -0.36 * radius), radius * 0.25, np.array([255.0, 255.0, 255.0]))
        disc(pupil + (0.36 * radius, 0.40 * radius), radius * 0.11, np.array([225.0, 228.0, 232.0]))
        mask = np.zeros(ball.shape[:2], np.uint8)
        fill(mask, opening, 255, size, origin)
        # A shut eye has no ball: fade it out over the last pixel so that a blink ends smoothly.
        gap = float(np.max(opening[: len(_S), 1] * -1 + opening[len(_S) :, 1][::-1]))
        blend(picture[top:bottom, left:right], ball, mask * np.float32(min(1.0, gap / 0.008) / 255))

    def _paint_fibres(
        self, ball: np.ndarray, center: np.ndarray, radius: float, size: int, origin: tuple[int, int]
    ) -> None:
        import cv2

        angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        for angle in angles:
            ray = np.array([np.cos(angle), np.sin(angle)])
            ends = fixed_point(center + np.outer([0.48, 0.80], ray) * radius, size, origin)
            color = np.minimum(self._iris * (1.15 if round(angle * 20 / np.pi) % 2 else 0.72) + 6, 255)
            cv2.polylines(ball, [ends], False, tuple(float(c) for c in color), 1, cv2.LINE_AA, 6)


def _lash_directions(pose: Pose) -> list[np.ndarray]:
    """Directions of both lash wings in the picture: outwards and up, unit vectors [2]."""
    ends = np.array(
        [[[0.5 + side * x, y] for x, y in ((0.2, 0.45), (0.208, 0.444))] for side in (RIGHT, LEFT)]
    )
    steps = np.diff(pose.place(ends.reshape(-1, 2)).reshape(2, 2, 2), axis=1)[:, 0]
    return list(steps / np.hypot(steps[:, 0], steps[:, 1])[:, None])


def eye_landmarks(geometry: Geometry, pose: Pose) -> np.ndarray:
    """iBUG points 36-47 in the picture, [12, 2]: the eye on the left of the picture from its outer corner,
    then the other one from its inner corner, both over the upper lid first."""
    right = eye_shape(geometry, pose.values, RIGHT)
    left = eye_shape(geometry, pose.values, LEFT)
    top, low = [8, 16], [16, 8]
    points = [
        right.upper[[24]], right.upper[top[::-1]], right.upper[[0]], right.lower[top],
        left.upper[[0]], left.upper[top], left.upper[[24]], left.lower[low],
    ]  # fmt: skip
    return pose.place(np.concatenate(points))
