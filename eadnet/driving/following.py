"""A face followed through a video: its mesh and blend shapes in every frame, in a temporary file."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..faces.cuts import CutFinder
from ..faces.landmarker import FaceLandmarker, LandmarkedFace
from ..faces.smoothing import whittaker
from ..media.reader import Pictures
from ..modules.blendshape_mixer import BLENDSHAPES
from ..rendering import OnProgress, StageProgress
from ..rig.canonical import LEAST_EYES
from ..rig.topology import EYES

_ROW = 478 * 3 + len(BLENDSHAPES)
_STEADY = 1.0  # of the smoother: half of a motion of 4 Hz passes at 25 frames per second
_BLOCK, _AROUND = 64, 16  # frames that are smoothed at a time, and what of their neighbours reaches them
_FADE = 6  # frames in which what is added comes and goes beside frames without a face
_LOOKED_AT = 250  # frames of a shot among which its calmest is chosen
# Of the person that is followed: a face that was lost is taken for the same within so many of its widths.
_NEAR = 1.5

NO_FACE = (
    "No face was found in the video: use one that shows a face from the front, at least about 60 pixels wide."
)


@dataclass(frozen=True, eq=False)
class FollowedFace:
    """One face in a video of ``count`` frames.

    seen     [T] whether a frame shows it
    shots    where each shot begins, in frames
    calm     for each shot the frame that shows it at its calmest; None where it shows no face
    """

    seen: np.ndarray
    shots: tuple[int, ...]
    calm: tuple[int | None, ...]
    _rows: np.ndarray  # [T, 478 * 3 + 52] float32, in a file
    _blocks: dict[int, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.seen)

    def shot(self, number: int) -> int:
        """Which shot a frame belongs to."""
        return int(np.searchsorted(self.shots, number, side="right")) - 1

    def raw(self, number: int) -> LandmarkedFace:
        """What the landmarker found in a frame that shows the face."""
        return _face(self._rows[number])

    def face(self, number: int) -> LandmarkedFace | None:
        """The face of a frame with its jitter taken out, without delay; None where there is none."""
        if not self.seen[number]:
            return None
        block = number // _BLOCK
        if block not in self._blocks:
            while len(self._blocks) > 3:  # a video that bounces goes back and forth
                self._blocks.pop(next(iter(self._blocks)))
            self._blocks[block] = self._smoothed(block)
        return _face(self._blocks[block][number - block * _BLOCK])

    def share(self, number: int) -> float:
        """How much of what is added a frame shows, 0 to 1: it comes and goes beside frames without a face."""
        shot = self.shot(number)
        start, end = self.shots[shot], [*self.shots[1:], len(self)][shot]
        first, last = max(start, number - _FADE), min(end, number + _FADE + 1)
        away = np.flatnonzero(~self.seen[first:last]) + first - number
        nearest = float(np.abs(away).min()) if len(away) else float(_FADE)
        t = nearest / _FADE
        return t * t * (3 - 2 * t)

    def _smoothed(self, block: int) -> np.ndarray:
        """The rows of a block, each smoothed over its neighbours in the same run of frames with the face."""
        first, last = block * _BLOCK, min(len(self), (block + 1) * _BLOCK)
        rows = np.array(self._rows[first:last], np.float32)
        for start, end in self._runs(first, last):
            low, high = max(start, first - _AROUND), min(end, last + _AROUND)
            smooth = whittaker(np.asarray(self._rows[low:high]), np.ones(high - low), _STEADY)
            kept = slice(max(start, first), min(end, last))
            rows[kept.start - first : kept.stop - first] = smooth[kept.start - low : kept.stop - low]
        return rows

    def _runs(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Where unbroken sight within a shot begins and ends, of all that reach into frames first..last."""
        low, high = max(0, first - _AROUND), min(len(self), last + _AROUND)
        breaks = [n for n in range(low + 1, high) if n in self.shots or self.seen[n] != self.seen[n - 1]]
        for start, end in zip([low, *breaks], [*breaks, high], strict=True):
            if self.seen[start]:
                yield start, end


