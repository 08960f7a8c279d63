"""The face nodes, with faces given by hand: no detector's file is needed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from eadnet.media.video import write_video
from tests.tiny import RESOLUTION

SETTINGS = {
    "detector": "manual",
    "face": "largest",
    "order": "left-right",
    "index": 0,
    "point_x": 0,
    "point_y": 0,
    "missing_frame_fallback": "interpolate",
    "patience": 12,
    "smoothing": 1.0,
    "manual": "40, 30, 100, 100",
    "framing": "latentsync",
    "resolution": 64,
}


@pytest.fixture
def follow(nodes: Any, run: Callable[..., Any]) -> Callable[..., Any]:
    return lambda images, **given: run(nodes.EADNetFaceTrack, images=images, **{**SETTINGS, **given})


@pytest.fixture
def paste(nodes: Any, run: Callable[..., Any]) -> Callable[..., Any]:
    def call(images: torch.Tensor, faces: torch.Tensor, track: Any, **given: Any) -> torch.Tensor:
        settings = {"mask_region": "auto", "feather": 0.05, "colour_match": 0.5, **given}
        return run(nodes.EADNetFaceComposite, images=images, faces=faces, track=track, **settings)[0]

    return call


def test_a_face_given_by_hand_is_cropped_in_every_frame(follow: Callable[..., Any]) -> None:
    track, crops, valid, missing = follow(torch.rand(3, 120, 140, 3))
    assert crops.shape == (3, 64, 64, 3) and valid.shape == (3, 64, 64) and valid.all() and missing == ""
    assert track.mask_region == "face" and len(track.track) == 3


@pytest.mark.slow
def test_the_node_shows_where_it_found_the_face(nodes: Any) -> None:
    import folder_paths

    node = nodes.EADNetFaceTrack.PREPARE_CLASS_CLONE({})
    output = node.EXECUTE_NORMALIZED(images=torch.rand(2, 1200, 1400, 3), **SETTINGS)
    (shown,) = output.ui.as_dict()["images"]
    with Image.open(Path(folder_paths.get_temp_directory()) / shown["filename"]) as picture:
        assert picture.height <= 512 and abs(picture.width - picture.height * 4 / 3) <= 1


def test_a_connected_model_decides_framing_size_and_region(follow: Callable[..., Any], loaded: Any) -> None:
    track, crops, *_ = follow(torch.rand(1, 120, 140, 3), model=loaded.model)
    assert crops.shape == (1, RESOLUTION, RESOLUTION, 3)
    assert track.track.framing == "portrait" and track.mask_region == "face"


def test_only_the_face_is_replaced(follow: Callable[..., Any], paste: Callable[..., Any]) -> None:
    images = torch.rand(2, 120, 140, 3)
    track, crops, *_ = follow(images)
    result = paste(images, 1 - crops, track)
    changed = (result != images).any(-1)
    assert result.shape == images.shape and changed.any()
    assert not changed[:, :20].any() and not changed[:, :, :30].any()


def test_of_a_video_in_memory_every_pixel_beside_the_face_stays(
    follow: Callable[..., Any], paste: Callable[..., Any]
) -> None:
    """Values that bytes do not hold, and odd sides: no encoder was in between."""
    from comfy_api.latest import InputImpl, Types

    images = torch.rand(2, 121, 141, 3)
    video = InputImpl.VideoFromComponents(Types.VideoComponents(images=images, frame_rate=Fraction(25)))
    track, crops, *_ = follow(video)
    result = paste(video, 1 - crops, track)
    assert torch.equal(result, paste(images, 1 - crops, track))
    assert torch.equal(result[:, :20], images[:, :20]) and not torch.equal(result, images)


def test_a_longer_recording_plays_the_frames_back_and_forth(
    follow: Callable[..., Any], paste: Callable[..., Any]
) -> None:
    images = torch.rand(3, 120, 140, 3)
    track, crops, *_ = follow(images)
    result = paste(images, crops[[0, 1, 2, 1, 0]], track)
    assert len(result) == 5
    for place, source in enumerate((0, 1, 2, 1, 0)):
        assert torch.equal(result[place, :20], images[source, :20])


def test_a_mask_painted_on_the_frame_replaces_the_region(
    follow: Callable[..., Any], paste: Callable[..., Any]
) -> None:
    images, mask = torch.zeros(1, 120, 140, 3), torch.zeros(1, 120, 140)
    mask[:, 60:70, 60:80] = 1
    track, crops, *_ = follow(images)
    result = paste(images, torch.ones_like(crops), track, mask=mask, feather=0.0, colour_match=0.0)
    assert (result[0, 62:68, 62:78] > 0.9).all() and (result > 0).any(-1).sum() < 20 * 30


def test_the_track_is_drawn_over_the_frames(
    nodes: Any, run: Callable[..., Any], follow: Callable[..., Any]
) -> None:
    images = torch.rand(5, 120, 140, 3)
    track = follow(images)[0]
    pictures = run(nodes.EADNetFaceTrackPreview, images=images, track=track, every=2)[0]
    assert len(pictures) == 3 and pictures.shape[2] == 140 and pictures.shape[1] > 120


def test_a_missing_detector_file_says_which_from_where_and_where_to(
    follow: Callable[..., Any], checkpoint_error: type[Exception]
) -> None:
    pytest.importorskip("cv2")
    message = "face_detection_yunet_2023mar.onnx is missing: get it from github.com/opencv.*eadnet.faces"
    with pytest.raises(checkpoint_error, match=message):
        follow(torch.rand(1, 120, 140, 3), detector="yunet")


def test_faces_of_comfyuis_own_landmarker_are_taken(
    follow: Callable[..., Any], input_error: type[Exception]
) -> None:
    mesh = torch.rand(478, 2).numpy() * 40 + 50
    given = {"frames": [[{"landmarks_xy": mesh, "score": 0.9}], []], "image_size": (120, 140)}
    images = torch.rand(2, 120, 140, 3)
    settings = {"face_landmarks": given, "missing_frame_fallback": "empty"}
    *_, valid, missing = follow(images, **settings)
    assert missing == "1" and valid[0].all() and not valid[1].any()
    with pytest.raises(input_error, match="belong to 2 frames"):
        follow(images[:1], **settings)


@pytest.fixture
def video(pack: Any, tmp_path: Path) -> Callable[[list[np.ndarray]], Any]:
    """Makes a VIDEO of frames uint8 [H, W, 3]."""

    def make(frames: list[np.ndarray]) -> Any:
        from comfy_api.latest import InputImpl

        write_video(tmp_path / "v.mp4", frames, 25, quality=1)
        return InputImpl.VideoFromFile(str(tmp_path / "v.mp4"))

    return make


def test_a_video_is_taken_like_its_frames(
    nodes: Any, run: Callable[..., Any], follow: Callable[..., Any], paste: Callable[..., Any], video: Any
) -> None:
    levels = list(range(40, 216, 8))  # more than are worked on together
    clip = video([np.full((120, 140, 3), level, np.uint8) for level in levels])
    track, crops, valid, missing = follow(clip)
    assert len(track.track) == len(levels) and crops.shape == (len(levels), 64, 64, 3)
    shown = crops[:, 32, 32].mean(dim=-1) * 255
    assert (shown - torch.tensor(levels)).abs().max() < 4 and valid.all() and missing == ""
    result = paste(clip, torch.ones(30, 64, 64, 3), track, colour_match=0.0)
    assert result.shape == (30, 120, 140, 3) and result.dtype == torch.float32
    sources = [*range(22), *range(20, 12, -1)]  # the frames turn round at the end
    assert (result[:, 0, 0, 0] * 255 - torch.tensor([levels[i] for i in sources])).abs().max() < 4
    assert result[:, 70, 70].min() > 0.99
    pictures = run(nodes.EADNetFaceTrackPreview, images=clip, track=track, every=10)[0]
    assert len(pictures) == 3


def test_transparent_pictures_are_taken_and_stay_transparent(
    follow: Callable[..., Any], paste: Callable[..., Any]
) -> None:
    images = torch.rand(2, 120, 140, 4)
    track, crops, *_ = follow(images)
    assert crops.shape == (2, 64, 64, 3)
    result = paste(images, torch.ones_like(crops), track)
    assert torch.equal(result[..., 3], images[..., 3]) and not torch.equal(result, images)


def test_the_result_of_half_precision_frames_is_half(
    follow: Callable[..., Any], paste: Callable[..., Any]
) -> None:
    images = torch.rand(1, 120, 140, 3).half()
    track, crops, *_ = follow(images)
    result = paste(images, torch.ones_like(crops), track)
    assert result.dtype == torch.float16 and torch.equal(result[:, :20], images[:, :20])


@pytest.mark.parametrize("detector", ["manual", "auto"])
def test_without_opencv_a_face_by_hand_still_works(
    follow: Callable[..., Any], input_error: type[Exception], monkeypatch: pytest.MonkeyPatch, detector: str
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    assert follow(torch.rand(2, 120, 140, 3), detector=detector)[2].all()
    with pytest.raises(input_error, match="pip install opencv-python-headless.*or enter the face by hand"):
        follow(torch.rand(1, 120, 140, 3), detector="yunet")


def test_what_is_no_picture_and_no_video_is_refused(
    follow: Callable[..., Any], input_error: type[Exception]
) -> None:
    with pytest.raises(input_error, match="connect Load Video or Load Image"):
        follow(None)


def test_a_face_by_hand_that_is_none_is_refused_before_the_graph_runs(nodes: Any) -> None:
    assert "write 4 numbers" in nodes.EADNetFaceTrack.validate_inputs(manual="1 2 3")
    assert nodes.EADNetFaceTrack.validate_inputs(manual="") is True
