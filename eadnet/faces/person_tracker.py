"""Who is who from frame to frame: detections joined into one track per person.

A track predicts where its face will be; detections go to the tracks for which the sum of distance, change of
size and change of looks is smallest. A face that was lost is taken up again when it comes back: near where it
was expected, or elsewhere if it looks the same.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, field

import numpy as np

from .appearance import SAME_LOOK, unlike
from .face import Face

# Lengths are in sides of the face, looks in root mean square differences of colour (0 to 1).
_REACH = 0.8  # how far from the prediction a face may be in the next frame
_REACH_GROWS = 0.12  # and so much farther for each frame that it was away
_REACH_MOST = 3.0
_SIZE_RATIO = 1.8
_OTHER_LOOK = 0.22  # not the same person, however near
_LOOK_WEIGHT = 6.0
_MEMORY = 250  # frames after which a lost face is a new one
_LOOK_RATE = 0.05
_SPEED_RATE = 0.5
_SPEED_FADES = 0.9
_IMPOSSIBLE = 1e6


@dataclass(eq=False)
class PersonTrack:
    """One person: the faces by frame, in order of time."""

    frames: list[int] = field(default_factory=list)
    faces: list[Face] = field(default_factory=list)
    look: np.ndarray | None = None
    _velocity: np.ndarray = field(default_factory=lambda: np.zeros(2))
    _halted: bool = False  # the last place belongs to another shot
    _recent: np.ndarray | None = None  # the look when last seen alone: light may change faster than `look`

    def add(self, index: int, face: Face, alone: bool = True) -> None:
        """The face in frame ``index``; one that others overlap (not ``alone``) does not change the look."""
        if self.faces and self.gap(index) <= 2 and not self._halted:
            speed = (face.centre - self.faces[-1].centre) / self.gap(index)
            self._velocity = _SPEED_RATE * speed + (1 - _SPEED_RATE) * self._velocity
        if face.look is not None and (self.look is None or alone):
            self.look = face.look if self.look is None else self.look + _LOOK_RATE * (face.look - self.look)
            self._recent = face.look
        self._halted = False
        self.frames.append(index)
        self.faces.append(face)

    def gap(self, index: int) -> int:
        """Frames since the last face."""
        return index - self.frames[-1]

    def expected(self, index: int) -> np.ndarray:
        """Where the middle of the face should be, [2]: it goes on as it went, slower and slower."""
        steps = (1 - _SPEED_FADES ** self.gap(index)) / (1 - _SPEED_FADES)
        place: np.ndarray = self.faces[-1].centre + self._velocity * steps
        return place

    def part(self, start: int, end: int) -> PersonTrack:
        """The faces in the frames from ``start`` up to ``end``."""
        first, last = bisect_left(self.frames, start), bisect_left(self.frames, end)
        return PersonTrack(self.frames[first:last], self.faces[first:last], self.look)

    def unlike(self, index: int, face: Face) -> float | None:
        """How different a face in frame ``index`` looks; None where that is not known."""
        difference = unlike(self.look, face.look)
        recent = unlike(self._recent, face.look) if self.gap(index) <= 2 and not self._halted else None
        return difference if difference is None or recent is None else min(difference, recent)

    def halt(self) -> None:
        """A new shot: speed means nothing any more."""
        self._velocity = np.zeros(2)
        self._halted = True


class PersonTracker:
    """Fed with the faces of one frame after the other; the tracks grow by small arrays only."""

    def __init__(self) -> None:
        self.tracks: list[PersonTrack] = []
        self._shot_start = 0

    def cut(self, index: int) -> None:
        """Frame ``index`` begins a new shot: places say nothing, only looks can join tracks across it."""
        self._shot_start = index
        for track in self.tracks:
            track.halt()

    def update(self, index: int, faces: list[Face]) -> None:
        """The faces of frame ``index``, greater than all before."""
        alone = [not any(_touch(face, other) for other in faces if other is not face) for face in faces]
        left = list(range(len(faces)))
        known = [track for track in self.tracks if track.gap(index) <= _MEMORY]
        fresh = [t for t in known if t.gap(index) <= 2 and t.frames[-1] >= self._shot_start]
        lost = [track for track in known if not any(track is other for other in fresh)]
        for candidates in (fresh, lost):
            for track, position in self._matches(candidates, faces, left, index):
                track.add(index, faces[position], alone[position])
                left.remove(position)
        for position in left:
            track = PersonTrack()
            track.add(index, faces[position])
            self.tracks.append(track)

    def _matches(
        self, tracks: list[PersonTrack], faces: list[Face], left: list[int], index: int
    ) -> list[tuple[PersonTrack, int]]:
        from scipy.optimize import linear_sum_assignment  # not at the top: slow to import

        if not tracks or not left:
            return []
        costs = np.array([[self._cost(track, faces[i], index) for i in left] for track in tracks])
        rows, columns = linear_sum_assignment(costs)
        return [(tracks[r], left[c]) for r, c in zip(rows, columns, strict=True) if costs[r, c] < _IMPOSSIBLE]

    def _cost(self, track: PersonTrack, face: Face, index: int) -> float:
        last = track.faces[-1]
        difference = track.unlike(index, face)
        size = abs(math.log(max(face.side, 1e-3) / max(last.side, 1e-3)))
        away = track.gap(index) - 1
        looks = 0.0 if difference is None else _LOOK_WEIGHT * difference
        alike = difference is not None and difference < SAME_LOOK
        if difference is not None and difference > _OTHER_LOOK:
            return _IMPOSSIBLE
        if track.frames[-1] < self._shot_start:
            return looks if alike else _IMPOSSIBLE
        distance = float(np.linalg.norm(face.centre - track.expected(index))) / max(
            face.side, last.side, 1e-3
        )
        reach = min(_REACH_MOST, _REACH + _REACH_GROWS * away)
        if distance <= reach and size <= math.log(_SIZE_RATIO) * (1 + 0.1 * away):
            return distance / reach + size + looks
        return 2.0 + looks if alike and away > 2 else _IMPOSSIBLE


def _touch(a: Face, b: Face) -> bool:
    """Whether two boxes overlap by more than a tenth of the smaller."""
    sides = (np.minimum(a.box[2:], b.box[2:]) - np.maximum(a.box[:2], b.box[:2])).clip(0)
    return float(np.prod(sides)) > 0.1 * min(a.side, b.side) ** 2
