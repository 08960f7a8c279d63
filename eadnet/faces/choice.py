"""Which of several people is chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .appearance import SAME_LOOK, unlike
from .face import Face
from .person_tracker import PersonTrack

CHOICES = ("largest", "index", "point", "mask")
ORDERS = ("left-right", "right-left", "top-bottom", "bottom-top", "large-small", "small-large")

_SEEN_SHARE = 0.1  # a person is seen in at least this share of the frames of the one seen most

# What each order sorts by, of a median face: (x, y of the middle, side).
_KEYS: dict[str, Callable[[np.ndarray], float]] = {
    "left-right": lambda face: face[0],
    "right-left": lambda face: -face[0],
    "top-bottom": lambda face: face[1],
    "bottom-top": lambda face: -face[1],
    "large-small": lambda face: -face[2],
    "small-large": lambda face: face[2],
}


@dataclass(frozen=True)
class Choice:
    """How a face is chosen among the tracks.

    by: one of `CHOICES`.
    order, index: for "index", one of `ORDERS` and a place in it from 0.
    point: for "point", (x, y) in pixels; the face there, else the nearest.
    mask: for "mask", [H, W] of the frame's size; the face that covers most of what is not 0.
    """

    by: str = "largest"
    order: str = "left-right"
    index: int = 0
    point: tuple[float, float] = (0.0, 0.0)
    mask: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.by not in CHOICES:
            raise InputError(f"The face choice is '{self.by}': use one of {', '.join(CHOICES)}.")
        if self.order not in ORDERS:
            raise InputError(f"The order of faces is '{self.order}': use one of {', '.join(ORDERS)}.")
        if self.by == "mask" and self.mask is None:
            raise InputError("The face is chosen by mask, but there is no mask: connect one.")


def pick(tracks: list[PersonTrack], shots: tuple[int, ...], count: int, choice: Choice) -> dict[int, Face]:
    """The faces of the chosen person by frame, in a video of ``count`` frames; empty where nobody is chosen.

    The choice is made again in every shot. Someone chosen by a point or a mask is chosen where these first
    hit, and looked for in the other shots.
    """
    found: dict[int, Face] = {}
    wanted: PersonTrack | None = None
    for start, end in zip(shots, [*shots[1:], count], strict=True):
        people = _people(tracks, start, end)
        if not people:
            continue
        person = _most_like(people, wanted) if wanted is not None else _choose(list(people), choice)
        if person is None:
            continue
        found.update(zip(person.frames, person.faces, strict=True))
        if choice.by in ("point", "mask"):
            wanted = wanted or people[person]
    return found


def people_count(tracks: list[PersonTrack], shots: tuple[int, ...], count: int) -> int:
    """The most people in any shot."""
    spans = zip(shots, [*shots[1:], count], strict=True)
    return max(len(_people(tracks, start, end)) for start, end in spans)


def _people(tracks: list[PersonTrack], start: int, end: int) -> dict[PersonTrack, PersonTrack]:
    """What a shot shows of each track, with the track; without those too short to be more than a mistake."""
    parts = {track.part(start, end): track for track in tracks}
    longest = max((len(part.frames) for part in parts), default=0)
    least = max(1.0, _SEEN_SHARE * longest)
    return {part: track for part, track in parts.items() if len(part.frames) >= least}


def _most_like(people: dict[PersonTrack, PersonTrack], wanted: PersonTrack) -> PersonTrack | None:
    """What the shot shows of a person, by track or else by looks; None if nobody resembles them."""
    for part, track in people.items():
        if track is wanted:
            return part
    differences = {part: unlike(track.look, wanted.look) for part, track in people.items()}
    alike = {part: value for part, value in differences.items() if value is not None and value < SAME_LOOK}
    return min(alike, key=lambda part: alike[part]) if alike else None


def _choose(people: list[PersonTrack], choice: Choice) -> PersonTrack | None:
    """The chosen one of the people in a shot."""
    middles = {person: _middle(person) for person in people}
    if choice.by == "index":
        key = _KEYS[choice.order]
        people = sorted(people, key=lambda person: key(middles[person]))
        return people[choice.index] if 0 <= choice.index < len(people) else None
    if choice.by == "point":
        return min(people, key=lambda person: _distance(person, np.array(choice.point)))
    if choice.by == "mask":
        assert choice.mask is not None
        covered = {person: _covered(person, choice.mask) for person in people}
        best = max(people, key=lambda person: covered[person])
        return best if covered[best] > 0 else None
    return max(people, key=lambda person: middles[person][2] * len(person.frames) ** 0.5)


def _middle(track: PersonTrack) -> np.ndarray:
    """[3]: median x and y of the middle and median side."""
    rows = [[*face.centre, face.side] for face in track.faces]
    middle: np.ndarray = np.median(np.array(rows), axis=0)
    return middle


def _distance(track: PersonTrack, point: np.ndarray) -> float:
    """From the point to the face's box where the face is first seen; inside, less than 0 and by the size."""
    face = track.faces[0]
    outside = np.maximum(np.maximum(face.box[:2] - point, point - face.box[2:]), 0)
    distance = float(np.linalg.norm(outside))
    return distance if distance > 0 else float(np.linalg.norm(face.centre - point)) / max(face.side, 1e-3) - 2


def _covered(track: PersonTrack, mask: np.ndarray) -> float:
    """Share of the face's box, where it is first seen, that the mask [H, W] marks."""
    x, y, last_x, last_y = track.faces[0].box.round().astype(int)
    part = mask[max(y, 0) : max(last_y + 1, 0), max(x, 0) : max(last_x + 1, 0)]
    return float((part > 0).sum()) / max(track.faces[0].side ** 2, 1.0)
