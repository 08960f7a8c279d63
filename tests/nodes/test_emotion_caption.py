from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.captions.stub import serving
from tests.captions.tiny_vlm import write_tiny_vlm

Run = Callable[..., tuple[Any, ...]]

DEFAULTS = {
    "backend": "template", "emotion": "angry", "intensity": 0.9, "features": 3, "seed": 1, "phrasing":
    "written anew", "frame_count": 2, "model": "none", "url": "", "url_model": "", "timeout": 10.0,
}  # fmt: skip
FRAMES = torch.rand(5, 40, 30, 3, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def caption(nodes: Any, run: Run) -> Callable[..., tuple[Any, ...]]:
    return lambda **changes: run(nodes.EADNetEmotionCaption, **{**DEFAULTS, **changes})


def test_a_label_becomes_a_sentence_and_data(caption: Any) -> None:
    text, data, report = caption()
    assert json.loads(data)["emotion"] == "angry" and json.loads(data)["caption"] == text
    assert "brow" in text and "source: template" in report
    assert caption() == (text, data, report)


def test_the_other_backends_need_a_picture(caption: Any, input_error: type[Exception]) -> None:
    for backend in ("measured", "local model", "endpoint"):
        with pytest.raises(input_error, match="connect an image"):
            caption(backend=backend)


def test_an_endpoint_is_asked_and_its_reply_kept(caption: Any) -> None:
    reply = 'Sure! ```json\n{"emotion": "sad", "caption": "a sad face"}\n```'
    with serving(reply) as server:
        text, data, report = caption(backend="endpoint", url=server.url, images=FRAMES, phrasing="as it came")
        assert text == "a sad face" and json.loads(data)["emotion"] == "sad"
        assert reply in report
        assert len(server.pictures()) == 2


@pytest.mark.slow
def test_an_endpoint_that_is_down_is_named(caption: Any, input_error: type[Exception]) -> None:
    with serving("") as server:
        url = server.url
    with pytest.raises(input_error, match="cannot be reached"):
        caption(backend="endpoint", url=url, images=FRAMES)


@pytest.mark.slow
def test_a_local_model_is_found_loaded_and_asked(
    caption: Any, nodes: Any, model_folder: Path, input_error: type[Exception]
) -> None:
    write_tiny_vlm(model_folder / "captioner" / "tiny-vlm")
    options = nodes.EADNetEmotionCaption.INPUT_TYPES()["required"]["model"][1]["options"]
    assert options == ["none", "tiny-vlm"]
    with pytest.raises(input_error, match="tiny-vlm: The language model's reply"):
        caption(backend="local model", model="tiny-vlm", images=FRAMES)  # its weights are random


@pytest.mark.parametrize("name", ["none", "gone", "../../secret", "/etc"])
def test_a_model_that_is_not_in_the_list_is_refused(
    caption: Any, input_error: type[Exception], name: str
) -> None:
    with pytest.raises(input_error, match="put the folder"):
        caption(backend="local model", model=name, images=FRAMES)


def test_face_landmarks_of_comfyui_are_measured(caption: Any, input_error: type[Exception]) -> None:
    smile = {"mouthSmileLeft": 0.9, "mouthSmileRight": 0.9, "eyeSquintLeft": 0.7, "eyeSquintRight": 0.7}
    landmarks = {"frames": [[{"blendshapes": smile}], []], "image_size": (40, 30)}
    text, data, report = caption(backend="measured", face_landmarks=landmarks)
    assert json.loads(data)["emotion"] == "happy"
    assert "1 of 2 frames show no face" in report
    with pytest.raises(input_error, match="No face"):
        caption(backend="measured", face_landmarks={"frames": [[], []]})


def test_without_the_landmarker_the_place_for_it_is_named(caption: Any, input_error: type[Exception]) -> None:
    with pytest.raises(input_error, match=r"face_landmarker.*faces"):
        caption(backend="measured", images=FRAMES)
