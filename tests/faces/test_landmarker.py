"""The landmarker against MediaPipe's own numbers, where the published file is there; its errors anywhere."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from eadnet.errors import CheckpointError, InputError
from eadnet.faces.face import unturned
from eadnet.faces.landmarker import FILES, FaceLandmarker, blendshapes, load_networks
from eadnet.modules.blendshape_mixer import BLENDSHAPES
from tests.golden_landmarks import GOLDEN, views
from tests.landmarker_files import random_networks, write_task
from tests.quick import some

ROOT = Path(__file__).parents[2]
NAME = "face_landmarker_v2_with_blendshapes.task"
TASK = Path(os.environ.get("EADNET_MODELS", ROOT.parent / "shared" / "models")) / NAME
published = pytest.mark.skipif(not TASK.is_file(), reason=f"no {TASK}: set EADNET_MODELS to its folder")


@pytest.fixture(scope="module")
def landmarker() -> FaceLandmarker:
    return FaceLandmarker(TASK, most=4, blendshapes=True)


@published
@pytest.mark.parametrize("name", some(1, ["portrait", "turned", "cut"]))
def test_points_and_blend_shapes_are_mediapipes(landmarker: FaceLandmarker, name: str) -> None:
    golden = load_file(GOLDEN)
    (face,) = landmarker.detect(views()[name])
    expected = golden[f"{name}.points"]
    side = 1.5 * float(np.ptp(expected[:, :2], axis=0).max()) / 256  # of a pixel of the crop
    off = np.linalg.norm(face.mesh - expected[:, :2], axis=1) / side
    assert off.mean() < 0.05 and off.max() < 0.25
    assert list(face.blendshapes) == list(BLENDSHAPES) and face.score > 0.9
    assert np.abs(np.array(list(face.blendshapes.values())) - golden[f"{name}.blendshapes"]).max() < 0.005
    if name == "portrait":
        # Only of a square picture or a level face: of others MediaPipe stretches the depth by the picture's
        # sides and the face's angle, and ours stays in pixels.
        assert np.abs(face.points[:, 2] - expected[:, 2]).max() < 0.25


@pytest.mark.slow
@published
def test_frames_together_are_what_they_are_alone(landmarker: FaceLandmarker) -> None:
    portrait = views()["portrait"]
    frames = np.stack([np.roll(portrait, 3 * k, axis=1) for k in range(10)])
    together = landmarker.detect_all(torch.from_numpy(frames))
    assert [len(faces) for faces in together] == [1] * 10
    for frame, (face,) in zip(frames[::3], together[::3], strict=True):
        (alone,) = landmarker.detect(frame)
        assert np.abs(face.points - alone.points).max() < 0.02


@pytest.mark.slow
@published
def test_a_face_is_followed_lost_and_found_again(landmarker: FaceLandmarker) -> None:
    portrait, nothing = views()["portrait"], np.full((512, 512, 3), 90, np.uint8)
    moving = [np.roll(portrait, 6 * k, axis=1) for k in range(4)]
    track = list(landmarker.follow([*moving, nothing, portrait]))
    assert [face is not None for face in track] == [True, True, True, True, False, True]
    xs = [face.mesh[:, 0].mean() for face in track[:4] if face is not None]
    np.testing.assert_allclose(np.diff(xs), 6.0, atol=0.7)
    (alone,) = landmarker.detect(moving[3])
    assert track[3] is not None
    assert np.linalg.norm(track[3].mesh - alone.mesh, axis=1).mean() < 2.0


@published
@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (900, 3), (64, 64), (200, 300)])
def test_pictures_of_nothing_show_no_face(landmarker: FaceLandmarker, shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    for picture in (np.zeros((*shape, 3), np.uint8), noise):
        assert landmarker.detect(picture) == []


@pytest.mark.slow
@published
def test_turned_and_small_faces_are_found_where_they_are_searched_for() -> None:
    portrait = views()["portrait"]
    searching = FaceLandmarker(TASK, search=True)
    (upright,) = searching.detect(portrait)
    for turns in (1, 2, 3):
        (face,) = searching.detect(np.rot90(portrait, turns))
        back = unturned(face.mesh, turns, (512, 512))
        assert np.linalg.norm(back - upright.mesh, axis=1).mean() < 2.5
    wide = np.full((700, 1600, 3), 120, np.uint8)
    wide[520:600, 1333:1413] = portrait[:510].reshape(85, 6, 512, 3)[:80, 0, ::6][:, :80]
    assert FaceLandmarker(TASK).detect(wide) == []
    (small,) = searching.detect(wide)
    expected = upright.mesh / 6 + [1333, 520]
    assert np.linalg.norm(small.mesh - expected, axis=1).mean() < 1.5
    assert searching.detect(np.full_like(wide, 90)) == []


@published
def test_pictures_of_comfyui_are_taken_too(landmarker: FaceLandmarker) -> None:
    portrait = views()["portrait"]
    (face,) = landmarker.detect(portrait)
    clear = torch.full((512, 512, 1), 0.0)
    image = torch.cat([torch.from_numpy(portrait.copy()) / 255, clear], dim=2)
    (same,) = landmarker.detect(image)
    assert np.array_equal(face.points, same.points)


@pytest.mark.slow
@published
def test_every_face_of_several_is_found_up_to_the_most(landmarker: FaceLandmarker) -> None:
    portrait = views()["portrait"]
    two = np.concatenate([portrait, portrait[:, ::-1]], axis=1)
    middles = sorted(float(face.mesh[:, 0].mean()) for face in landmarker.detect(two))
    assert len(middles) == 2 and middles[0] < 512 < middles[1]
    assert len(FaceLandmarker(TASK).detect(two)) == 1


@pytest.mark.slow
@published
def test_half_precision_of_16_bits_holds(landmarker: FaceLandmarker) -> None:
    portrait = views()["portrait"]
    (full,) = landmarker.detect(portrait)
    (half,) = FaceLandmarker(TASK, blendshapes=True, dtype=torch.float16).detect(portrait)
    side = 1.5 * float(np.ptp(full.mesh, axis=0).max()) / 256
    assert np.linalg.norm(half.mesh - full.mesh, axis=1).mean() / side < 0.5
    off = [abs(half.blendshapes[name] - full.blendshapes[name]) for name in BLENDSHAPES]
    assert max(off) < 0.02


@pytest.mark.slow
@published
def test_frames_without_a_face_have_no_blend_shapes() -> None:
    portrait = views()["portrait"]
    nothing, shapes = blendshapes([np.zeros_like(portrait), portrait], TASK)
    assert nothing is None and shapes is not None and len(shapes) == 52


def test_a_missing_or_foreign_file_is_named(tmp_path: Path) -> None:
    missing = f"gone.task is missing: run 'eadnet fetch faces'.*face_landmarker.task.*into {tmp_path}"
    with pytest.raises(CheckpointError, match=missing):
        FaceLandmarker(tmp_path / "gone.task")
    (tmp_path / "a.task").write_bytes(b"PK nonsense")
    with pytest.raises(CheckpointError, match="a.task is truncated"):
        FaceLandmarker(tmp_path / "a.task")
    whisper = {"encoder.blocks.0.attn.query.weight": torch.ones(1), "encoder.conv1.weight": torch.ones(1)}
    torch.save(whisper, tmp_path / "tiny.pt")
    with pytest.raises(CheckpointError, match="tiny.pt is a whisper file: choose face_landmarker.task"):
        FaceLandmarker(tmp_path / "tiny.pt")
    mini = ROOT / "eadnet" / "assets" / "mini.safetensors"
    with pytest.raises(CheckpointError, match="mini.safetensors is no face landmarker"):
        load_networks(mini)


def test_reading_writes_nothing(tmp_path: Path) -> None:
    path = write_task(tmp_path / FILES[0], random_networks())
    before = path.read_bytes()
    FaceLandmarker(path)
    assert list(tmp_path.iterdir()) == [path] and path.read_bytes() == before


def test_blend_shapes_that_are_no_numbers_are_an_error(tmp_path: Path) -> None:
    landmarker = FaceLandmarker(write_task(tmp_path / FILES[0], random_networks()), blendshapes=True)
    meshes = np.random.default_rng(0).random((2, 478, 3)).astype(np.float32) * 100
    meshes[1] = np.nan  # no face: nobody asks for its blend shapes
    assert len(landmarker._blendshapes(meshes)) == 2
    assert landmarker._mixer is not None
    with torch.no_grad():
        next(landmarker._mixer.parameters()).fill_(torch.nan)
    with pytest.raises(InputError, match="network for blend shapes's result is not finite"):
        landmarker._blendshapes(meshes)
