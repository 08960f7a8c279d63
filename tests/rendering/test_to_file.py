"""Renders into files: any length, interrupted, out of memory, on a full disk; and each frame as in memory."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import wavfile

from eadnet.errors import InputError
from eadnet.faces.detectors.manual import ManualDetector, parse_face
from eadnet.media.resumable_video import GROUP
from eadnet.media.video import read_video, write_video
from eadnet.pipeline import generate, generate_file
from eadnet.rendering import Model, RenderSettings, load_model, open_scene, render_frames
from eadnet.rendering.unfinished import FOLDER
from tests.tiny import RESOLUTION, write_tiny_checkpoint


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load_model(write_tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny.safetensors"))


@pytest.fixture
def portrait(tmp_path: Path) -> Path:
    y, x = np.mgrid[:RESOLUTION, :RESOLUTION]
    picture = np.stack([x * 7 % 256, y * 5 % 256, (x + y) * 3 % 256], axis=-1).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "face.png")
    return tmp_path / "face.png"


@pytest.fixture
def sound(tmp_path: Path) -> Callable[[int], Path]:
    def make(frames: int, rate: int = 16000, fps: Fraction | int = 25) -> Path:
        samples = round(rate * frames / fps)
        swell = np.sin(np.linspace(0, samples / 3000, samples)) ** 2
        noise = 0.2 * swell * np.random.default_rng(0).normal(0, 1, samples)
        wavfile.write(tmp_path / "a.wav", rate, noise.astype(np.float32))
        return tmp_path / "a.wav"

    return make


Sounds = Callable[..., Path]


@pytest.mark.slow
@pytest.mark.parametrize("frames", [1, 3, 16, 17, 47, 64])
def test_the_video_has_every_frame_and_its_sound_ends_with_it(
    model: Model, portrait: Path, sound: Sounds, tmp_path: Path, frames: int
) -> None:
    out = tmp_path / "out" / "a.mp4"
    made = generate_file(
        out, sound(frames, 44100), portrait=portrait, model=model, steps=1, scheduler="euler"
    )
    assert made.frames == frames and [path.name for path in out.parent.iterdir()] == ["a.mp4"]
    with av.open(str(out)) as video:
        assert video.streams.video[0].frames == frames
        ends = [float((s.duration or 0) * (s.time_base or 0)) for s in video.streams]
    assert abs(ends[0] - ends[1]) <= 0.5 / 25


@pytest.mark.slow
@pytest.mark.parametrize(
    "fps", [Fraction(24), Fraction(30000, 1001), Fraction(30), Fraction(50), Fraction(60)]
)
def test_every_rate_is_kept_with_sound_and_picture_together(
    model: Model, sound: Sounds, tmp_path: Path, fps: Fraction
) -> None:
    frames = [np.full((RESOLUTION, RESOLUTION, 3), 20 + i, np.uint8) for i in range(40)]
    write_video(tmp_path / "v.mp4", frames, fps)
    out = tmp_path / "a.mp4"
    generate_file(out, sound(33, 48000, fps), video=tmp_path / "v.mp4", model=model, steps=1)
    with av.open(str(out)) as video:
        assert video.streams.video[0].frames == 33 and video.streams.video[0].average_rate == fps
        ends = [float((s.duration or 0) * (s.time_base or 0)) for s in video.streams]
    assert abs(ends[0] - ends[1]) <= 0.5 / fps


@pytest.mark.slow
@pytest.mark.parametrize("first", [0, 8, 48, 96, 136])
def test_any_part_rendered_alone_is_the_same_to_the_bit(
    model: Model, sound: Sounds, tmp_path: Path, first: int
) -> None:
    frames = [np.full((RESOLUTION, RESOLUTION, 3), 20 + 3 * i, np.uint8) for i in range(60)]
    write_video(tmp_path / "v.mp4", frames, 25)
    sampling = RenderSettings(steps=2, seed=5).sampling(model.checkpoint)
    with open_scene(model, sound(141), "happy", video=tmp_path / "v.mp4") as scene:
        whole = list(render_frames(model.networks(), scene, sampling))
        part = list(render_frames(model.networks(), scene, sampling, first_frame=first))
    assert len(whole) == 141 and np.array_equal(np.stack(part), np.stack(whole[first:]))


class Stopped(Exception):
    pass


def partials(folder: Path) -> list[Path]:
    """The unfinished videos beside those of a folder."""
    return sorted((folder / FOLDER).glob("*.partial.mp4"))


def stop_after(count: int) -> Callable[[Any], None]:
    def report(now: Any) -> None:
        if now.done == count:
            raise Stopped

    return report


@pytest.mark.slow
@pytest.mark.parametrize("at", [3, 22])
def test_a_render_that_was_broken_off_continues_to_the_same_video(
    model: Model, portrait: Path, sound: Sounds, tmp_path: Path, at: int
) -> None:
    given: dict[str, Any] = {"portrait": portrait, "model": model, "steps": 2, "emotion": "sad"}
    recording = sound(150)
    generate_file(tmp_path / "whole.mp4", recording, **given)
    with pytest.raises(Stopped):
        generate_file(tmp_path / "a.mp4", recording, **given, on_progress=stop_after(at))
    assert bool(partials(tmp_path)) == (at > 3), "without a finished frame nothing is left behind"
    assert all(len(read_video(partial).frames) >= GROUP for partial in partials(tmp_path))
    made = generate_file(tmp_path / "a.mp4", recording, **given, resume=True)
    assert made.continued == {3: 0, 22: GROUP}[at]
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert not (tmp_path / FOLDER).exists()


@pytest.mark.slow
def test_a_render_of_another_seed_in_between_and_another_name_cost_nothing(
    model: Model, portrait: Path, sound: Sounds, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"portrait": portrait, "model": model, "steps": 1, "resume": True}
    recording = sound(120)
    generate_file(tmp_path / "whole.mp4", recording, **given)
    with pytest.raises(Stopped):
        generate_file(tmp_path / "a.mp4", recording, **given, on_progress=stop_after(9))
    assert generate_file(tmp_path / "a.mp4", recording, **given, seed=9).continued == 0
    assert len(partials(tmp_path)) == 1, "of the first seed"
    made = generate_file(tmp_path / "at 12:31.mp4", recording, **given)
    assert made.continued == GROUP and made.path == tmp_path / "at 12:31.mp4"
    assert made.path.read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert not (tmp_path / FOLDER).exists()


@pytest.mark.slow
def test_a_folder_that_is_removed_meanwhile_costs_nothing(
    model: Model, portrait: Path, sound: Sounds, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"portrait": portrait, "model": model, "steps": 1}
    out, recording = tmp_path / "out" / "a.mp4", sound(120)
    generate_file(tmp_path / "whole.mp4", recording, **given)

    left = {"render", "finish"}

    def remove(now: Any) -> None:
        if now.done == 9 and now.stage in left:
            left.remove(now.stage)
            shutil.rmtree(out.parent)

    assert generate_file(out, recording, **given, on_progress=remove).frames == 120
    assert not left
    assert out.read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert [path.name for path in out.parent.iterdir()] == ["a.mp4"]


@pytest.mark.slow
def test_a_video_that_another_process_renders_is_left_to_it(
    model: Model, portrait: Path, sound: Sounds, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Here the other one is a render within a render, as far as files are concerned."""
    given: dict[str, Any] = {"portrait": portrait, "model": model, "steps": 1, "resume": True}
    recording = sound(120)
    inner: list[Any] = []

    def render_too(now: Any) -> None:
        if now.done == 9:
            inner.append(generate_file(tmp_path / "inner.mp4", recording, **given))

    outer = generate_file(tmp_path / "outer.mp4", recording, **given, on_progress=render_too)
    assert "Somebody else renders the same video" in caplog.text
    assert outer.frames == inner[0].frames == 120 and inner[0].continued == 0
    assert outer.path.read_bytes() == inner[0].path.read_bytes()
    assert not (tmp_path / FOLDER).exists()


