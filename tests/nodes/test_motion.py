"""The model of motion in the graph: its expression for a rig, and what it refuses to do with pixels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.tiny_motion import write_tiny_motion

QUIET = {"seed": 1, "blinks": 18.0, "gaze": 1.0, "head_motion": 1.0}


@pytest.fixture(scope="module")
def motion(nodes: Any, run: Callable[..., tuple[Any, ...]], model_folder: Path) -> Any:
    name = write_tiny_motion(model_folder / "tiny_motion.safetensors").name
    names = ("model", "audio_encoder", "text_encoder", "vae", "tfrm", "syncnet")
    return SimpleNamespace(
        **dict(zip(names, run(nodes.EADNetCheckpointLoader, checkpoint=name), strict=True))
    )


def expression(nodes: Any, run: Callable[..., Any], motion: Any, speech: Any, **more: Any) -> Any:
    parts = {"model": motion.model, "vae": motion.vae, "audio_encoder": motion.audio_encoder, "audio": speech}
    return run(nodes.EADNetExpressionFromSpeech, **{**parts, **QUIET, **more})


def test_speech_and_a_sentence_become_an_expression(
    nodes: Any, run: Callable[..., Any], motion: Any, speech: Callable[..., dict[str, Any]]
) -> None:
    happy = run(nodes.EADNetEmotionEncode, text_encoder=motion.text_encoder, text="happy")[0]
    track, curves = expression(nodes, run, motion, speech(0.8), emotion=happy, tfrm=motion.tfrm)
    assert len(track) == 20 and track.fps == 25 and curves.ndim == 4
    again, _ = expression(nodes, run, motion, speech(0.8), emotion=happy, tfrm=motion.tfrm)
    assert torch.equal(track.values, again.values)
    plain, _ = expression(nodes, run, motion, speech(0.8))
    assert not torch.equal(track.values, plain.values)


@pytest.mark.slow
def test_without_an_emotion_it_is_the_empty_sentence(
    nodes: Any, run: Callable[..., Any], motion: Any, speech: Callable[..., dict[str, Any]]
) -> None:
    nothing = run(nodes.EADNetEmotionEncode, text_encoder=motion.text_encoder, text="")[0]
    said, _ = expression(nodes, run, motion, speech(0.8), emotion=nothing)
    unsaid, _ = expression(nodes, run, motion, speech(0.8))
    assert torch.allclose(said.values, unsaid.values, atol=1e-6)


def test_widgets_still_the_eyes_and_the_head(
    nodes: Any, run: Callable[..., Any], motion: Any, speech: Callable[..., dict[str, Any]]
) -> None:
    track, _ = expression(nodes, run, motion, speech(0.8), blinks=0.0, gaze=0.0, head_motion=0.0)
    assert not track["blink"].any() and not track["gaze"].any() and not track["head"].any()


def test_lips_meet_where_the_listener_hears_them_meet(
    nodes: Any,
    run: Callable[..., Any],
    motion: Any,
    speech: Callable[..., dict[str, Any]],
    submodule: Callable[[str], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As from the command line."""
    closures = submodule("eadnet.driving.closures")
    monkeypatch.setattr(closures, "heard_closures", lambda listener, heard, frames: torch.ones(frames))
    track, _ = expression(nodes, run, motion, speech(0.8))
    assert (track["lip_close"] == 1).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keep", "stays", "changes"),
    [
        ("head", "head", "gaze"),
        ("head, gaze and blinks", "blink", "mouth"),
        ("all but the brows", "mouth", "brows"),
        ("all but the emotion", "jaw", "brows"),
        ("all but the mouth", "emotion", "mouth"),
    ],
)
def test_a_part_of_a_measured_expression_stays_and_the_rest_is_generated(
    nodes: Any,
    run: Callable[..., Any],
    motion: Any,
    speech: Callable[..., dict[str, Any]],
    keep: str,
    stays: str,
    changes: str,
) -> None:
    given, _ = expression(nodes, run, motion, speech(0.8), seed=7)
    track, _ = expression(nodes, run, motion, speech(0.8), seed=8, measured=given, keep=keep)
    assert torch.equal(track[stays], given[stays]) and not torch.equal(track[changes], given[changes])


def test_a_model_of_pixels_keeps_nothing_that_was_measured(
    nodes: Any, run: Callable[..., Any], motion: Any, loaded: Any, speech: Any, input_error: type[Exception]
) -> None:
    given, _ = expression(nodes, run, motion, speech(0.8))
    parts = {"model": loaded.model, "vae": loaded.vae, "audio_encoder": loaded.audio_encoder}
    with pytest.raises(input_error, match="tiny cannot keep a measured expression: load motion"):
        run(nodes.EADNetExpressionFromSpeech, **parts, **QUIET, audio=speech(0.8), measured=given)


def test_a_face_in_pixels_is_refused_in_a_sentence(
    nodes: Any, run: Callable[..., Any], motion: Any, loaded: Any, input_error: type[Exception]
) -> None:
    portrait = {
        "images": torch.rand(1, 64, 64, 3),
        "frame_count": 4,
        "mask_region": "auto",
        "check_face": False,
    }
    sentence = "moves a rigged portrait and draws no face: connect it to EAD-Net Expression from Speech"
    with pytest.raises(input_error, match=sentence):
        run(nodes.EADNetPrepare, model=motion.model, vae=loaded.vae, **portrait)


def test_it_judges_the_sync_of_real_faces_and_needs_the_landmarker_for_it(
    nodes: Any, run: Callable[..., Any], motion: Any, speech: Any, input_error: type[Exception]
) -> None:
    network = motion.syncnet.use()
    assert network.name == "motion" and network.expected(torch.rand(16_000), 25).shape == (25, 3)
    clip = {"images": torch.rand(25, 32, 32, 3), "audio": speech(1.0), "fps": 25.0}
    with pytest.raises(input_error, match="face landmarker"):
        run(nodes.EADNetSyncScore, syncnet=motion.syncnet, **clip, min_confidence=0.0, theme="dark")
