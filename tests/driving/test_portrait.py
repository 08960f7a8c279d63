"""A portrait that is to speak: which face of it, how large, and what becomes of it in a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from eadnet.driving.portrait import NoPortraitFace, find_portrait_face
from eadnet.driving.to_file import render_rig_to_file
from eadnet.errors import InputError
from eadnet.faces.landmarker import LandmarkedFace
from eadnet.media.video import read_video
from eadnet.pipeline import animate_file, rig_portrait
from eadnet.rig.rig import Rig
from eadnet.rig.track import Track
from tests.quick import some
from tests.rig.drawn import drawn_head

ROOT = Path(__file__).parents[2]
LANDMARKER = ROOT.parent / "shared" / "models" / "face_landmarker_v2_with_blendshapes.task"
BY_HAND = "60 40 240 270"

needs_landmarker = pytest.mark.skipif(not LANDMARKER.is_file(), reason="no face_landmarker.task here")


@pytest.fixture(scope="module")
def head() -> np.ndarray:
    with Image.open(ROOT / "eadnet" / "assets" / "portrait.png") as picture:
        return np.asarray(picture.convert("RGB").resize((256, 256)))


def pasted(size: tuple[int, int], *places: tuple[np.ndarray, int, int]) -> np.ndarray:
    picture = np.full((*size, 3), (90, 120, 90), np.uint8)
    for part, x, y in places:
        picture[y : y + part.shape[0], x : x + part.shape[1]] = part
    return picture


@needs_landmarker
@pytest.mark.slow
@pytest.mark.parametrize(("size", "x", "y"), [((256, 1600), 1100, 0), ((1600, 256), 0, 900)])
def test_a_face_is_found_in_wide_and_tall_pictures(
    head: np.ndarray, size: tuple[int, int], x: int, y: int
) -> None:
    face = find_portrait_face(pasted(size, (head, x, y)), LANDMARKER)
    middle = face.mesh.mean(axis=0)
    assert x + 64 < middle[0] < x + 192 and y + 64 < middle[1] < y + 200


@needs_landmarker
@pytest.mark.slow
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_face_on_its_head_is_found_as_it_hangs(head: np.ndarray, mirrored: bool) -> None:
    """Nothing is painted on a chin or a forehead that pass for eyes and mouth."""
    turned = np.ascontiguousarray(head[::-1] if mirrored else head[::-1, ::-1])
    face, upright = (find_portrait_face(picture, LANDMARKER) for picture in (turned, head))
    eyes, mouth = face.mesh[[33, 263]].mean(axis=0), face.mesh[[13, 14]].mean(axis=0)
    assert eyes[1] > mouth[1]
    where = head.shape[0] - 1 - upright.mesh[[33, 263, 13]][:, 1]
    found = face.mesh[[33, 263, 13]][:, 1]
    assert np.abs(where - found).max() < 0.03 * head.shape[0]
    assert Rig.build(torch.from_numpy(turned), torch.from_numpy(face.points)).size == head.shape[:2]


@needs_landmarker
@pytest.mark.slow
def test_faces_count_by_size_or_from_the_left(head: np.ndarray) -> None:
    small = np.asarray(Image.fromarray(head).resize((160, 160)))
    picture = pasted((260, 440), (small, 0, 20), (head, 180, 0))

    def found(index: int, order: str) -> float:
        face = find_portrait_face(picture, LANDMARKER, index=index, order=order)  # type: ignore[arg-type]
        return float(face.mesh[:, 0].mean())

    assert found(0, "largest") > 180 > found(1, "largest")
    assert found(0, "left-right") < 180 < found(1, "left-right")


def test_faces_do_not_count_from_the_end(head: np.ndarray) -> None:
    with pytest.raises(InputError, match="-1 was asked for"):
        find_portrait_face(head, None, index=-1)


@pytest.mark.slow
def test_a_drawing_that_no_finder_sees_is_moved_where_somebody_says_its_face_is(tmp_path: Path) -> None:
    Image.new("RGB", (300, 300), (230, 200, 180)).save(tmp_path / "drawing.png")
    rig = rig_portrait(tmp_path / "drawing.png", by_hand=BY_HAND)
    assert rig.size == (300, 300)
    left, top, right, bottom = 60, 40, 240, 270
    mesh = rig.landmarks(torch.zeros(1, len(Track.of({}).names)))[0]
    assert left < mesh[:, 0].mean() < right and top < mesh[:, 1].mean() < bottom


@pytest.mark.slow
@pytest.mark.parametrize("factor", [0.1, 0.3])
def test_a_picture_with_a_small_face_is_enlarged_and_says_so(factor: float) -> None:
    picture, mesh = drawn_head()
    side = round(factor * picture.shape[0])
    planes = picture.permute(2, 0, 1)[None].float()
    small = torch.nn.functional.interpolate(planes, size=(side, side), mode="area")[0].permute(1, 2, 0)
    points = (mesh + 0.5) * (side / picture.shape[0]) - 0.5
    points[:, 2] = mesh[:, 2] * (side / picture.shape[0])
    rig = Rig.build(small.to(torch.uint8), points)
    assert rig.face.scale >= 24 and rig.size[0] % side == 0 and rig.size[0] > side
    assert any("enlarged" in note for note in rig.notes)
    # The face is still where it was.
    shown = rig.landmarks(torch.zeros(1, len(Track.of({}).names)))[0]
    share = rig.size[0] / side
    assert torch.allclose((shown + 0.5) / share - 0.5, points[: len(shown), :2], atol=0.01)


@pytest.mark.slow
def test_a_large_face_is_not_enlarged() -> None:
    picture, mesh = drawn_head()
    rig = Rig.build(picture, mesh)
    assert rig.size == tuple(picture.shape[:2]) and not any("enlarged" in note for note in rig.notes)


@pytest.mark.slow
def test_what_was_transparent_is_grey_in_the_file(tmp_path: Path) -> None:
    picture, mesh = drawn_head()
    alpha = torch.full((*picture.shape[:2], 1), 255, dtype=torch.uint8)
    alpha[:, :20] = 0
    hidden = picture.clone()
    hidden[:, :20] = torch.tensor([255, 0, 0], dtype=torch.uint8)
    rig = Rig.build(torch.cat([hidden, alpha], 2), mesh)
    render_rig_to_file(tmp_path / "out.mp4", rig, Track.of({"smile": [0.0]}))
    frame = read_video(tmp_path / "out.mp4").frames[0].astype(int)
    assert np.abs(frame[:, 2:16] - 128).max() < 12


@pytest.mark.slow
def test_a_place_that_cannot_be_written_is_said_before_anything_is_heard(tmp_path: Path) -> None:
    picture, mesh = drawn_head()
    with pytest.raises(InputError, match="is a folder"):
        animate_file(tmp_path, Rig.build(picture, mesh), tmp_path / "missing.wav")


def given_at(*places: tuple[float, float, float]) -> list[LandmarkedFace]:
    """Faces as somebody else found them: x, y and size of each."""
    mesh = drawn_head()[1].numpy()
    return [LandmarkedFace((mesh * size + np.array([x, y, 0])).astype(np.float32)) for x, y, size in places]


def test_faces_that_were_found_elsewhere_need_no_landmarker(head: np.ndarray) -> None:
    faces = given_at((0, 0, 0.3), (100, 50, 0.8))
    assert find_portrait_face(head, None, given=faces) is faces[1]
    assert find_portrait_face(head, None, index=1, given=faces) is faces[0]


def test_no_face_says_how_to_enter_it_and_shows_where_pixels_are() -> None:
    picture = np.full((900, 1200, 3), 120, np.uint8)
    with pytest.raises(
        NoPortraitFace, match=r"by hand: a box .left, top, right, bottom. or x and y"
    ) as error:
        find_portrait_face(picture, None, given=[])
    shown = error.value.picture
    assert shown.shape == (576, 768, 3) and len(str(error.value).splitlines()) == 1
    marks = (shown[2] != 120).any(1).nonzero()[0] * 1200 / 768  # along the upper edge, every 200 pixels
    assert {round(x / 200) for x in marks} == {1, 2, 3, 4, 5}


def test_a_face_that_is_not_there_is_refused_with_a_picture_of_those_that_are(head: np.ndarray) -> None:
    with pytest.raises(NoPortraitFace, match="Face number 2 .* has 2: use 0 to 1") as error:
        find_portrait_face(head, None, index=2, given=given_at((0, 0, 0.3), (100, 50, 0.5)))
    assert error.value.picture.shape == head.shape and not np.array_equal(error.value.picture, head)


@pytest.mark.parametrize(
    ("mode", "size"), some(2, [("L", 300), ("CMYK", 300), ("RGB", 64), ("LA", 300), ("P", 300)])
)
def test_pictures_of_every_kind_are_moved_at_their_own_size(tmp_path: Path, mode: str, size: int) -> None:
    picture, _ = drawn_head()
    name = "portrait.tif" if mode == "CMYK" else "portrait.png"
    Image.fromarray(picture.numpy()).resize((size, size)).convert(mode).save(tmp_path / name)
    share = size / 256
    box = " ".join(str(round(share * number)) for number in (60, 50, 196, 220))
    rig = rig_portrait(tmp_path / name, by_hand=box)
    assert rig.size[0] % size == 0
    frame = next(rig.render(Track.of({"jaw_open": [0.8]})))[0]
    assert frame.shape[:2] == rig.size and not torch.equal(frame, rig.picture)