@pytest.mark.slow
def test_a_cancelled_finish_keeps_every_whole_group(
    model: Model, portrait: Path, sound: Sounds, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"portrait": portrait, "model": model, "steps": 1}

    def stop_finish(now: Any) -> None:
        if now.stage == "finish" and now.done == 30:
            raise Stopped

    recording = sound(120)
    with pytest.raises(Stopped):
        generate_file(tmp_path / "a.mp4", recording, **given, on_progress=stop_finish)
    assert [path.name for path in tmp_path.glob("*.mp4")] == []
    assert generate_file(tmp_path / "a.mp4", recording, **given, resume=True).continued == 2 * GROUP


@pytest.mark.slow
def test_memory_that_runs_out_is_answered_with_a_smaller_window(
    model: Model, portrait: Path, sound: Sounds, tmp_path: Path, monkeypatch: Any, caplog: Any
) -> None:
    forward = model.unet.forward

    def small_only(batch: torch.Tensor, *others: Any) -> torch.Tensor:
        if batch.shape[2] > 8:
            raise torch.OutOfMemoryError("out of memory")
        return forward(batch, *others)

    monkeypatch.setattr(model.unet, "forward", small_only)
    made = generate_file(tmp_path / "a.mp4", sound(30), portrait=portrait, model=model, steps=1)
    assert made.window == 8 and made.frames == 30
    assert "goes on with 8 frames in a window" in caplog.text


