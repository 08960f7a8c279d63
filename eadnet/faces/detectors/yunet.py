"""YuNet (Wu, Peng and Yu, Machine Intelligence Research 2023) through OpenCV: small, quick, five points.

OpenCV is no dependency of the pack: it is imported here when a detector is made, whichever of its packages
is installed.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import CheckpointError, InputError
from ..face import Face, is_sound, unturned
from ._kind import DetectorKind

FILE = "face_detection_yunet_2023mar.onnx"
SOURCE = "github.com/opencv/opencv_zoo, folder models/face_detection_yunet"

_SEARCH_SIDE = 320  # longer side of the image that is searched; a face needs about 10 pixels in it
# Side of the window in which a found face is looked at again, and that over the face's: the network places
# points best in faces of more than 200 pixels.
_FINE_SIDE, _FINE_REACH = 416, 1.5
# The windows' angles with the upright face in degrees, and whether they are mirrored: the network turns the
# points of a face by a degree or two, otherwise for each person, tilt and mirror image, and the mean of four
# such views by less.
_VIEWS = ((10.0, False), (-10.0, False), (10.0, True), (-10.0, True))
_GREY = 127
_FINEST = 3  # as many faces are looked at again
_DOUBTFUL = 0.8  # scores below this may be a face that lies on its side
_CELL = 32  # the network's sides are multiples of this
_PATIENCE = 12  # frames without a face for each that is searched thoroughly


class YuNet:
    """Finds faces in two looks: the whole frame made small, then windows around each of the largest.

    The second look, at windows tilted both ways and at their mirror images, places the points better than
    the first; on several processor cores they are looked at together, as OpenCV's number of threads allows. A
    frame without a face is searched again larger, with room around it (a face that fills it), and turned by
    quarters; on a long stretch without faces only now and then.
    """

    def __init__(
        self, model: str | os.PathLike[str], min_score: float = 0.6, search_side: int = _SEARCH_SIDE
    ) -> None:
        """Raises CheckpointError for a missing or foreign file, InputError where OpenCV is not installed."""
        self._cv2 = _opencv()
        path = Path(model)
        if not path.is_file():
            raise CheckpointError(
                f"The face detector's file {path.name} is missing: get it from {SOURCE}, and put it into "
                f"{path.parent}."
            )
        self._path, self._min_score = path, min_score
        self._own = threading.local()
        try:
            self._network()
        except self._cv2.error as error:
            raise CheckpointError(
                f"{path.name} is no YuNet that this OpenCV can read: get it again from {SOURCE}."
            ) from error
        threads = min(len(_VIEWS), self._cv2.getNumThreads())
        self._pool = ThreadPoolExecutor(threads, "faces") if threads > 1 else None
        self._search_side = search_side
        self._turns = 0  # quarter turns under which the last face was found
        self._without = 0  # frames since then

    def detect(self, frame: np.ndarray) -> list[Face]:
        """The faces of a frame uint8 [H, W, 3], the largest first."""
        faces = self._search(frame, self._search_side, self._turns)
        if _best(faces) < _DOUBTFUL:
            self._without += 1
            if self._without <= 2 or self._without % _PATIENCE == 0:
                faces = max(faces, self._search_again(frame), key=_best)
        else:
            self._without = 0
        faces.sort(key=lambda face: -face.side)
        return [self._finer(frame, face) for face in faces[:_FINEST]] + faces[_FINEST:]

    def _search_again(self, frame: np.ndarray) -> list[Face]:
        side = max(frame.shape[:2])
        room = side // 2
        views = {turns: self._search(frame, self._search_side, turns) for turns in range(4)}
        turns = max(views, key=lambda turns: (_best(views[turns]), turns == self._turns))
        if views[turns]:
            self._turns = turns
            return views[turns]
        if faces := self._search(frame, min(1280, max(2 * self._search_side, side)), self._turns):
            return faces
        padded = np.pad(frame, ((room, room), (room, room), (0, 0)), constant_values=_GREY)
        if faces := self._search(padded, self._search_side, self._turns):
            return [_moved(face, np.array([-room, -room], np.float32)) for face in faces]
        return []

    def _search(self, frame: np.ndarray, side: int, turns: int) -> list[Face]:
        """Faces of a whole frame, seen with its longer side ``side`` pixels long and turned by quarters."""
        turned = np.rot90(frame, turns) if turns else frame
        faces = self._look(turned, side / max(turned.shape[:2]))
        return [_unturned(face, turns, frame.shape[:2]) for face in faces] if turns else faces

    def _network(self) -> Any:
        """This thread's own network: one keeps its input's size and buffers, and cannot be shared."""
        if not hasattr(self._own, "network"):
            self._own.network = self._cv2.FaceDetectorYN.create(
                str(self._path), "", (_CELL, _CELL), self._min_score, 0.3, 500
            )
        return self._own.network

    def _finer(self, frame: np.ndarray, face: Face) -> Face:
        """The same face, seen in windows of its own; as it was where they show none."""
        side = _FINE_REACH * max(face.side, float(np.ptp(face.points, axis=0).max()) * 1.6)
        upright = _roll(face.points)
        windows = [
            _Window(face.centre, side, upright + np.deg2rad(tilt), mirrored) for tilt, mirrored in _VIEWS
        ]

        def seen(window: _Window) -> Face | None:
            found = [window.in_frame(other) for other in self._look(window.of(self._cv2, frame), 1.0)]
            best = max(found, key=lambda other: _overlap(other.box, face.box), default=None)
            return best if best is not None and _overlap(best.box, face.box) > 0.4 else None

        views = self._pool.map(seen, windows) if self._pool else map(seen, windows)
        faces = [other for other in views if other is not None]
        return _mean(faces) if faces else face

    def _look(self, picture: np.ndarray, scale: float) -> list[Face]:
        """One pass of the network over an image scaled by ``scale`` -> faces in the image's pixels."""
        height, width = picture.shape[:2]
        small = (max(1, round(width * scale)), max(1, round(height * scale)))
        if scale <= 0.25:  # every other pixel is enough where four become one
            picture = picture[::2, ::2]
        method = self._cv2.INTER_AREA if scale < 1 else self._cv2.INTER_LINEAR
        seen = self._cv2.resize(np.ascontiguousarray(picture), small, interpolation=method)
        # OpenCV pads to whole cells with black by itself; a grey border is less of an edge.
        right, bottom = -small[0] % _CELL, -small[1] % _CELL
        seen = np.pad(seen[..., ::-1], ((0, bottom), (0, right), (0, 0)), constant_values=_GREY)
        network = self._network()
        network.setInputSize((seen.shape[1], seen.shape[0]))
        _, rows = network.detect(np.ascontiguousarray(seen))
        if rows is None:
            return []
        factor = np.array([width / small[0], height / small[1]], np.float32)
        faces = []
        for row in rows.astype(np.float32):
            points = row[4:14].reshape(5, 2) * factor
            first = row[:2] * factor
            faces.append(Face(np.concatenate([first, first + row[2:4] * factor]), points, float(row[14])))
        return [face for face in faces if is_sound(face)]


