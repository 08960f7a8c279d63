"""One node for a whole film: frame for frame what the nodes give one by one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

SETTINGS: dict[str, Any] = {
    "seed": 3,
    "steps": 2,
    "audio_guidance": 1.5,
    "emotion_guidance": 2.0,
    "scheduler": "ddim",
    "window": 8,
    "overlap": 2,
    "smoothing": 1.0,
    "length": "bounce",
    "fps": 25.0,
    "silence_gate": True,
    "mask_region": "auto",
    "feather": 0.05,
    "colour_match": 0.5,
    "resume": True,
    "filename_prefix": "video/film",
}


@pytest.fixture
def picture() -> torch.Tensor:
    return torch.rand(1, 40, 48, 3, generator=torch.Generator().manual_seed(4)).mul(255).round() / 255


@pytest.fixture
def film(nodes: Any, run: Callable[..., Any], loaded: Any, submodule: Any) -> Callable[..., Any]:
    """Runs the node; gives the VIDEO."""

    def call(**inputs: Any) -> Any:
        parts = {"model": loaded.model, "vae": loaded.vae, "audio_encoder": loaded.audio_encoder}
        (video,) = run(nodes.EADNetRenderVideo, **{**SETTINGS, **parts, "tfrm": loaded.tfrm, **inputs})
        return video

    return call


def saved(video: Any) -> Path:
    return Path(video.get_stream_source())


@pytest.fixture
def before_encoding(submodule: Any, monkeypatch: Any) -> list[np.ndarray]:
    """The frames as they go into the film, before H.264 changes them."""
    frames: list[np.ndarray] = []
    film = submodule("eadnet.media.film").Film
    write = film.write

    def keep(self: Any, pixels: np.ndarray) -> None:
        frames.append(pixels.copy())
        write(self, pixels)

    monkeypatch.setattr(film, "write", keep)
    return frames


def one_by_one(
    nodes: Any, run: Callable[..., Any], loaded: Any, picture: torch.Tensor, audio: Any, emotion: Any
) -> torch.Tensor:
    tokens, count = run(nodes.EADNetAudioEncode, audio_encoder=loaded.audio_encoder, audio=audio, fps=25.0)
    latents, crops, region = run(
        nodes.EADNetPrepare,
        model=loaded.model,
        vae=loaded.vae,
        images=picture,
        frame_count=count,
        mask_region="auto",
    )
    names = ("seed", "steps", "audio_guidance", "emotion_guidance", "scheduler", "window", "overlap")
    (latent,) = run(
        nodes.EADNetSampler,
        model=loaded.model,
        audio=tokens,
        latents=latents,
        emotion=emotion,
        **{name: SETTINGS[name] for name in names},
    )
    latent, _ = run(nodes.EADNetTFRMSmoother, tfrm=loaded.tfrm, samples=latent, strength=1.0, top_k=0)
    decoded = loaded.vae.decode(latent["samples"])
    weight = region[..., None]  # Image Composite Masked
    return decoded * weight + crops * (1 - weight)


@pytest.mark.parametrize("frames", [1, 13])
def test_it_is_the_graph_of_nodes_frame_for_frame(
    film: Any,
    before_encoding: list[np.ndarray],
    nodes: Any,
    run: Any,
    loaded: Any,
    picture: torch.Tensor,
    speech: Any,
    frames: int,
) -> None:
    emotion, _ = run(nodes.EADNetEmotionEncode, text_encoder=loaded.text_encoder, text="happy")
    audio = speech(frames / 25, rate=44100, channels=2)
    expected = one_by_one(nodes, run, loaded, picture, audio, emotion)
    film(source=picture, audio=audio, emotion=emotion)
    assert len(before_encoding) == len(expected) == frames
    difference = np.abs(np.stack(before_encoding) / 255 - expected.numpy()).max()
    assert difference <= 1 / 255, difference


def test_the_film_is_saved_with_its_sound_under_the_next_number(film: Any, picture: Any, speech: Any) -> None:
    first, second = (
        saved(film(source=picture, audio=speech(0.4), seed=seed, filename_prefix="own/film"))
        for seed in (1, 2)
    )
    assert first.name == "film_00001_.mp4" and second.name == "film_00002_.mp4" and first.parent.name == "own"
    components = film(source=picture, audio=speech(0.4)).get_components()
    assert components.images.shape == (10, 32, 32, 3) and components.frame_rate == 25
    assert components.audio is not None and components.audio["waveform"].shape[-1] >= 0.4 * 16000
    assert not list(first.parent.glob("*partial*"))


def test_a_video_is_read_by_frames_and_speaks_with_its_own_sound(
    film: Any, picture: Any, speech: Any
) -> None:
    source = film(source=picture, audio=speech(0.4))
    video = film(source=source)
    assert len(video.get_components().images) == 10


def test_a_track_gives_whole_frames(film: Any, nodes: Any, run: Any, loaded: Any, speech: Any) -> None:
    frames = torch.rand(5, 60, 80, 3, generator=torch.Generator().manual_seed(1)).mul(255).round() / 255
    values: dict[str, Any] = {}
    for name, (_, settings, *_) in nodes.EADNetFaceTrack.INPUT_TYPES()["required"].items():
        values[name] = settings.get("default")
    values |= {"images": frames, "detector": "manual", "manual": "20, 10, 60, 50", "model": loaded.model}
    track, *_ = run(nodes.EADNetFaceTrack, **values)
    images = film(source=frames, audio=speech(0.2), track=track).get_components().images
    assert images.shape == (5, 60, 80, 3)


def test_a_broken_off_film_continues(
    film: Any, picture: Any, speech: Any, host: Any, before_encoding: list[np.ndarray], monkeypatch: Any
) -> None:
    audio = speech(6.0)
    update = host.Progress.update

    def fail(self: Any, done: int, preview: Any = None) -> None:
        if done == 48:
            raise KeyboardInterrupt
        update(self, done, preview)

    monkeypatch.setattr(host.Progress, "update", fail)
    with pytest.raises(KeyboardInterrupt):
        film(source=picture, audio=audio, filename_prefix="video/long")
    monkeypatch.setattr(host.Progress, "update", update)
    written = len(before_encoding)
    assert written >= 48
    video = film(source=picture, audio=audio, filename_prefix="video/long")
    assert len(before_encoding) == written + 150 - written // 48 * 48
    assert len(video.get_components().images) == 150


class TestInput:
    def test_no_sound_is_named(self, film: Any, picture: Any, input_error: type[Exception]) -> None:
        with pytest.raises(input_error, match="There is no sound: connect a recording"):
            film(source=picture)

    def test_an_overlap_as_long_as_the_window_is_refused(self, nodes: Any) -> None:
        assert "use 0 to 7" in nodes.EADNetRenderVideo.validate_inputs(8, 8)
        assert nodes.EADNetRenderVideo.validate_inputs(16, 4) is True

    def test_places_outside_the_output_folder_are_refused(self, film: Any, picture: Any, speech: Any) -> None:
        with pytest.raises(Exception, match="outside the output folder"):
            film(source=picture, audio=speech(0.1), filename_prefix="../../elsewhere")