@pytest.mark.slow
def test_a_video_of_another_window_is_not_continued(
    model: Model, portrait: Path, sound: Sounds, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"portrait": portrait, "model": model, "steps": 1}
    recording = sound(120)
    with pytest.raises(Stopped):
        generate_file(tmp_path / "a.mp4", recording, **given, on_progress=stop_after(9))
    assert generate_file(tmp_path / "a.mp4", recording, **given, window=12, resume=True).continued == 0


@pytest.mark.slow
def test_a_video_whose_window_memory_made_smaller_is_continued_with_that(
    model: Model, portrait: Path, sound: Sounds, tmp_path: Path, monkeypatch: Any
) -> None:
    given: dict[str, Any] = {"portrait": portrait, "model": model, "steps": 1}
    recording = sound(120)
    generate_file(tmp_path / "whole.mp4", recording, **given, window=8, overlap=4)
    forward = model.unet.forward

    def small_only(batch: torch.Tensor, *others: Any) -> torch.Tensor:
        if batch.shape[2] > 8:
            raise torch.OutOfMemoryError("out of memory")
        return forward(batch, *others)

    with monkeypatch.context() as patch:
        patch.setattr(model.unet, "forward", small_only)
        with pytest.raises(Stopped):
            generate_file(tmp_path / "a.mp4", recording, **given, on_progress=stop_after(28))
    made = generate_file(tmp_path / "a.mp4", recording, **given, resume=True)
    assert made.continued == GROUP and made.window == 8
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()


@pytest.mark.slow
def test_a_place_that_cannot_be_written_costs_no_unfinished_video(
    model: Model, portrait: Path, sound: Sounds, tmp_path: Path, monkeypatch: Any
) -> None:
    given: dict[str, Any] = {"portrait": portrait, "model": model, "steps": 1}
    recording = sound(120)
    with pytest.raises(Stopped):
        generate_file(tmp_path / "a.mp4", recording, **given, on_progress=stop_after(9))
    (partial,) = partials(tmp_path)
    before = partial.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("tempfile.TemporaryFile", full)
        with pytest.raises(InputError, match="cannot be written"):
            generate_file(tmp_path / "a.mp4", recording, **given, resume=True)
    assert partial.read_bytes() == before
    assert generate_file(tmp_path / "a.mp4", recording, **given, resume=True).continued == GROUP


@pytest.mark.slow
def test_decoding_goes_on_with_fewer_frames_when_memory_runs_out_at_any_time(
    model: Model, portrait: Path, sound: Sounds, tmp_path: Path, monkeypatch: Any, caplog: Any
) -> None:
    """Also after frames were written: the video is the same (here to the bit), so it need not stop."""
    given: dict[str, Any] = {"portrait": portrait, "model": model, "steps": 1}
    recording = sound(60)
    generate_file(tmp_path / "whole.mp4", recording, **given)
    decode, decoded = model.vae.decode, 0

    def small_later(latents: torch.Tensor) -> torch.Tensor:
        nonlocal decoded
        if decoded >= GROUP and len(latents) > 2:
            raise torch.OutOfMemoryError("out of memory")
        decoded += len(latents)
        return decode(latents)

    monkeypatch.setattr(model.vae, "decode", small_later)
    generate_file(tmp_path / "a.mp4", recording, **given)
    assert "goes on with 2 frames at a time, decoding" in caplog.text
    whole, made = (read_video(tmp_path / name).frames for name in ("whole.mp4", "a.mp4"))
    assert abs(made.astype(int) - whole).max() <= 1


