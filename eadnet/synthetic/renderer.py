"""The renderer: a person (`Identity`) and facial parameters [P] in, a picture with its ground truth out.

Layers that do not change are painted once per person: the surroundings, the head's skin with its hair
behind, and everything in front (fringe, glasses). For each frame the skin gets its folds, a smooth
displacement field moves it with jaw, cheeks and head, and mouth, eyes and brows are painted on top.
Everything is drawn larger than requested and averaged down.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .brows import BrowPainter, brow_landmarks
from .canvas import blend, blur, fill, remap
from .expression import PARAMETERS, RANGES
from .eyes import EyePainter, eye_landmarks
from .geometry import Geometry, Pose
from .glasses import draw_glasses
from .hair import draw_pieces
from .hair_styles import hair_style
from .head import chin_shadow, head_layer, neck_layer
from .identity import Identity
from .mouth import MouthPainter, mouth_landmarks, mouth_shape
from .scene import background, clothes
from .wrinkles import Wrinkles

MAX_SIZE = 2048
_REACH = 0.12
_TOLERANCE = 1e-5  # rounding in float32 is no mistake
_FIELD = 32  # the displacement field is computed on a grid this fine and interpolated


@dataclass(frozen=True)
class Frame:
    """One rendered picture and its ground truth."""

    image: np.ndarray  # uint8 [S, S, 3], RGB
    landmarks: np.ndarray  # float32 [68, 2], x and y in pixels from the top left corner, iBUG-68 order
    masks: dict[str, np.ndarray]  # face, mouth, eyes, hair: bool [S, S]


def mouth_opening(landmarks: np.ndarray) -> float:
    """Gap between the inner lips over the distance of the eye centres, from landmarks [68, 2]."""
    gap = np.linalg.norm(landmarks[66] - landmarks[62])
    eyes = np.linalg.norm(landmarks[42:48].mean(0) - landmarks[36:42].mean(0))
    return float(gap / eyes)


def _supersampling(size: int) -> int:
    """Factor by which the picture is drawn larger; tiny pictures need more to stay true to the shapes."""
    if size >= 640:
        return 1
    return 2 if size >= 96 else min(16, -(-192 // size))


def _premultiplied(picture: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colour times coverage (0..255), and the share 0..1 of what is behind that stays visible, [N, N, 4]."""
    layer = np.empty((*alpha.shape, 4), np.float32)
    layer[..., :3] = np.clip(picture, 0, 255) * alpha[..., None]
    layer[..., 3] = 1 - alpha
    return layer


def _composite(picture: np.ndarray, layer: np.ndarray, field: np.ndarray) -> np.ndarray:
    """A premultiplied layer, moved by `field`, over the float32 picture [N, N, 3] -> a new picture."""
    import cv2

    moved = remap(layer, field)
    clear = cv2.cvtColor(cv2.extractChannel(moved, 3), cv2.COLOR_GRAY2RGB)
    color = cv2.cvtColor(moved, cv2.COLOR_RGBA2RGB)
    return picture * clear.reshape(picture.shape) + color.reshape(picture.shape)


def landmarks_of(g: Geometry, pose: Pose, size: int) -> np.ndarray:
    """The 68 landmarks of a posed head in a picture of `size` pixels, float32 [68, 2]; nothing is drawn."""
    y, w = g.nose_y, g.nose_half_width
    bridge = [(0.5, 0.455), (0.5, 0.490), (0.5, 0.525), (0.5, y - 0.036)]
    base = [
        (0.5 - w * 0.66, y),
        (0.5 - w * 0.33, y + 0.003),
        (0.5, y + 0.006),
        (0.5 + w * 0.33, y + 0.003),
        (0.5 + w * 0.66, y),
    ]
    points = [
        pose.place(g.jaw_line, skin=True),
        brow_landmarks(g, pose),
        pose.place(np.array(bridge + base), skin=True),
        eye_landmarks(g, pose),
        mouth_landmarks(mouth_shape(g, pose.values), pose),
    ]
    return (np.concatenate(points) * size).astype(np.float32)


