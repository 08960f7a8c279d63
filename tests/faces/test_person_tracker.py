"""Who is who, on detections made up by hand."""

from __future__ import annotations

import numpy as np
import pytest

from eadnet.errors import InputError
from eadnet.faces.choice import CHOICES, ORDERS, Choice, pick
from eadnet.faces.detectors.manual import face_in_box
from eadnet.faces.face import Face
from eadnet.faces.person_tracker import PersonTrack, PersonTracker
from tests.quick import some

RED, BLUE = np.full(192, 0.8, np.float32), np.full(192, 0.2, np.float32)


def face(x: float, y: float = 100.0, side: float = 60.0, look: np.ndarray | None = None) -> Face:
    made = face_in_box(np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2], np.float32))
    return Face(made.box, made.points, look=look)


def tracked(frames: list[list[Face]]) -> list[PersonTrack]:
    tracker = PersonTracker()
    for index, faces in enumerate(frames):
        tracker.update(index, faces)
    return tracker.tracks


def test_two_people_who_pass_each_other_keep_their_tracks() -> None:
    right = [face(50 + 6 * t) for t in range(50)]
    left = [face(344 - 6 * t, 104) for t in range(50)]
    tracks = tracked([[a, b] if t % 2 else [b, a] for t, (a, b) in enumerate(zip(right, left, strict=True))])
    assert len(tracks) == 2
    assert tracks[0].faces in (right, left) and tracks[1].faces in (right, left)


def test_the_one_behind_is_lost_at_the_crossing_and_found_again() -> None:
    right = [face(50 + 6 * t) for t in range(50)]
    left = [face(344 - 6 * t, 104) for t in range(50)]
    hidden = range(20, 30)
    tracks = tracked(
        [[a] if t in hidden else [a, b] for t, (a, b) in enumerate(zip(right, left, strict=True))]
    )
    assert sorted(len(track.frames) for track in tracks) == [40, 50]


def test_looks_decide_where_places_do_not() -> None:
    """Both stop at the same place, unseen for a while, and turn back."""
    gone = range(10, 16)
    a = [face(100 + 5 * t if t < 10 else 225 - 5 * t, look=RED) for t in range(30)]
    b = [face(250 - 5 * t if t < 10 else 125 + 5 * t, look=BLUE) for t in range(30)]
    tracks = tracked([[] if t in gone else [a[t], b[t]] for t in range(30)])
    assert len(tracks) == 2
    looks = [{None if f.look is None else float(f.look[0]) for f in track.faces} for track in tracks]
    assert sorted(looks, key=str) == [{float(BLUE[0])}, {float(RED[0])}]


@pytest.mark.parametrize("away", [1, 5, 20])
def test_a_face_that_leaves_and_comes_back_is_the_same(away: int) -> None:
    frames = [[face(100 + t, look=RED)] if not 30 <= t < 30 + away else [] for t in range(80)]
    assert [len(track.frames) for track in tracked(frames)] == [80 - away]


def test_someone_else_in_the_same_place_is_someone_else() -> None:
    frames = [[face(100, look=RED if t < 20 else BLUE)] for t in range(40)]
    assert len(tracked(frames)) == 2


def test_someone_whom_the_light_fades_in_is_one_person() -> None:
    frames = [[face(100, look=RED * min(1, 0.02 * t))] for t in range(80)]
    assert [len(track.frames) for track in tracked(frames)] == [80]


def test_a_shaking_detection_is_one_face() -> None:
    rng = np.random.default_rng(0)
    frames = [
        [face(100 + rng.normal(0, 3), 100 + rng.normal(0, 3), 60 + rng.normal(0, 3))] for _ in range(200)
    ]
    assert len(tracked(frames)) == 1


@pytest.mark.slow
def test_twenty_faces_stay_apart() -> None:
    frames = [[face(50 + 90 * i + 0.5 * t, 60 + 5 * (i % 3)) for i in range(20)] for t in range(30)]
    tracks = tracked(frames)
    assert [len(track.frames) for track in tracks] == [30] * 20


FOUR = {"a": (60, 220, 40), "b": (160, 60, 80), "c": (260, 320, 60), "d": (360, 140, 100)}
EXPECTED = {
    "left-right": "abcd",
    "right-left": "dcba",
    "top-bottom": "bdac",
    "bottom-top": "cadb",
    "large-small": "dbca",
    "small-large": "acbd",
}


def chosen(choice: Choice) -> str:
    tracks = tracked([[face(*place) for place in FOUR.values()] for _ in range(20)])
    found = pick(tracks, (0,), 20, choice)
    assert sorted(found) == list(range(20))
    middles = {tuple(f.centre.tolist()) for f in found.values()}
    assert len(middles) == 1
    return next(name for name, (x, y, _) in FOUR.items() if (x, y) in middles)


@pytest.mark.parametrize("order", some(2, ORDERS))
def test_order_and_index_name_a_face(order: str) -> None:
    assert "".join(chosen(Choice("index", order, index)) for index in range(4)) == EXPECTED[order]


@pytest.mark.parametrize("name", FOUR)
def test_a_point_or_a_mask_names_a_face(name: str) -> None:
    x, y, side = FOUR[name]
    assert chosen(Choice("point", point=(x + side * 0.3, y - side * 0.2))) == name
    mask = np.zeros((400, 500), np.float32)
    mask[y - 10 : y + 10, x - 10 : x + 10] = 1
    assert chosen(Choice("mask", mask=mask)) == name


def test_the_largest_is_chosen_by_itself() -> None:
    assert chosen(Choice()) == "d"


def test_a_passing_mistake_is_no_person() -> None:
    frames = [[face(300, look=RED), *([face(50, side=90, look=BLUE)] if t == 7 else [])] for t in range(60)]
    found = pick(tracked(frames), (0,), 60, Choice("index", "left-right", 0))
    assert len(found) == 60


def test_someone_chosen_by_a_point_is_looked_for_after_a_cut() -> None:
    tracker = PersonTracker()
    for t in range(40):
        if t == 20:
            tracker.cut(t)
        places = (100, 300) if t < 20 else (300, 100)
        tracker.update(t, [face(places[0], look=RED), face(places[1], look=BLUE)])
    found = pick(tracker.tracks, (0, 20), 40, Choice("point", point=(100, 100)))
    assert [found[t].centre[0] for t in (0, 19, 20, 39)] == [100, 100, 300, 300]


def test_an_index_that_nobody_has_gives_nobody() -> None:
    tracks = tracked([[face(100)] for _ in range(5)])
    assert pick(tracks, (0,), 5, Choice("index", "left-right", 3)) == {}


@pytest.mark.parametrize("settings", [{"by": "beauty"}, {"by": "index", "order": "diagonal"}, {"by": "mask"}])
def test_unknown_words_are_named(settings: dict) -> None:
    with pytest.raises(InputError, match="use one of|connect"):
        Choice(**settings)


def test_there_are_four_ways_to_choose() -> None:
    assert CHOICES == ("largest", "index", "point", "mask")
