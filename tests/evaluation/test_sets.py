"""FID and FVD of folders, with tiny networks."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from eadnet.evaluation.networks import ScoringNetworks, find_networks
from eadnet.evaluation.sets import picture_features, set_distances, window_features
from eadnet.faces.detectors.manual import ManualDetector, parse_face
from eadnet.media.video import write_video
from eadnet.modules.inception import Inception
from tests.modules.test_inception import published_file
from tests.modules.test_video_features import videomae_folder


class Means:
    """Mean colours of a picture, or of each half of a window of four frames."""

    name, dim, frames = "mean colours", 3, 4

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return pictures.flatten(2).mean(2)


def videos(folder: Path, noise: float = 0.0, count: int = 3) -> list[Path]:
    random, paths = np.random.default_rng(0), []
    for number in range(count):
        base = random.integers(60, 180, (12, 1, 1, 3)) + noise * random.normal(size=(12, 1, 1, 3))
        pictures = np.broadcast_to(base.clip(0, 255), (12, 16, 16, 3)).astype(np.uint8)
        write_video(folder / f"{number}.mp4", list(pictures), 25, quality=5)
        paths.append(folder / f"{number}.mp4")
    return paths


@pytest.mark.slow
def test_a_set_is_at_no_distance_from_itself_and_noise_takes_it_away(tmp_path: Path) -> None:
    networks = ScoringNetworks(inception=Means(), videomae=Means())
    truth = videos(tmp_path / "truth")
    found, missing = set_distances(truth, truth, networks, tmp_path / "kept")
    assert [d.title for d in found] == ["FID", "FVD (VideoMAE)"] and missing == {}
    assert all(d.value < 1e-3 for d in found)
    assert (found[0].generated, found[1].reference) == (36, 9)
    values = []
    for noise in (20.0, 60.0):
        worse = videos(tmp_path / f"noise_{noise}", noise)
        values.append([d.value for d in set_distances(worse, truth, networks, tmp_path / f"kept_{noise}")[0]])
    assert 1e-3 < values[0][0] < values[1][0] and 0 < values[0][1] < values[1][1]


def test_features_are_computed_once_and_broken_ones_again(tmp_path: Path) -> None:
    network = Means()
    paths = videos(tmp_path / "truth")
    arguments = (paths, paths, ScoringNetworks(inception=network), tmp_path / "kept")
    before = set_distances(*arguments)[0]
    calls = network.calls
    assert set_distances(*arguments)[0] == before and network.calls == calls
    (tmp_path / "kept" / "generated" / "1.mp4.fid.safetensors").write_bytes(b"half a fi")
    assert set_distances(*arguments)[0] == before and network.calls == calls + 12


def test_too_few_features_and_unreadable_files_are_said_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    broken = [tmp_path / "broken.mp4"]
    found, missing = set_distances(broken, broken, ScoringNetworks(inception=Means()), tmp_path / "kept")
    assert found == [] and "at least two" in missing["FID"]


def test_windows_do_not_overlap_and_short_clips_have_none() -> None:
    clip = torch.arange(12.0)[:, None, None, None].expand(12, 3, 2, 2) / 12
    assert window_features(clip, Means())[:, 0].tolist() == pytest.approx([1.5 / 12, 5.5 / 12, 9.5 / 12])
    assert window_features(clip, Means(), most=2).shape == (2, 3)
    assert window_features(clip[:3], Means()).shape == (0, 3)
    assert picture_features(clip, Means(), most=5).shape == (5, 3)


@pytest.mark.slow
def test_networks_are_found_in_the_folder_of_models(tmp_path: Path) -> None:
    published_file(tmp_path / "inception-fid.safetensors")
    videomae_folder(tmp_path / "videomae")
    networks = find_networks(tmp_path)
    assert isinstance(networks.inception, Inception) and networks.videomae.dim == 16
    assert not {"FID", "FVD (VideoMAE)"} & set(networks.missing)
    assert "TorchScript" in networks.missing["FVD (I3D)"]


def test_the_face_detector_whose_file_is_there_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "face_detection_yunet_2023mar.onnx").write_bytes(b"a network")
    monkeypatch.setitem(sys.modules, "cv2", None)
    without = find_networks(tmp_path)
    assert without.faces is None and "pip install opencv" in without.missing["Looking for faces"]
    monkeypatch.setattr(
        "eadnet.evaluation.networks.detector_from_file",
        lambda file: ManualDetector(parse_face("8, 8, 40, 40")),
    )
    networks = find_networks(tmp_path)
    assert networks.faces == tmp_path / "faces" / "face_detection_yunet_2023mar.onnx"
    assert isinstance(networks.detector(), ManualDetector) and "Looking for faces" not in networks.missing