class Renderer:
    """Renders one person at one size (pixels, square)."""

    def __init__(self, identity: Identity, size: int = 128) -> None:
        """Raises InputError for a size outside 1..2048."""
        if not 1 <= size <= MAX_SIZE:
            raise InputError(f"The picture size is {size}: give a number of pixels from 1 to {MAX_SIZE}.")
        self.identity = identity
        self.size = size
        self._factor = _supersampling(size)
        self._canvas = size * self._factor
        self._geometry = Geometry(identity)
        self._wrinkles = Wrinkles(self._geometry, self._canvas)
        self._eyes = EyePainter(self._geometry)
        self._brows = BrowPainter(self._geometry)
        self._mouth = MouthPainter(self._geometry)
        self._paint_layers()
        self._pixels = np.stack(np.meshgrid(*[np.arange(self._canvas, dtype=np.float32)] * 2), axis=-1)
        axis = (np.arange(_FIELD) + 0.5) / _FIELD
        self._grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)

    def _paint_layers(self) -> None:
        n, g = self._canvas, self._geometry
        style = hair_style(g)
        back, back_alpha = draw_pieces(g, style.back, style, n)
        front, front_alpha = draw_pieces(g, style.front, style, n)
        shift = max(1, round(0.016 * n))
        cast = np.roll(front_alpha, (shift, round(-0.008 * n * self.identity.light_x)), axis=(0, 1))
        cast[:shift] = front_alpha[:shift]
        hair_shadow = blur(cast, 0.010, n) * 0.62
        skin, skin_alpha = head_layer(g, n, hair_shadow)
        scene = background(self.identity, n)
        # Back hair hangs behind neck and clothes. It is painted once at rest behind them, and the moving
        # copy is cut out where they are, so that no gap opens when the head moves.
        low = np.clip((np.arange(n, dtype=np.float32)[:, None] / n - 0.62) / 0.12, 0, 1)
        blend(scene, back, back_alpha * low)
        neck, neck_mask = neck_layer(g, n)
        body = clothes(scene, g, n, neck, neck_mask)
        back_alpha = back_alpha * (1 - body)
        self._scene = np.clip(scene, 0, 255)
        # The head's shadow on neck and clothes moves with the head: nearly black, its strength as coverage.
        shadow = chin_shadow(g, n) * body * 0.40
        picture = np.zeros((n, n, 3), np.float32)
        picture += (24, 8, 8)
        alpha = shadow
        for layer, coverage in ((back, back_alpha), (skin, skin_alpha)):
            total = coverage + alpha * (1 - coverage)
            share = coverage / np.maximum(total, 1e-6)
            picture += (layer - picture) * share[..., None]
            alpha = total
        self._head = _premultiplied(picture, alpha)
        if self.identity.glasses != "none":
            lens, lens_alpha = draw_glasses(g, n)
            total = front_alpha + lens_alpha * (1 - front_alpha)
            share = (front_alpha / np.maximum(total, 1e-6))[..., None]
            front, front_alpha_all = lens * (1 - share) + front * share, total
        else:
            front_alpha_all = front_alpha
        self._front = _premultiplied(front, front_alpha_all)
        used = np.flatnonzero(front_alpha_all.max(1) > 0)
        reach = round(_REACH * n)  # the head moves the layer up and down by less than this
        first, last = (int(used[0]) - reach, int(used[-1]) + reach + 1) if len(used) else (0, 0)
        self._front_rows = slice(max(0, first), min(n, last))
        hair = np.maximum(front_alpha, back_alpha * (1 - skin_alpha))
        face = np.zeros((n, n), np.uint8)
        fill(face, g.contour, 255, n)
        labels = np.stack([face * (1 - front_alpha), hair * 255], axis=-1)
        self._labels = np.rint(labels).astype(np.uint8)

    def _field(self, pose: Pose) -> np.ndarray:
        """Where in the canonical layers each pixel of the canvas comes from, in pixels: float32 [N, N, 2]."""
        import cv2

        n = self._canvas
        source = (pose.source(self._grid) - self._grid).astype(np.float32).reshape(_FIELD, _FIELD, 2)
        # resize aligns pixel centres of both grids, as the grid's own positions do.
        field = cv2.resize(source * np.float32(n), (n, n), interpolation=cv2.INTER_CUBIC)
        return field.reshape(n, n, 2) + self._pixels

    def _draw(self, pose: Pose) -> tuple[np.ndarray, list[np.ndarray], np.ndarray, np.ndarray]:
        """Canvas float32 [N, N, 3], eye openings, lips' outline, and the field used."""
        n = self._canvas
        field = self._field(pose)
        head = self._head.copy()
        head[self._wrinkles.rows, self._wrinkles.columns] *= self._wrinkles.shade(pose.values)
        picture = _composite(self._scene, head, field)
        lips = self._mouth.paint(picture, mouth_shape(self._geometry, pose.values), pose, n)
        openings = self._eyes.paint(picture, pose, n)
        self._brows.paint(picture, pose, n)
        rows = self._front_rows
        if rows.stop > rows.start:
            picture[rows] = _composite(picture[rows], self._front, field[rows])
        return picture, openings, lips, field

    def _reduce(self, picture: np.ndarray) -> np.ndarray:
        import cv2

        if self._factor > 1:
            picture = cv2.resize(picture, (self.size, self.size), interpolation=cv2.INTER_AREA)
        return picture.reshape(self.size, self.size, *picture.shape[2:])

    def _pose(self, params: np.ndarray) -> Pose:
        params = np.asarray(params)
        if params.shape != (len(PARAMETERS),):
            raise InputError(
                f"Facial parameters have shape {params.shape}: give a vector of {len(PARAMETERS)} values."
            )
        if not np.isfinite(params).all():
            raise InputError("Facial parameters contain NaN or infinity: give finite values.")
        beyond = (params < RANGES[:, 0] - _TOLERANCE) | (params > RANGES[:, 1] + _TOLERANCE)
        if beyond.any():
            place = int(beyond.argmax())
            low, high = RANGES[place]
            raise InputError(
                f"Facial parameter '{PARAMETERS[place]}' is {params[place]:g}: give a value from {low:g} to "
                f"{high:g}."
            )
        return Pose(self._geometry, params)

    def _image(self, picture: np.ndarray) -> np.ndarray:
        import cv2

        # Rounds and clips to 0..255 in one pass; nothing is negative.
        image = cv2.convertScaleAbs(self._reduce(picture))
        return image.reshape(self.size, self.size, 3)

    def render(self, params: np.ndarray) -> Frame:
        """Render facial parameters [P] -> Frame. Raises InputError for a wrong shape, values that are not
        finite, and values out of their range.
        """
        pose = self._pose(params)
        picture, openings, lips, field = self._draw(pose)
        labels = self._reduce(remap(self._labels, field))
        n = self._canvas
        eyes, mouth = np.zeros((n, n), np.uint8), np.zeros((n, n), np.uint8)
        for opening in openings:
            fill(eyes, opening, 255, n)
        fill(mouth, lips, 255, n)
        masks = {
            "face": labels[..., 0] > 127,
            "mouth": self._reduce(mouth) > 127,
            "eyes": self._reduce(eyes) > 127,
            "hair": labels[..., 1] > 127,
        }
        return Frame(self._image(picture), self.landmarks(params), masks)

    def landmarks(self, params: np.ndarray) -> np.ndarray:
        """The 68 landmarks of facial parameters [P] without drawing, float32 [68, 2] in pixels."""
        return landmarks_of(self._geometry, self._pose(params), self.size)

    def render_clip(self, params: np.ndarray) -> np.ndarray:
        """Render a sequence of facial parameters [T, P] -> uint8 [T, S, S, 3]."""
        params = np.asarray(params)
        if params.ndim != 2:
            raise InputError(
                f"A clip's facial parameters have shape {params.shape}: give [frames, {len(PARAMETERS)}]."
            )
        frames = np.empty((len(params), self.size, self.size, 3), np.uint8)
        for index, row in enumerate(params):
            frames[index] = self._image(self._draw(self._pose(row))[0])
        return frames