@contextmanager
def followed_face(
    pictures: Pictures,
    landmarker: FaceLandmarker,
    *,
    frames: int | None = None,
    index: int = 0,
    left_to_right: bool = False,
    folder: Path | None = None,
    on_progress: OnProgress | None = None,
) -> Iterator[FollowedFace]:
    """Look for a face in every frame, from shot to shot anew.

    Six kilobytes for each frame are kept in a temporary file in ``folder`` until the end of the ``with``.

    Args:
        landmarker: with blend shapes, and with ``most`` faces more than ``index``.
        frames: how many are looked at; None: all.
        index: which of several faces, by size or from the left, from 0.

    Raises InputError where no frame shows such a face.
    """
    count = pictures.count if frames is None else min(frames, pictures.count)
    with tempfile.TemporaryDirectory(prefix="eadnet-", dir=folder, ignore_cleanup_errors=True) as place:
        rows = np.memmap(Path(place) / "face.f32", np.float32, "w+", shape=(count, _ROW))
        seen, shots, most = np.zeros(count, bool), [], 0
        cuts, started = CutFinder(), time.monotonic()
        face: LandmarkedFace | None = None
        last: LandmarkedFace | None = None
        for number in range(count):
            picture = pictures.picture(number)
            if cuts.is_cut(picture) or number == 0:
                shots.append(number)
                face = last = None
            if face is not None:
                face = landmarker.again(picture, face)
            if face is None:
                found = landmarker.detect(picture)
                most = max(most, len(found))
                face = _chosen(found, index, left_to_right) if last is None else _nearest(found, last)
            if face is not None and _eyes(face) > LEAST_EYES:
                rows[number, : 478 * 3] = face.points.reshape(-1)
                rows[number, 478 * 3 :] = [face.blendshapes.get(name, 0.0) for name in BLENDSHAPES]
                seen[number], last = True, face
            if on_progress:
                left = (time.monotonic() - started) / (number + 1) * (count - number - 1)
                on_progress(StageProgress("follow", number + 1, count, left))
        if not seen.any():
            if most > 0 and index >= most:
                raise InputError(
                    f"Face number {index} was asked for, and the video shows {most}: use 0 to {most - 1}."
                )
            raise InputError(NO_FACE)
        spans = zip(shots, [*shots[1:], count], strict=True)
        calm = tuple(_calmest(rows, seen, start, end) for start, end in spans)
        yield FollowedFace(seen, tuple(shots), calm, rows)
        del rows


def _face(row: np.ndarray) -> LandmarkedFace:
    shapes = dict(zip(BLENDSHAPES, row[478 * 3 :].clip(0, 1).tolist(), strict=True))
    return LandmarkedFace(np.array(row[: 478 * 3].reshape(478, 3), np.float32), 1.0, shapes)


def _chosen(found: list[LandmarkedFace], index: int, left_to_right: bool) -> LandmarkedFace | None:
    if left_to_right:
        ordered = sorted(found, key=lambda face: float(face.mesh[:, 0].mean()))
    else:
        ordered = sorted(found, key=lambda face: -float(np.prod(np.ptp(face.mesh, axis=0))))
    return ordered[index] if index < len(ordered) else None


def _nearest(found: list[LandmarkedFace], last: LandmarkedFace) -> LandmarkedFace | None:
    """The face where the lost one was; None where there is nobody near."""
    middle, width = last.mesh.mean(axis=0), float(np.ptp(last.mesh[:, 0]))
    apart = [float(np.linalg.norm(face.mesh.mean(axis=0) - middle)) for face in found]
    if not apart or min(apart) > _NEAR * width:
        return None
    return found[int(np.argmin(apart))]


def _eyes(face: LandmarkedFace) -> float:
    """Pixels between the eyes."""
    right, left = (face.points[list(EYES[side].corners)].mean(axis=0) for side in ("r", "l"))
    return float(np.linalg.norm(left - right))


def _calmest(rows: np.ndarray, seen: np.ndarray, start: int, end: int) -> int | None:
    """The frame of a shot whose face is at rest and looks ahead: what moves least, by its blend shapes.

    The turn is how far the nose's bridge lies out of the middle of the eyes.
    """
    numbers = np.flatnonzero(seen[start : min(end, start + _LOOKED_AT)]) + start
    if not len(numbers):
        numbers = np.flatnonzero(seen[start:end])[:_LOOKED_AT] + start
    if not len(numbers):
        return None
    names = {name: 478 * 3 + place for place, name in enumerate(BLENDSHAPES)}
    weights = {
        **{"jawOpen": 2.0, "eyeBlinkLeft": 0.7, "eyeBlinkRight": 0.7, "mouthFunnel": 1.0},
        **{"mouthPucker": 0.7, "browDownLeft": 0.3, "browDownRight": 0.3, "browInnerUp": 0.3},
        **{"mouthSmileLeft": 0.4, "mouthSmileRight": 0.4, "mouthLowerDownLeft": 0.7},
        **{"mouthLowerDownRight": 0.7, "mouthUpperUpLeft": 0.5, "mouthUpperUpRight": 0.5},
    }
    unrest = np.zeros(len(numbers))
    for name, weight in weights.items():
        unrest += weight * rows[numbers, names[name]]
    points = rows[numbers, : 478 * 3].reshape(-1, 478, 3)
    right, left = (points[:, list(EYES[side].corners)].mean(axis=1) for side in ("r", "l"))
    across = left - right
    turn = np.abs(across[:, 2]) / np.linalg.norm(across, axis=1)
    return int(numbers[int(np.argmin(unrest + 2.0 * turn))])
