"""A face in its place is seen; one that is elsewhere, and a picture without one, are told from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from eadnet.errors import InputError
from eadnet.faces.detectors.manual import box_around, face_in_box, parse_face
from eadnet.faces.framing import PORTRAIT_TEMPLATE
from eadnet.faces.placement import placed_face
from eadnet.faces.tracking import detect_faces, track_face
from eadnet.media.images import read_image
from eadnet.synthetic.expression import neutral
from eadnet.synthetic.gallery import person
from eadnet.synthetic.renderer import Renderer

ROOT = Path(__file__).parents[2]
MEDIA = ROOT.parent / "shared" / "media" / "portraits"


def as_bytes(path: Path) -> np.ndarray:
    return (read_image(path)[..., :3] * 255).round().byte().numpy()


def small(picture: np.ndarray, side: int) -> np.ndarray:
    pixels = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float()
    made = torch.nn.functional.interpolate(pixels, (side, side), mode="bilinear", antialias=True)
    return made[0].permute(1, 2, 0).round().byte().numpy()


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return small(as_bytes(ROOT / "eadnet" / "assets" / "portrait.png"), 256)


def on_canvas(picture: np.ndarray, top: int, left: int, height: int, width: int) -> np.ndarray:
    canvas = np.tile(picture[:1, :1], (height, width, 1))
    canvas[top : top + len(picture), left : left + len(picture)] = picture
    return canvas


@pytest.mark.slow
def test_the_bundled_portrait_is_in_its_place_at_any_size(portrait: np.ndarray) -> None:
    for side in (64, 256):
        place = placed_face(small(portrait, side), "portrait")
        assert place is not None and place.fits and place.words() == ""


@pytest.mark.slow
def test_so_are_the_people_of_the_gallery() -> None:
    for seed in (102, 112, 109, 126, 133, 131, 121, 139, 110, 103, 128, 115, 136, 108, 129, 132):
        place = placed_face(Renderer(person(seed), 128).render(neutral()).image, "portrait")
        assert place is not None and place.fits, seed


@pytest.mark.parametrize(
    ("top", "left", "height", "width", "words"),
    [
        (0, 0, 366, 256, "too high"),  # portrait format
        pytest.param(110, 0, 366, 256, "too low", marks=pytest.mark.slow),
        pytest.param(0, 0, 256, 420, "too far left", marks=pytest.mark.slow),
        pytest.param(0, 164, 256, 420, "too far right", marks=pytest.mark.slow),
        pytest.param(122, 122, 500, 500, "too small", marks=pytest.mark.slow),
        pytest.param(*(0, 244, 500, 500, "too high and too far right and too small"), marks=pytest.mark.slow),
    ],
)
def test_a_head_elsewhere_is_found_there(
    portrait: np.ndarray, top: int, left: int, height: int, width: int, words: str
) -> None:
    place = placed_face(on_canvas(portrait, top, left, height, width), "portrait")
    assert place is not None and not place.fits and place.words() == words
    expected = np.array(PORTRAIT_TEMPLATE) * 256 + (left, top) - 0.5
    assert np.abs(place.points - expected).max() < 12, "it is where it was put"


@pytest.mark.slow
def test_the_numbers_of_the_message_track_the_face(portrait: np.ndarray) -> None:
    """Entered by hand they give the crop that the portrait alone would be."""
    picture = on_canvas(portrait, 0, 0, 366, 256)
    found = placed_face(picture, "portrait")
    assert found is not None
    place = found

    class ByHand:
        def detect(self, frame: np.ndarray) -> list:
            return [parse_face(", ".join(map(str, place.box())))]

    track = track_face(detect_faces([picture], ByHand()), "portrait", 128)
    crop = (track.crop(picture[None], [0])[0].permute(1, 2, 0) + 1) * 127.5
    again = placed_face(crop.round().byte().numpy(), "portrait")
    assert again is not None and again.fits and abs(np.log(again.scale)) < 0.1


def test_the_box_around_points_gives_them_back() -> None:
    box = np.array([10.0, 20.0, 110.0, 150.0])
    np.testing.assert_allclose(box_around(face_in_box(box).points), box, atol=1e-3)


@pytest.mark.slow
def test_nothing_else_is_a_face(portrait: np.ndarray) -> None:
    random = np.random.default_rng(0)
    y, x = np.mgrid[:256, :256]
    stripes = np.repeat((np.sin(x / 3) * 127 + 128).astype(np.uint8)[..., None], 3, 2)
    circles = np.repeat((np.hypot(x - 128, y - 128) % 40 * 6).astype(np.uint8)[..., None], 3, 2)
    others = {
        "noise": random.integers(0, 256, (256, 256, 3), np.uint8),
        "one colour": np.full((256, 256, 3), 90, np.uint8),
        "stripes": stripes,
        "circles": circles,
        "one pixel": np.zeros((1, 1, 3), np.uint8),
        "a line": np.zeros((1, 500, 3), np.uint8),
        "upside down": portrait[::-1].copy(),
        "on its side": np.rot90(portrait).copy(),
        "chest and shoulders": portrait[190:],
    }
    for name, picture in others.items():
        place = placed_face(picture, "portrait")
        assert place is None or not place.fits, name


def test_a_detector_is_asked_where_our_own_eyes_see_nothing() -> None:
    grey = np.full((256, 256, 3), 90, np.uint8)
    points = np.array(PORTRAIT_TEMPLATE, np.float32) * 256 - 0.5

    class Sees:
        asked = 0

        def detect(self, frame: np.ndarray) -> list:
            self.asked += 1
            return [face_in_box(box_around(points).astype(np.float32))]

    detector = Sees()
    place = placed_face(grey, "portrait", detector)
    assert place is not None and place.fits and detector.asked == 1


@pytest.mark.slow
def test_latentsync_wants_its_tight_crop(portrait: np.ndarray) -> None:
    """The same head is in place in the crop that LatentSync is trained on, and not in a portrait."""
    whole = placed_face(portrait, "latentsync")
    assert whole is not None and not whole.fits and "too small" in whole.words()
    points = np.array(PORTRAIT_TEMPLATE, np.float32) * 256 - 0.5

    class Knows:
        def detect(self, frame: np.ndarray) -> list:
            return [face_in_box(box_around(points).astype(np.float32))]

    track = track_face(detect_faces([portrait], Knows()), "latentsync", 256)
    crop = ((track.crop(portrait[None], [0])[0].permute(1, 2, 0) + 1) * 127.5).round().byte().numpy()
    tight = placed_face(crop, "latentsync")
    assert tight is not None and tight.fits


def test_an_unknown_framing_is_refused(portrait: np.ndarray) -> None:
    with pytest.raises(InputError, match="framing"):
        placed_face(portrait, "square")


@pytest.mark.slow
@pytest.mark.skipif(not MEDIA.is_dir(), reason="the test recordings are not here")
def test_photographed_faces_are_seen_though_only_drawn_ones_were_learnt() -> None:
    pictures = [as_bytes(path) for path in sorted(MEDIA.iterdir())]
    assert sum(placed_face(picture, "portrait") is not None for picture in pictures) == len(pictures) == 22
