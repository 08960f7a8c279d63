"""From frames to a `FaceTrack`: detect, tell people apart, choose one, smooth, align."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..errors import InputError
from .appearance import look_of
from .choice import Choice, people_count, pick
from .cuts import CutFinder
from .face import Face, FaceDetector, is_sound
from .face_track import FaceTrack
from .framing import frame_face
from .person_tracker import PersonTrack, PersonTracker
from .points import alignment_points
from .smoothing import smooth_points

FALLBACKS = ("previous", "interpolate", "empty")


@dataclass(frozen=True)
class FaceDetections:
    """All faces of a video, before one is chosen: what the first pass over the frames leaves."""

    size: tuple[int, int]
    count: int
    shots: tuple[int, ...]
    tracks: list[PersonTrack]


def detect_faces(frames: Iterable[np.ndarray], detector: FaceDetector) -> FaceDetections:
    """Look for faces in frames uint8 [H, W, 3], one after the other; nothing but faces is kept.

    Raises InputError when there are no frames, or when their size changes.
    """
    tracker, cuts, shots = PersonTracker(), CutFinder(), [0]
    size: tuple[int, int] | None = None
    count = 0
    for index, frame in enumerate(frames):
        shape = (frame.shape[0], frame.shape[1])
        size = size or shape
        if shape != size:
            raise InputError(
                f"Frame {index} is {shape[1]} x {shape[0]} pixels and the frames before are {size[1]} x "
                f"{size[0]}: use frames of one size."
            )
        if cuts.is_cut(frame):
            shots.append(index)
            tracker.cut(index)
        faces = [face for face in detector.detect(frame) if is_sound(face)]
        tracker.update(index, [_with_look(frame, face) for face in faces])
        count = index + 1
    if size is None:
        raise InputError("There are no frames: connect an image or a video.")
    return FaceDetections(size, count, tuple(shots), tracker.tracks)


def _with_look(frame: np.ndarray, face: Face) -> Face:
    return face if face.look is not None else replace(face, look=look_of(frame, face))


def track_face(
    detections: FaceDetections,
    framing: str,
    resolution: int,
    choice: Choice | None = None,
    fallback: str = "interpolate",
    patience: int = 12,
    smoothing: float = 1.0,
) -> FaceTrack:
    """The way of one face through the video.

    Args:
        detections: from `detect_faces`.
        framing, resolution: how the model expects the face, and how large.
        choice: which face; None is the largest.
        fallback: what happens in frames in which the face is lost: "previous" holds its place, "interpolate"
            moves it on a line to where it is seen again, "empty" leaves the frame as it is.
        patience: a loss longer than so many frames is no blink: the frames stay as they are.
        smoothing: strength; 0 takes the detections as they come.

    Raises:
        InputError: no face in the whole video, no person with the chosen index, or an unknown word.
    """
    if fallback not in FALLBACKS:
        raise InputError(f"missing_frame_fallback is '{fallback}': use {', '.join(FALLBACKS)}.")
    if not detections.tracks:
        raise InputError(
            f"No face was found in any of the {detections.count} frames: choose another video, or enter the "
            "face by hand (box or five points)."
        )
    choice = choice or Choice()
    chosen = pick(detections.tracks, detections.shots, detections.count, choice)
    if not chosen:
        raise InputError(_no_such_face(detections, choice))
    blank = _Rows.blank(detections.count)
    for start, end in _spans(detections.shots, detections.count):
        seen = {index: face for index, face in chosen.items() if start <= index < end}
        if seen:
            blank.fill(start, end, seen, framing, resolution, fallback, patience, smoothing)
    return blank.track(detections, framing, resolution)


def _no_such_face(detections: FaceDetections, choice: Choice) -> str:
    most = people_count(detections.tracks, detections.shots, detections.count)
    found = "1 face was" if most == 1 else f"{most} faces were"
    return f"{found} found in the video, and the face index is {choice.index}: use 0 to {most - 1}."


def _spans(shots: tuple[int, ...], count: int) -> list[tuple[int, int]]:
    return list(zip(shots, [*shots[1:], count], strict=True))


@dataclass
class _Rows:
    """A `FaceTrack` in the making, as arrays over the frames."""

    matrices: torch.Tensor
    valid: np.ndarray
    found: np.ndarray
    points: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray

    @classmethod
    def blank(cls, count: int) -> _Rows:
        return cls(
            torch.zeros(count, 2, 3),
            np.zeros(count, bool),
            np.zeros(count, bool),
            np.zeros((count, 5, 2), np.float32),
            np.zeros((count, 4), np.float32),
            np.zeros(count, np.float32),
        )

    def fill(
        self,
        start: int,
        end: int,
        seen: dict[int, Face],
        framing: str,
        resolution: int,
        fallback: str,
        patience: int,
        smoothing: float,
    ) -> None:
        """Enter the faces ``seen`` in the shot from ``start`` up to ``end``."""
        runs = _runs(sorted(seen), patience)
        for run in runs:
            first, last = run[0], run[-1]
            measured = np.isin(np.arange(first, last + 1), run)
            shapes = _shapes([seen[index] for index in run])
            spread = np.zeros((last + 1 - first, *shapes.shape[1:]))
            spread[measured] = shapes
            smooth = smooth_points(spread, measured, smoothing)
            if fallback != "interpolate":
                smooth = smooth[_last_seen(measured)]
            # At the ends of a shot a lost face stays where it was, if that is not for long.
            before = first - start if run is runs[0] and fallback == "interpolate" else 0
            after = end - 1 - last if run is runs[-1] and fallback != "empty" else 0
            before, after = (gap if gap <= patience else 0 for gap in (before, after))
            smooth = np.concatenate([smooth[:1].repeat(before, 0), smooth, smooth[-1:].repeat(after, 0)])
            rows = np.arange(first - before, last + 1 + after)
            points = smooth[:, :5]
            brows = smooth[:, 5:] if smooth.shape[1] > 5 else alignment_points(points)
            self.matrices[rows] = frame_face(framing, points, brows, resolution)
            self.points[rows] = points
            self.valid[rows] = True
            self.found[run] = True
            if fallback == "empty":
                self.valid[rows] = self.found[rows]
            boxes = np.stack([seen[index].box for index in run])
            self.boxes[rows] = np.stack([np.interp(rows, run, column) for column in boxes.T], axis=1)
            self.scores[run] = [seen[index].score for index in run]

    def track(self, detections: FaceDetections, framing: str, resolution: int) -> FaceTrack:
        """The finished track; frames without a face get the place of the nearest that has one."""
        known = np.flatnonzero(self.valid)
        every = np.arange(detections.count)
        after = np.searchsorted(known, every).clip(0, len(known) - 1)
        before = (after - 1).clip(0)
        nearer = np.abs(known[before] - every) <= np.abs(known[after] - every)
        nearest = known[np.where(nearer, before, after)]
        return FaceTrack(
            size=detections.size,
            framing=framing,
            resolution=resolution,
            matrices=self.matrices[nearest],
            valid=torch.from_numpy(self.valid),
            found=torch.from_numpy(self.found),
            points=torch.from_numpy(self.points[nearest]),
            boxes=torch.from_numpy(self.boxes[nearest]),
            scores=torch.from_numpy(self.scores),
            shots=detections.shots,
        )


def _runs(indices: list[int], patience: int) -> list[list[int]]:
    """Frames of sight, split where more than ``patience`` frames are missing."""
    breaks = [i for i in range(1, len(indices)) if indices[i] - indices[i - 1] - 1 > patience]
    return [indices[a:b] for a, b in zip([0, *breaks], [*breaks, len(indices)], strict=True)]


def _shapes(faces: list[Face]) -> np.ndarray:
    """[T, 5, 2], or [T, 8, 2] with brows and nose where the detector saw them in every frame."""
    points = np.stack([face.points for face in faces])
    brows = [face.brows for face in faces if face.brows is not None]
    return np.concatenate([points, np.stack(brows)], axis=1) if len(brows) == len(faces) else points


def _last_seen(measured: np.ndarray) -> np.ndarray:
    """For each frame the last one up to it in which the face was seen; the first is."""
    held: np.ndarray = np.maximum.accumulate(np.where(measured, np.arange(len(measured)), 0))
    return held
