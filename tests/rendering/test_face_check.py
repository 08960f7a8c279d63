"""Pictures whose face is not in its place, in the library and on the command line: nothing is generated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eadnet.pipeline import load_model
from eadnet.rendering import Model, NoFaceInPlace, RenderSettings, open_scene
from eadnet.rendering.face_check import check_face_in_place

ASSETS = Path(__file__).parents[2] / "eadnet" / "assets"


@pytest.fixture(scope="module")
def mini() -> Model:
    return load_model()


@pytest.fixture
def tall(tmp_path: Path) -> Path:
    """Portrait format, 7 : 10, the head at the top."""
    head = np.asarray(Image.open(ASSETS / "portrait.png").convert("RGB").resize((350, 350)))
    Image.fromarray(np.concatenate([head, head[-1:].repeat(150, axis=0)])).save(tmp_path / "tall.png")
    return tmp_path / "tall.png"


@pytest.mark.slow
def test_a_head_that_the_centred_square_cuts_off_is_refused(mini: Model, tall: Path) -> None:
    with (
        pytest.raises(NoFaceInPlace, match=r"too high.*--face\) with the face '\d+, ") as refused,
        open_scene(mini, ASSETS / "speech.wav", portrait=tall),
    ):
        pass
    assert refused.value.crop.shape == (128, 128, 3)
    with open_scene(mini, ASSETS / "speech.wav", portrait=tall, settings=RenderSettings(check_face=False)):
        pass


@pytest.mark.slow
def test_the_bundled_portrait_is_taken(mini: Model) -> None:
    with open_scene(mini, ASSETS / "speech.wav", portrait=ASSETS / "portrait.png") as scene:
        assert scene.length.frames > 0


@pytest.mark.slow
def test_frames_without_a_face_among_others_do_not_matter() -> None:
    head = np.asarray(Image.open(ASSETS / "portrait.png").convert("RGB").resize((128, 128)))
    blank = np.full_like(head, 80)
    beside = np.roll(head, 40, axis=1)
    check_face_in_place([blank, head, blank].__getitem__, range(3), "portrait", 128)
    with pytest.raises(NoFaceInPlace, match="No face was found in frame 0"):
        check_face_in_place([blank, blank, blank].__getitem__, range(3), "portrait", 128)
    with pytest.raises(NoFaceInPlace, match="The face in frame 0 is too far right"):
        check_face_in_place([beside, beside, head].__getitem__, range(3), "portrait", 128)


def test_a_crop_too_small_to_show_anything_is_not_judged() -> None:
    check_face_in_place([np.zeros((32, 32, 3), np.uint8)].__getitem__, range(1), "portrait", 32)
