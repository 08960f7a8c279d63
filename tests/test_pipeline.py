"""From files to frames, with untrained networks: the right length, size, pixels and sound come out."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

from eadnet.checkpoints import save_checkpoint
from eadnet.errors import InputError
from eadnet.faces.detectors.manual import ManualDetector, face_in_box, parse_face
from eadnet.faces.masks import mask_image
from eadnet.media.video import write_video
from eadnet.pipeline import generate, load_model
from eadnet.presets import PRESETS
from eadnet.rendering import Model, StageProgress
from tests.quick import some
from tests.tiny import RESOLUTION, tiny_components, write_tiny_checkpoint


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load_model(write_tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny.safetensors"))


@pytest.fixture
def portrait(tmp_path: Path) -> Path:
    rows = np.linspace(0, 255, RESOLUTION * RESOLUTION * 3).astype(np.uint8)
    Image.fromarray(rows.reshape(RESOLUTION, RESOLUTION, 3)).save(tmp_path / "face.png")
    return tmp_path / "face.png"


def without(path: Path, *parts: str) -> Path:
    """The tiny checkpoint without some of its parts."""
    components = {name: module for name, module in tiny_components().items() if name not in parts}
    save_checkpoint(path, components, {**PRESETS["mini"].info(), "resolution": RESOLUTION})
    return path


def recording(path: Path, samples: int, rate: int = 16000, channels: int = 1) -> Path:
    noise = np.random.default_rng(0).normal(0, 0.1, (samples, channels)).astype(np.float32)
    wavfile.write(path, rate, noise)
    return path


@pytest.mark.parametrize(
    ("samples", "rate", "frames"),
    some(
        2, [(16000 // 25, 16000, 1), (320, 16000, 1), (11200, 16000, 18), (14112, 44100, 8), (4000, 8000, 13)]
    ),
)
def test_there_are_as_many_frames_as_the_sound_is_long(
    model: Model, portrait: Path, tmp_path: Path, samples: int, rate: int, frames: int
) -> None:
    sound = recording(tmp_path / "a.wav", samples, rate, channels=2)
    clip = generate(sound, "happy", portrait=portrait, model=model, steps=1)
    assert clip.frames.shape == (frames, RESOLUTION, RESOLUTION, 3) and clip.frames.dtype == np.uint8
    assert clip.rate == rate and clip.waveform.shape == (2, samples) and clip.fps == 25


def test_pixels_outside_the_mask_are_those_of_the_portrait(
    model: Model, portrait: Path, tmp_path: Path
) -> None:
    clip = generate(recording(tmp_path / "a.wav", 3200), portrait=portrait, model=model, steps=1)
    outside = mask_image(model.checkpoint.mask_region, RESOLUTION)[0].numpy() == 0
    original = np.asarray(Image.open(portrait))
    for frame in clip.frames:
        assert (frame[outside] == original[outside]).all()
    assert (clip.frames[0][~outside] != original[~outside]).any()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_clip(model: Model, portrait: Path, tmp_path: Path) -> None:
    sound = recording(tmp_path / "a.wav", 2000)
    first, again, other = (
        generate(sound, "sad", portrait=portrait, model=model, steps=2, seed=s).frames for s in (3, 3, 4)
    )
    assert (first == again).all() and (first != other).any()


def test_progress_counts_every_window_of_every_step_with_the_time_left(
    model: Model, portrait: Path, tmp_path: Path
) -> None:
    seen: list[StageProgress] = []
    sound = recording(tmp_path / "a.wav", 16000)
    generate(sound, portrait=portrait, model=model, steps=2, on_progress=seen.append)
    assert [(p.stage, p.done, p.total) for p in seen] == [("render", done, 4) for done in range(1, 5)]
    assert all(p.sampling is not None and p.seconds_left is not None for p in seen)
    assert seen[-1].seconds_left == 0


def test_following_a_face_reports_every_frame_before_rendering_begins(model: Model, tmp_path: Path) -> None:
    frames = [np.full((48, 48, 3), 90, np.uint8)] * 12
    write_video(tmp_path / "v.mp4", frames, 25)
    seen: list[StageProgress] = []
    generate(
        recording(tmp_path / "a.wav", 3200),
        video=tmp_path / "v.mp4",
        model=model,
        detector=ManualDetector(parse_face("8, 8, 40, 40")),
        steps=1,
        on_progress=seen.append,
    )
    followed = [p for p in seen if p.stage == "follow"]
    assert [(p.done, p.total) for p in followed] == [(done, 5) for done in range(1, 6)]
    assert seen[: len(followed)] == followed and all(p.seconds_left is not None for p in followed)


def test_a_video_that_is_too_short_runs_back_and_forth(model: Model, tmp_path: Path) -> None:
    levels = [40, 90, 140, 190]
    frames = [np.full((RESOLUTION, RESOLUTION, 3), level, np.uint8) for level in levels]
    write_video(tmp_path / "v.mp4", frames, 25)
    clip = generate(
        recording(tmp_path / "a.wav", 16000 * 9 // 25), video=tmp_path / "v.mp4", model=model, steps=1
    )
    corner = clip.frames[:, 0, 0, 0].astype(int)
    expected = [levels[i] for i in (0, 1, 2, 3, 2, 1, 0, 1, 2)]
    assert abs(corner - np.array(expected)).max() <= 4


@pytest.mark.parametrize("fps", some(1, [Fraction(24), Fraction(30000, 1001), Fraction(50)]))
def test_a_video_keeps_its_own_rate(model: Model, tmp_path: Path, fps: Fraction) -> None:
    levels = list(range(20, 230, 10))
    frames = [np.full((RESOLUTION, RESOLUTION, 3), level, np.uint8) for level in levels]
    write_video(tmp_path / "v.mp4", frames, fps)
    sound = recording(tmp_path / "a.wav", round(16000 * 12 / fps))
    clip = generate(sound, video=tmp_path / "v.mp4", model=model, steps=1)
    assert clip.fps == float(fps) and len(clip.frames) == 12
    assert abs(clip.frames[:, 0, 0, 0].astype(int) - levels[:12]).max() <= 4


def test_a_followed_face_takes_on_the_colours_around_it(model: Model, tmp_path: Path) -> None:
    frames = [np.full((120, 140, 3), 200, np.uint8)] * 4
    write_video(tmp_path / "v.mp4", frames, 25)
    sound = recording(tmp_path / "a.wav", 16000 * 4 // 25)
    box = np.array([40, 30, 100, 100], np.float32)

    def made(**settings: Any) -> np.ndarray:
        face = ManualDetector(face_in_box(box))
        return generate(
            sound, video=tmp_path / "v.mp4", model=model, steps=1, detector=face, **settings
        ).frames.astype(float)

    plain, matched = made(colour_match=0.0), made()
    assert plain.shape == (4, 120, 140, 3)
    changed = (plain != matched).any(axis=(0, 3))
    assert changed[70, 70] and not changed[:15].any() and not changed[:, :15].any()
    inside = np.s_[:, 60:80, 60:80]
    assert abs(matched[inside].mean() - 200) < abs(plain[inside].mean() - 200) - 1
    for wrong in ({"colour_match": 1.5}, {"feather": 0.5}):
        with pytest.raises(InputError, match="use 0"):
            made(**wrong)


@pytest.mark.slow
@pytest.mark.parametrize(("preset", "times"), [("mini", 1), ("latentsync-1.5", 0)])
def test_mini_says_when_it_gets_a_photograph_and_other_models_do_not(
    tmp_path: Path, preset: str, times: int, caplog: pytest.LogCaptureFixture
) -> None:
    info = {**PRESETS["mini"].info(), "resolution": RESOLUTION, "preset": preset}
    save_checkpoint(tmp_path / "m.safetensors", tiny_components(), info)
    grain = np.random.default_rng(0).integers(0, 255, (RESOLUTION, RESOLUTION, 3), dtype=np.uint8)
    Image.fromarray(grain).save(tmp_path / "grain.png")
    sound = recording(tmp_path / "a.wav", 1280)
    model = load_model(tmp_path / "m.safetensors")
    generate(sound, "", portrait=tmp_path / "grain.png", model=model, steps=1)
    assert caplog.text.count("looks like a photograph") == times


@pytest.mark.slow
def test_a_model_without_emotion_speaks_all_the_same(portrait: Path, tmp_path: Path) -> None:
    path = without(tmp_path / "plain.safetensors", "text_encoder", "tfrm")
    clip = generate(
        recording(tmp_path / "a.wav", 2000), "happy", portrait=portrait, model=load_model(path), steps=1
    )
    assert len(clip.frames) == 3


def test_one_source_of_pictures_is_needed(model: Model, portrait: Path, tmp_path: Path) -> None:
    sound = recording(tmp_path / "a.wav", 2000)
    for picture in (None, portrait):
        with pytest.raises(InputError, match="either a portrait or a video"):
            generate(sound, model=model, portrait=picture, video=picture)


@pytest.mark.parametrize(
    ("samples", "settings", "message"),
    [
        (100, {}, "shorter than half a frame"),
        (0, {}, "."),
        (2000, {"steps": -1}, "steps is -1"),
        (2000, {"window": 99}, "position table of 24"),
    ],
)
def test_bad_input_is_named(
    model: Model, portrait: Path, tmp_path: Path, samples: int, settings: dict, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        generate(recording(tmp_path / "a.wav", samples), portrait=portrait, model=model, **settings)


def test_silence_is_spoken_too(model: Model, portrait: Path, tmp_path: Path) -> None:
    wavfile.write(tmp_path / "a.wav", 16000, np.zeros(3200, np.float32))
    assert len(generate(tmp_path / "a.wav", portrait=portrait, model=model, steps=1).frames) == 5
