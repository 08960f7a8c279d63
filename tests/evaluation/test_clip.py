"""One clip: what is scored, and what is said where something cannot be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from eadnet.evaluation.clip import score_clip
from eadnet.evaluation.networks import ScoringNetworks
from eadnet.evaluation.subject import Subject
from eadnet.faces.face import Face
from eadnet.faces.landmarker import FaceLandmarker, LandmarkedFace
from eadnet.media.video import read_video, write_video
from eadnet.modules.mini_syncnet import MiniSyncNet
from tests.preparation.trees import LANDMARKER, MEDIA, needs_recordings

POINTS = np.array([[20, 22], [28, 22], [24, 27], [21, 32], [27, 32]], np.float32)


class BrightFaces:
    """Sees a face in the middle of every frame that is not dark."""

    def detect(self, frame: np.ndarray) -> list[Face]:
        return [Face(np.array([14, 12, 34, 38], np.float32), POINTS)] if frame.mean() > 60 else []


class FaceNetworks(ScoringNetworks):
    def detector(self) -> BrightFaces:
        return BrightFaces()


def write(
    path: Path,
    frames: int = 20,
    dark: int = 0,
    fps: Fraction | int = 25,
    sound: float | None = 0.1,
    sound_frames: int | None = None,
) -> Path:
    """A clip of 48 pixels whose last `dark` frames are black."""
    random = np.random.default_rng(0)
    pictures = random.integers(80, 200, (frames, 48, 48, 3)).astype(np.uint8)
    pictures[frames - dark :] = 0
    samples = (sound_frames or frames) * 640
    waveform = None if sound is None else sound * torch.from_numpy(random.normal(size=(1, samples))).float()
    write_video(path, pictures, fps, waveform, None if sound is None else 16000)
    return path


@pytest.fixture(scope="module")
def networks() -> FaceNetworks:
    torch.manual_seed(0)
    return FaceNetworks(sync=[MiniSyncNet()])


def test_a_clip_without_a_face_is_named_and_not_scored(networks: FaceNetworks, tmp_path: Path) -> None:
    result = score_clip(write(tmp_path / "empty.mp4", dark=20), None, networks)
    assert result.scores == {} and "No face was found in any of the 20 frames" in result.problem


def test_a_face_that_is_mostly_away_is_not_scored_either(networks: FaceNetworks, tmp_path: Path) -> None:
    result = score_clip(write(tmp_path / "away.mp4", 60, dark=40), None, networks)
    assert result.scores == {} and "20 of the 60 frames only" in result.problem


@pytest.mark.slow
def test_frames_without_a_face_are_said(networks: FaceNetworks, tmp_path: Path) -> None:
    result = score_clip(write(tmp_path / "part.mp4", 60, dark=20), None, networks)
    assert result.problem == "" and "mini_confidence" in result.scores
    assert "No face in 20 of 60 frames, the first of them 40." in result.notes


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"frames": 4}, "too short"),
        ({"sound": None}, "no audio track"),
        ({"sound": 0.0}, "silent"),
    ],
)
def test_a_clip_that_cannot_be_scored_by_its_sound_keeps_its_other_scores(
    networks: FaceNetworks, tmp_path: Path, changes: dict, said: str
) -> None:
    result = score_clip(write(tmp_path / "clip.mp4", **changes), None, networks)
    assert said in " ".join(result.notes) and "mini_confidence" not in result.scores
    assert {"flicker", "warped"} <= set(result.scores)


@pytest.mark.slow
def test_another_frame_rate_and_sound_of_another_length_are_said(
    networks: FaceNetworks, tmp_path: Path
) -> None:
    notes = score_clip(write(tmp_path / "clip.mp4", 30, fps=30, sound_frames=15), None, networks).notes
    assert "30 frames per second were read at 25" in " ".join(notes)
    assert "the first 0.6" in " ".join(notes)


@pytest.mark.slow
def test_a_reference_of_another_rate_or_size_is_not_compared(networks: FaceNetworks, tmp_path: Path) -> None:
    clip = write(tmp_path / "clip.mp4")
    result = score_clip(clip, write(tmp_path / "truth.mp4", fps=30), networks)
    assert "psnr" not in result.scores and "flicker" in result.scores
    assert "25 frames per second and the reference 30" in " ".join(result.notes)
    small = tmp_path / "small.mp4"
    write_video(small, [np.full((32, 32, 3), 90, np.uint8)] * 20, 25)
    assert "48 x 48 and 32 x 32" in " ".join(score_clip(clip, small, networks).notes)


@pytest.mark.slow
def test_a_clip_equals_itself(networks: FaceNetworks, tmp_path: Path) -> None:
    clip = write(tmp_path / "clip.mp4", 40)
    scores = score_clip(clip, clip, networks).scores
    assert scores["psnr"] == 100 and scores["ssim"] == pytest.approx(1)


class Corners:
    """Instead of the landmarker: 478 points in the middle of the crop, but the first, in its corner."""

    def follow(self, frames: Iterable[torch.Tensor]) -> Iterator[LandmarkedFace | None]:
        for number, frame in enumerate(frames):
            assert frame.dtype == torch.uint8 and frame.shape[-1] == 3
            points = np.full((478, 3), len(frame) / 2 - 0.5, np.float32)
            points[0] = -0.5
            yield None if number == 3 else LandmarkedFace(points)


def test_the_dense_mesh_lies_in_the_frame_around_the_tracked_face(
    networks: FaceNetworks, tmp_path: Path
) -> None:
    path = write(tmp_path / "clip.mp4")
    with Subject(path, networks.detector()) as subject:
        points = subject.dense_points(Corners())  # type: ignore[arg-type]
    assert points.shape == (20, 478, 2) and bool(points[3].isnan().all())
    box = torch.tensor([14.0, 12.0, 34.0, 38.0])
    middle = (box[:2] + box[2:]) / 2 - 0.5
    assert torch.allclose(points[0, 1], middle, atol=0.6)
    assert torch.allclose(points[0, 0], middle - 1.6 * 13, atol=0.6), "the corner of the roomy square"
    with Subject(path, None) as whole:
        points = whole.dense_points(Corners())  # type: ignore[arg-type]
    assert points[0, 0].tolist() == [-0.5, -0.5]


class Brighter:
    """Instead of AlexNet: one level, the mean of the colours."""

    name, weights = "brightness", (torch.ones(2),)

    def __call__(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        grey = pictures.mean(1, keepdim=True)
        return [torch.cat([grey, torch.ones_like(grey)], 1)]


@pytest.mark.slow
def test_pairs_get_the_distances_of_networks_that_are_there(tmp_path: Path) -> None:
    networks = FaceNetworks(lpips=Brighter(), dense=Corners())  # type: ignore[arg-type]
    path = write(tmp_path / "a.mp4")
    scores = score_clip(path, path, networks).scores
    assert scores["lpips"] == scores["dense_lmd"] == scores["dense_mouth_lmd"] == 0
    alone = score_clip(path, None, networks).scores
    assert not {"lpips", "dense_lmd", "dense_mouth_lmd"} & alone.keys()


@pytest.mark.slow
@needs_recordings
def test_the_mesh_of_a_mouth_that_does_something_else_is_at_a_distance(tmp_path: Path) -> None:
    """A person's frames beside the same ones some frames later: the head stays, the lips do not."""
    frames = read_video(MEDIA / "talking" / "grid_1.mpg").frames[:14]
    found = []
    for late in (0, 4):
        write_video(tmp_path / f"{late}.mp4", frames[late : late + 10], 25, quality=12)
        networks = ScoringNetworks(faces=LANDMARKER, dense=FaceLandmarker(LANDMARKER))
        found.append(score_clip(tmp_path / f"{late}.mp4", tmp_path / "0.mp4", networks).scores)
    assert found[0]["dense_lmd"] == found[0]["dense_mouth_lmd"] == 0
    for name in ("dense_lmd", "dense_mouth_lmd"):
        assert 0 < found[1][name] < 0.2