def _opencv() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise InputError(
            "The yunet detector needs OpenCV, which is not installed: run 'pip install "
            "opencv-python-headless' in the Python that runs this, or enter the face by hand (box or five "
            "points)."
        ) from error
    if not hasattr(cv2, "FaceDetectorYN"):
        raise InputError(
            f"OpenCV {cv2.__version__} has no face detector: install version 4.8 or newer "
            "(pip install -U opencv-python-headless)."
        )
    return cv2


def _best(faces: list[Face]) -> float:
    return max((face.score for face in faces), default=0.0)


def _moved(face: Face, by: np.ndarray) -> Face:
    return Face(face.box + np.tile(by, 2), face.points + by, face.score)


def _roll(points: np.ndarray) -> float:
    """Angle in radians at which the lines of eyes and mouth run, from the person's right to left."""
    across = points[1] - points[0] + points[4] - points[3]
    return float(np.arctan2(across[1], across[0]))


def _mean(faces: list[Face]) -> Face:
    box = np.mean([face.box for face in faces], axis=0)
    return Face(box, np.mean([face.points for face in faces], axis=0), max(face.score for face in faces))


class _Window:
    """A square of a frame, turned, perhaps mirrored, `_FINE_SIDE` pixels wide; grey beyond the frame."""

    def __init__(self, centre: np.ndarray, side: float, angle: float, mirrored: bool) -> None:
        """Middle [2] and side in the frame's pixels; the window's rows run at ``angle`` (radians)."""
        self._scale = _FINE_SIDE / side
        self._angle, self._mirrored = angle, mirrored
        cosine, sine = np.cos(angle) * self._scale, np.sin(angle) * self._scale
        self._linear = np.array([[cosine, sine], [-sine, cosine]])
        if mirrored:
            self._linear[0] *= -1
        self._shift = (_FINE_SIDE - 1) / 2 - self._linear @ centre

    def of(self, cv2: Any, frame: np.ndarray) -> np.ndarray:
        """What a frame uint8 [H, W, 3] shows in the window, uint8 [side, side, 3]."""
        step = max(1, int(1 / self._scale))  # of a large face no pixels are passed over: drawn larger first
        matrix = np.concatenate([self._linear, self._shift[:, None]], axis=1) * step
        matrix[:, 2] += (step - 1) / 2
        seen: np.ndarray = cv2.warpAffine(
            frame, matrix, (_FINE_SIDE * step,) * 2, flags=cv2.INTER_LINEAR, borderValue=(_GREY,) * 3
        )
        if step > 1:
            seen = cv2.resize(seen, (_FINE_SIDE, _FINE_SIDE), interpolation=cv2.INTER_AREA)
        return seen

    def in_frame(self, face: Face) -> Face:
        """A face in the window, as it is in the frame."""
        back = np.linalg.inv(self._linear).T
        points = face.points[[1, 0, 2, 4, 3]] if self._mirrored else face.points
        points = ((points - self._shift) @ back).astype(np.float32)
        middle = (face.centre - self._shift) @ back
        # A face is an ellipse rather than a box, and is as wide turned as the ellipse in its box is.
        half = (face.box[2:] - face.box[:2]) / 2 / self._scale
        reach = np.hypot(half * np.cos(self._angle), half[::-1] * np.sin(self._angle))
        return Face(np.concatenate([middle - reach, middle + reach]).astype(np.float32), points, face.score)


def _unturned(face: Face, turns: int, size: tuple[int, int]) -> Face:
    corners = unturned(face.box.reshape(2, 2), turns, size)
    box = np.concatenate([corners.min(axis=0), corners.max(axis=0)]).astype(np.float32)
    return Face(box, unturned(face.points, turns, size).astype(np.float32), face.score)


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    both = float(np.prod(sides.clip(0)))
    total = float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - both
    return both / total if total > 0 else 0.0


KIND = DetectorKind(
    name="yunet",
    order=1,
    summary="fast, needs OpenCV and its file in models/eadnet/faces",
    make=YuNet,
    files=(FILE,),
    package="cv2",
)
