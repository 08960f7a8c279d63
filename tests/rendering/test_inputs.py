"""Scenes from files and from arrays: the same pixels, and what only arrays can do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import wavfile
from torch import Tensor

from eadnet.media.animation import write_animation
from eadnet.media.reader import PicturesInMemory
from eadnet.media.sound import SoundInMemory
from eadnet.media.speech import Speech
from eadnet.rendering import (
    Model,
    RenderSettings,
    Scene,
    Sources,
    load_model,
    open_scene,
    render_frames,
    scene_in_memory,
)
from tests.tiny import RESOLUTION, write_tiny_checkpoint


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load_model(write_tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny.safetensors"))


@pytest.fixture
def portrait() -> np.ndarray:
    rows = np.linspace(0, 255, RESOLUTION * RESOLUTION * 3).astype(np.uint8)
    return rows.reshape(RESOLUTION, RESOLUTION, 3)


@pytest.fixture
def waveform() -> Tensor:
    return 0.1 * torch.randn(6400, generator=torch.Generator().manual_seed(0))


def frames_of(model: Model, scene: Scene, **settings: Any) -> np.ndarray:
    sampling = RenderSettings(**{"steps": 1, **settings}).sampling(model.checkpoint)
    return np.stack(list(render_frames(model.networks(), scene, sampling)))


def test_from_arrays_come_the_pixels_that_come_from_files(
    model: Model, portrait: np.ndarray, waveform: Tensor, tmp_path: Path
) -> None:
    Image.fromarray(portrait).save(tmp_path / "face.png")
    wavfile.write(tmp_path / "a.wav", 16000, waveform.numpy())
    with open_scene(model, tmp_path / "a.wav", "sad", portrait=tmp_path / "face.png") as scene:
        read = frames_of(model, scene)
    held = frames_of(model, scene_in_memory(model, portrait, waveform, "sad"))
    assert held.shape == (10, RESOLUTION, RESOLUTION, 3) and (held == read).all()


@pytest.mark.parametrize(("ending", "fps"), [("gif", 20), ("apng", 20), ("webp", 10)])
def test_an_animated_image_is_a_video(
    model: Model, waveform: Tensor, tmp_path: Path, ending: str, fps: int
) -> None:
    levels = np.arange(4, dtype=np.uint8)[:, None, None, None] * 60
    write_animation(tmp_path / f"a.{ending}", np.broadcast_to(levels, (4, 48, 32, 3)), 20)
    wavfile.write(tmp_path / "a.wav", 16000, waveform.numpy())
    settings = RenderSettings(fps=10)  # what a WebP is shown at; the others keep their own
    with open_scene(model, tmp_path / "a.wav", video=tmp_path / f"a.{ending}", settings=settings) as scene:
        shown = [int(scene.pictures.picture(number).mean()) for number in range(scene.pictures.count)]
        assert scene.fps == fps and np.allclose(shown, [0, 60, 120, 180], atol=4)


def test_ready_tokens_are_as_good_as_their_text(model: Model, portrait: np.ndarray, waveform: Tensor) -> None:
    tokens, _ = model.encode_emotion("sad")
    assert tokens is not None
    spoken = frames_of(model, scene_in_memory(model, portrait, waveform, "sad"))
    assert (frames_of(model, scene_in_memory(model, portrait, waveform, tokens)) == spoken).all()


@pytest.mark.parametrize("count", [4, 13])
def test_the_number_of_frames_may_be_given(
    model: Model, portrait: np.ndarray, waveform: Tensor, count: int
) -> None:
    assert len(frames_of(model, scene_in_memory(model, portrait, waveform, frames=count))) == count


def test_frames_keep_what_lies_outside_the_face(model: Model, waveform: Tensor) -> None:
    video = np.stack([np.full((RESOLUTION, RESOLUTION, 3), 20 + 10 * i, np.uint8) for i in range(10)])
    made = frames_of(model, scene_in_memory(model, video, waveform))
    assert (made[:, 0, 0] == video[:, 0, 0]).all() and (made != video).any()


def test_a_reference_says_what_the_person_looks_like(
    model: Model, portrait: np.ndarray, waveform: Tensor
) -> None:
    video = np.stack([portrait] * 10)
    own, same, other = (
        frames_of(model, scene_in_memory(model, video, waveform, reference=reference))
        for reference in (None, portrait, 255 - portrait)
    )
    assert (own == same).all() and (own != other).any()
    assert (own[:, 0, 0] == other[:, 0, 0]).all()


class NoAudio:
    """An audio encoder that gives zeros, the denoiser's sign for no sound."""

    def __init__(self, encoder: Any) -> None:
        self.encoder = encoder

    def stream_speech(self, speech: Speech, fps: Fraction, frames: int, first: int = 0) -> Iterator[Tensor]:
        for tokens in self.encoder.stream_speech(speech, fps, frames, first):
            yield torch.zeros_like(tokens)


def test_another_audio_encoder_can_take_the_place(
    model: Model, portrait: np.ndarray, waveform: Tensor
) -> None:
    without_audio = replace(model, audio_encoder=NoAudio(model.audio_encoder))
    settings = RenderSettings(silence_gate=False)
    first, second = (
        frames_of(
            without_audio, scene_in_memory(without_audio, portrait, sound, frames=10, settings=settings)
        )
        for sound in (waveform, waveform.flip(0))
    )
    assert (first == second).all()


def sources(pictures: int, own: bool) -> Sources:
    frames = np.zeros((pictures, 8, 8, 3), np.uint8)
    return Sources(PicturesInMemory(frames, 25), SoundInMemory(torch.zeros(1, 100), 16000), (), False, own)


@pytest.mark.parametrize(("own", "frames"), [(True, 50), (False, 53)])
def test_padding_of_a_videos_own_sound_makes_it_no_longer(own: bool, frames: int) -> None:
    assert sources(50, own).length("bounce", 2.12).frames == frames


def test_a_videos_own_sound_that_is_much_longer_is_spoken_to_its_end() -> None:
    assert sources(50, own=True).length("bounce", 4.0).frames == 100


def test_a_recording_without_speech_is_said(
    model: Model, portrait: np.ndarray, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """On the command line, too, whether or not pauses close the mouth."""
    Image.fromarray(portrait).save(tmp_path / "face.png")
    wavfile.write(tmp_path / "a.wav", 16000, np.full(16000, 0.05, np.float32))
    settings = RenderSettings(silence_gate=False)
    with open_scene(model, tmp_path / "a.wav", portrait=tmp_path / "face.png", settings=settings):
        pass
    assert "No speech was found in the recording" in caplog.text
