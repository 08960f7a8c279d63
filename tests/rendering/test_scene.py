"""A scene's fingerprint changes with whatever decides a result, and with nothing else."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from eadnet.media.lengths import LENGTH_MODES, Length
from eadnet.modules.tfrm import TFRM
from eadnet.rendering import (
    CentreCropper,
    Model,
    Networks,
    RenderSettings,
    Scene,
    load_model,
    scene_in_memory,
)
from eadnet.rendering.to_file import render_key
from eadnet.sampling import Sampling, Savings
from tests.quick import some
from tests.tiny import RESOLUTION, write_tiny_checkpoint


@dataclass(frozen=True)
class Render:
    """All that a fingerprint is made of."""

    networks: Networks
    scene: Scene
    sampling: Sampling
    smoothing: float = 1.0

    def fingerprint(self) -> str:
        return self.scene.fingerprint(self.networks, self.sampling, self.smoothing)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load_model(write_tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny.safetensors"))


def made(model: Model, level: int = 90, loudness: float = 0.1, emotion: str = "happy") -> Render:
    portrait = np.full((RESOLUTION, RESOLUTION, 3), level, np.uint8)
    waveform = loudness * torch.linspace(0, 900, 6400).sin()
    scene = scene_in_memory(model, portrait, waveform, emotion)
    return Render(model.networks(), scene, RenderSettings(steps=2).sampling(model.checkpoint))


@pytest.fixture
def render(model: Model) -> Render:
    return made(model)


def test_the_same_render_has_the_same_name(model: Model, render: Render) -> None:
    assert render.fingerprint() == made(model).fingerprint()


def test_pictures_sound_and_words_count(model: Model, render: Render) -> None:
    others = [
        made(model, level=91),
        made(model, loudness=0.2),
        made(model, emotion="sad"),
        made(model, emotion=""),
    ]
    assert len({render.fingerprint(), *(other.fingerprint() for other in others)}) == 5


@pytest.mark.parametrize("part", some(2, ["unet", "vae", "audio_encoder", "tfrm"]))
def test_the_weights_of_every_network_count(model: Model, render: Render, part: str) -> None:
    changed = copy.deepcopy(getattr(model, part))
    next(changed.parameters()).data += 0.01
    assert made(replace(model, **{part: changed})).fingerprint() != render.fingerprint()


SAMPLING: dict[str, object] = {
    "scheduler_config": {"prediction_type": "epsilon"},
    "scheduler": "euler",
    "steps": 3,
    "audio_guidance": 2.5,
    "emotion_guidance": 2.5,
    "seed": 1,
    "window": 12,
    "overlap": 3,
    "shared_noise": 0.25,
    "dtype": torch.float16,
    "window_mode": "moving",
    "savings": Savings(cache_interval=2),
}


def test_every_setting_of_the_sampler_is_tried_here() -> None:
    assert {field.name for field in fields(Sampling)} - set(SAMPLING) == {"device"}


@pytest.mark.parametrize("name", some(3, SAMPLING))
def test_every_setting_of_the_sampler_counts(render: Render, name: str) -> None:
    changed = replace(render, sampling=replace(render.sampling, **{name: SAMPLING[name]}))  # type: ignore[arg-type]
    assert changed.fingerprint() != render.fingerprint()


def test_number_types_are_told_apart(render: Render) -> None:
    kinds = [
        replace(render, sampling=replace(render.sampling, dtype=d)) for d in (torch.float16, torch.bfloat16)
    ]
    assert kinds[0].fingerprint() != kinds[1].fingerprint()


def test_the_device_does_not_count(render: Render) -> None:
    elsewhere = replace(render, sampling=replace(render.sampling, device="cuda"))
    assert elsewhere.fingerprint() == render.fingerprint()


def test_the_strength_of_smoothing_counts(render: Render) -> None:
    assert replace(render, smoothing=0.5).fingerprint() != render.fingerprint()


CHANGES: dict[str, Callable[[Scene], object]] = {
    "sources": lambda scene: ("another", "recording"),
    "cropper": lambda scene: CentreCropper(torch.ones_like(scene.region)),
    "region": lambda scene: torch.ones_like(scene.region),
    "fps": lambda scene: Fraction(30),
    "length": lambda scene: Length(scene.length.frames + 1, 1, "bounce"),
    "emotion": lambda scene: None,
    "null_emotion": lambda scene: None,
    "silence_gate": lambda scene: not scene.silence_gate,
    "reference": lambda scene: torch.zeros(3, RESOLUTION, RESOLUTION),
}
# Known by `sources`.
READ = {"pictures", "sound", "speech"}


def test_every_part_of_a_scene_is_tried_here() -> None:
    assert {field.name for field in fields(Scene)} == set(CHANGES) | READ


@pytest.mark.parametrize("name", some(3, CHANGES))
def test_every_part_of_a_scene_counts(render: Render, name: str) -> None:
    changed = replace(render.scene, **{name: CHANGES[name](render.scene)})  # type: ignore[arg-type]
    assert replace(render, scene=changed).fingerprint() != render.fingerprint()


def test_a_single_number_of_the_weights_counts(model: Model, render: Render) -> None:
    changed = copy.deepcopy(model.unet)
    with torch.no_grad():
        next(changed.parameters())[0, 0, 1, 2] += 1e-3
    assert made(replace(model, unet=changed)).fingerprint() != render.fingerprint()


def test_what_a_network_is_configured_for_counts(model: Model, render: Render) -> None:
    """Weights of the same shapes smooth otherwise with another number of neighbours."""
    assert model.tfrm is not None
    changed = TFRM.from_config({**model.tfrm.config, "top_k": 2})
    changed.load_state_dict(model.tfrm.state_dict())
    assert made(replace(model, tfrm=changed)).fingerprint() != render.fingerprint()


def test_a_smoother_of_no_strength_does_not_count(model: Model) -> None:
    without = replace(made(replace(model, tfrm=None)), smoothing=0.0)
    assert without.fingerprint() == replace(made(model), smoothing=0.0).fingerprint()


@pytest.mark.slow
def test_a_mode_of_length_that_changes_nothing_does_not_count(render: Render) -> None:
    def key(frames: int, available: int, mode: str) -> str:
        length = Length(frames, available, mode)
        return replace(render, scene=replace(render.scene, length=length)).fingerprint()

    assert len({key(10, 10, mode) for mode in LENGTH_MODES}) == 1
    assert len({key(10, available, "loop") for available in (10, 11, 99)}) == 1
    assert len({key(10, 4, mode) for mode in LENGTH_MODES}) == 3
    assert key(10, 4, "silence") == key(10, 4, "bounce") and key(10, 4, "loop") != key(10, 5, "loop")


def test_a_video_without_sound_is_another(render: Render) -> None:
    silent = replace(render, scene=replace(render.scene, sound=None))
    assert silent.fingerprint() != render.fingerprint()


def test_how_a_video_is_written_counts_beside_the_scene(
    render: Render, monkeypatch: pytest.MonkeyPatch
) -> None:
    def key(quality: int = 16) -> str:
        return render_key(render.networks, render.scene, render.sampling, quality=quality)

    keys = [key(), key(quality=20)]
    monkeypatch.setattr("eadnet.rendering.to_file.__version__", "another")
    assert len({*keys, key()}) == 3