@pytest.mark.slow
def test_another_face_or_network_starts_anew(
    model: Model, sound: Sounds, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frames = [np.full((2 * RESOLUTION, 2 * RESOLUTION, 3), 90, np.uint8)] * 4
    write_video(tmp_path / "v.mp4", frames, 25)
    given: dict[str, Any] = {"video": tmp_path / "v.mp4", "steps": 1}
    recording = sound(120)

    def attempt(resume: bool, box: str = "8, 8, 40, 40", **changes: Any) -> int:
        stop = None if resume else stop_after(9)
        detector = ManualDetector(parse_face(box))
        settings = {**given, "model": model, "detector": detector, **changes}
        return generate_file(
            tmp_path / "a.mp4", recording, **settings, resume=resume, on_progress=stop
        ).continued

    finer = replace(model, vae=copy.deepcopy(model.vae))
    next(finer.vae.parameters()).data += 0.01
    for change, continued in (({}, GROUP), ({"box": "8, 8, 44, 44"}, 0), ({"model": finer}, 0)):
        with pytest.raises(Stopped):
            attempt(resume=False)
        assert attempt(resume=True, **change) == continued


@pytest.mark.slow
def test_an_image_sequence_is_continued_beside_its_images_and_not_with_another_image(
    model: Model, sound: Sounds, tmp_path: Path
) -> None:
    folder, recording = tmp_path / "images", sound(120)
    folder.mkdir()
    for i in range(4):
        Image.new("RGB", (RESOLUTION, RESOLUTION), (40 * i, 90, 90)).save(folder / f"{i}.png")

    def attempt(resume: bool) -> int:
        stop = None if resume else stop_after(9)
        given: dict[str, Any] = {"video": folder, "model": model, "steps": 1}
        return generate_file(folder / "a.mp4", recording, **given, resume=resume, on_progress=stop).continued

    with pytest.raises(Stopped):
        attempt(resume=False)
    assert attempt(resume=True) == GROUP
    with pytest.raises(Stopped):
        attempt(resume=False)
    Image.new("RGB", (RESOLUTION, RESOLUTION), "white").save(folder / "2.png")
    assert attempt(resume=True) == 0


@pytest.mark.slow
def test_pauses_are_heard_as_silence_only_with_the_gate(model: Model, portrait: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 1, 32000)
    noise[:16000] *= 0.2
    noise[16000:] *= 0.0005
    wavfile.write(tmp_path / "a.wav", 16000, noise.astype(np.float32))
    with_gate, without = (
        generate(tmp_path / "a.wav", portrait=portrait, model=model, steps=1, silence_gate=gate).frames
        for gate in (True, False)
    )
    assert np.array_equal(with_gate[:8], without[:8]) and not np.array_equal(with_gate[40:], without[40:])


@pytest.mark.parametrize("name", [".", "", "/"])
def test_a_folder_is_refused_before_anything_is_rendered(
    model: Model, portrait: Path, sound: Sounds, tmp_path: Path, name: str
) -> None:
    def report(now: Any) -> None:
        raise AssertionError("it was rendered")

    place = tmp_path if name == "." else name
    with pytest.raises(InputError, match="is a folder"):
        generate_file(place, sound(10), portrait=portrait, model=model, steps=1, on_progress=report)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"length": "stretch"}, "no length 'stretch'"),
        ({"smoothing": 2.0}, "smoothing is 2"),
        ({"window": 99}, "position table"),
        ({"steps": -1}, "steps is -1"),
    ],
)
def test_senseless_settings_leave_nothing_behind(
    model: Model, portrait: Path, sound: Sounds, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        generate_file(
            tmp_path / "out" / "a.mp4", sound(10), portrait=portrait, model=model, **{"steps": 1, **change}
        )
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
