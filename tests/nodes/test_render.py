"""One node for a whole video: frame for frame what the nodes give one by one."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.quick import some

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
    "filename_prefix": "video/clip",
}


@pytest.fixture
def picture() -> torch.Tensor:
    return torch.rand(1, 40, 48, 3, generator=torch.Generator().manual_seed(4)).mul(255).round() / 255


@pytest.fixture
def render(nodes: Any, run: Callable[..., Any], loaded: Any, submodule: Any) -> Callable[..., Any]:
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
    """The frames as they go into the video, before H.264 changes them."""
    frames: list[np.ndarray] = []
    writer = submodule("eadnet.media.resumable_video").ResumableVideo
    write = writer.write

    def keep(self: Any, pixels: np.ndarray) -> None:
        frames.append(pixels.copy())
        write(self, pixels)

    monkeypatch.setattr(writer, "write", keep)
    return frames


class Graph:
    """The single nodes, wired as in the workflows."""

    def __init__(self, nodes: Any, run: Callable[..., Any], loaded: Any) -> None:
        self.nodes, self.run, self.loaded = nodes, run, loaded

    def generated(
        self, picture: torch.Tensor, audio: Any, emotion: Any
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(generated pictures, crops they replace, region), from squares or portraits."""
        nodes, run, loaded = self.nodes, self.run, self.loaded
        tokens, count = run(
            nodes.EADNetAudioEncode, audio_encoder=loaded.audio_encoder, audio=audio, fps=25.0
        )
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
        return loaded.vae.decode(latent["samples"]), crops, region

    def tracked(self, frames: torch.Tensor) -> tuple[Any, torch.Tensor]:
        """(track, crops) of a face given by hand."""
        values: dict[str, Any] = {}
        for name, (_, settings, *_) in self.nodes.EADNetFaceTrack.INPUT_TYPES()["required"].items():
            values[name] = settings.get("default")
        values |= {"images": frames, "detector": "manual", "manual": "20, 10, 60, 50"}
        track, crops, *_ = self.run(self.nodes.EADNetFaceTrack, **values, model=self.loaded.model)
        return track, crops


@pytest.fixture
def graph(nodes: Any, run: Any, loaded: Any) -> Graph:
    return Graph(nodes, run, loaded)


def difference(written: list[np.ndarray], expected: torch.Tensor) -> float:
    assert len(written) == len(expected)
    return float(np.abs(np.stack(written) / 255 - expected.numpy()).max())


@pytest.fixture
def happy(nodes: Any, run: Any, loaded: Any) -> Any:
    emotion, _ = run(nodes.EADNetEmotionEncode, text_encoder=loaded.text_encoder, text="happy")
    return emotion


@pytest.mark.slow
@pytest.mark.parametrize("frames", [1, 13])
def test_of_a_portrait_it_is_the_graph_of_nodes_frame_for_frame(
    render: Any,
    before_encoding: list[np.ndarray],
    graph: Graph,
    picture: torch.Tensor,
    speech: Any,
    happy: Any,
    frames: int,
) -> None:
    audio = speech(frames / 25, rate=44100, channels=2)
    generated, crops, region = graph.generated(picture, audio, happy)
    weight = region[..., None]  # Image Composite Masked
    render(source=picture, audio=audio, emotion=happy)
    assert len(before_encoding) == frames
    assert difference(before_encoding, generated * weight + crops * (1 - weight)) <= 1 / 255


@pytest.mark.slow
def test_of_tracked_frames_it_is_the_graph_of_nodes_frame_for_frame(
    render: Any, before_encoding: list[np.ndarray], graph: Graph, speech: Any, happy: Any
) -> None:
    """The recording is longer than the frames, so these run back and forth."""
    frames = torch.rand(9, 60, 80, 3, generator=torch.Generator().manual_seed(1)).mul(255).round() / 255
    audio = speech(13 / 25)
    track, crops = graph.tracked(frames)
    generated, _, _ = graph.generated(crops, audio, happy)
    (expected,) = graph.run(
        graph.nodes.EADNetFaceComposite,
        images=frames,
        faces=generated,
        track=track,
        **{name: SETTINGS[name] for name in ("mask_region", "feather", "colour_match")},
    )
    render(source=frames, audio=audio, emotion=happy, track=track)
    assert len(before_encoding) == 13
    assert difference(before_encoding, expected) <= 1 / 255


@pytest.mark.slow
def test_mini_says_when_it_gets_a_photograph_and_other_models_do_not(
    render: Any, picture: torch.Tensor, speech: Any, loaded: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def said(preset: str) -> int:
        caplog.clear()
        render(
            source=picture,
            audio=speech(0.08),
            model=replace(loaded.model, info=replace(loaded.model.info, preset=preset)),
        )
        return caplog.text.count("looks like a photograph")

    assert said("mini") == 1 and said("latentsync-1.5") == 0


@pytest.mark.slow
def test_the_video_is_saved_with_its_sound_under_the_next_number(
    render: Any, picture: Any, speech: Any
) -> None:
    first, second = (
        saved(render(source=picture, audio=speech(0.4), seed=seed, filename_prefix="own/clip"))
        for seed in (1, 2)
    )
    assert first.name == "clip_00001_.mp4" and second.name == "clip_00002_.mp4" and first.parent.name == "own"
    components = render(source=picture, audio=speech(0.4)).get_components()
    assert components.images.shape == (10, 32, 32, 3) and components.frame_rate == 25
    assert components.audio is not None and components.audio["waveform"].shape[-1] >= 0.4 * 16000
    assert not list(first.parent.glob("*partial*"))


@pytest.mark.slow
def test_a_video_is_read_by_frames_and_speaks_with_its_own_sound(
    render: Any, picture: Any, speech: Any
) -> None:
    source = render(source=picture, audio=speech(0.4))
    video = render(source=source)
    assert len(video.get_components().images) == 10


@pytest.mark.slow
@pytest.mark.parametrize("channels", [3, 4])
def test_a_video_in_memory_is_rendered_as_its_frames_are(
    render: Any, before_encoding: list[np.ndarray], speech: Any, channels: int
) -> None:
    """Create Video's frames go to no encoder first, whose 4:2:0 has no odd sides; beside the generated part
    they are the very pixels."""
    from comfy_api.latest import InputImpl, Types

    images = (
        torch.rand(10, 41, 41, channels, generator=torch.Generator().manual_seed(1)).mul(255).round() / 255
    )
    if channels == 4:
        images[..., 3] = 1
    parts = Types.VideoComponents(images=images, frame_rate=Fraction(25), audio=speech(0.4))
    made = render(source=InputImpl.VideoFromComponents(parts))
    given = list(before_encoding)
    before_encoding.clear()
    render(source=images[..., :3], audio=speech(0.4))
    assert len(given) == 10 and np.array_equal(np.stack(given), np.stack(before_encoding))
    assert made.get_components().audio is not None


def test_a_video_in_memory_without_sound_asks_for_it(
    render: Any, picture: Any, input_error: type[Exception]
) -> None:
    from comfy_api.latest import InputImpl, Types

    silent = InputImpl.VideoFromComponents(Types.VideoComponents(images=picture, frame_rate=Fraction(25)))
    with pytest.raises(input_error, match="audio input is empty: connect the speech"):
        render(source=silent)


@pytest.mark.parametrize("rate", some(1, [16000.0, np.int64(16000), torch.tensor(16000)]), ids=repr)
def test_a_rate_of_any_kind_of_number_renders(render: Any, picture: Any, speech: Any, rate: Any) -> None:
    waveform = speech(0.08)["waveform"].requires_grad_()
    assert saved(render(source=picture, audio={"waveform": waveform, "sample_rate": rate})).is_file()


@pytest.mark.slow
def test_a_recording_without_speech_is_said_in_the_node(nodes: Any, loaded: Any, picture: Any) -> None:
    parts = {"model": loaded.model, "vae": loaded.vae, "audio_encoder": loaded.audio_encoder}
    silence = {"waveform": torch.zeros(1, 1, 3200), "sample_rate": 16000}
    node = nodes.EADNetRenderVideo.PREPARE_CLASS_CLONE({})
    output = node.EXECUTE_NORMALIZED(**{**SETTINGS, **parts, "source": picture, "audio": silence})
    assert "No speech was found in the recording" in output.ui["text"][0]
    assert output.ui["images"][0]["filename"].endswith(".mp4")


class Cut:
    """A VIDEO of newer ComfyUI versions that stands for a part of its file."""

    def __init__(self, file: str, start: float, seconds: float) -> None:
        self.file, self.part = file, (start, seconds)

    def get_stream_source(self) -> str:
        return self.file

    def get_active_trim_window(self) -> tuple[float, float]:
        return self.part


class Edited(Cut):
    """One whose file does not show what was done to it."""

    saved = False

    def has_pending_frame_edits(self) -> bool:
        return True

    def save_to(self, path: str) -> None:
        self.saved = True
        Path(path).write_bytes(Path(self.file).read_bytes())


class CutInSilence:
    """One of the versions in between: it may be a part, and only saving tells which."""

    as_trimmed = None
    get_stream_source = Cut.get_stream_source
    __init__ = Cut.__init__
    save_to = Edited.save_to


def level(number: int) -> int:
    return 30 + 6 * number


@pytest.fixture
def levels(submodule: Any, tmp_path: Path) -> str:
    """A video of 20 plain frames, each of its own level, with 0.8 s of noise."""
    frames = [np.full((48, 48, 3), level(number), np.uint8) for number in range(20)]
    noise = 0.1 * torch.randn(1, 12800, generator=torch.Generator().manual_seed(0))
    submodule("eadnet.media.video").write_video(tmp_path / "v.mp4", frames, 25, noise, 16000)
    return str(tmp_path / "v.mp4")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "seconds", "expected"), [(0.2, 0.4, range(5, 15)), (0.4, 0.0, range(10, 20))]
)
def test_a_video_that_was_cut_is_read_from_there_to_there(
    render: Any, before_encoding: list[np.ndarray], levels: str, start: float, seconds: float, expected: range
) -> None:
    render(source=Cut(levels, start, seconds))
    corners = [int(frame[0, 0].mean()) for frame in before_encoding]
    assert len(corners) == len(expected)
    assert max(abs(c - level(i)) for c, i in zip(corners, expected, strict=True)) <= 3


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Edited, CutInSilence])
def test_a_video_whose_file_does_not_show_it_is_saved_first(
    render: Any, before_encoding: list[np.ndarray], levels: str, host: Any, kind: Any
) -> None:
    video = kind(levels, 0.2, 0.4)
    render(source=video)
    assert video.saved and len(before_encoding) == 20
    assert not list(host.temporary_folder().rglob("source.mp4"))


@pytest.mark.slow
def test_a_broken_off_video_continues(
    render: Any, picture: Any, speech: Any, host: Any, before_encoding: list[np.ndarray], monkeypatch: Any
) -> None:
    audio = speech(6.0)
    update = host.NodeProgress.update

    def fail(self: Any, done: int, preview: Any = None) -> None:
        if done == 48:
            raise KeyboardInterrupt
        update(self, done, preview)

    monkeypatch.setattr(host.NodeProgress, "update", fail)
    with pytest.raises(KeyboardInterrupt):
        render(source=picture, audio=audio, filename_prefix="video/long")
    monkeypatch.setattr(host.NodeProgress, "update", update)
    written = len(before_encoding)
    assert written >= 48
    video = render(source=picture, audio=audio, filename_prefix="video/long")
    assert len(before_encoding) == written + 150 - written // 48 * 48
    assert len(video.get_components().images) == 150


class Prompt:
    """As much of ComfyUI's prompt as the node asks for."""

    def __init__(self, **inputs: Any) -> None:
        self.inputs = inputs

    def get_node(self, node_id: str) -> dict[str, Any]:
        return {"inputs": self.inputs}


def test_a_result_that_is_gone_is_noticed_and_one_that_is_there_is_not(
    nodes: Any, host: Any, tmp_path: Path
) -> None:
    node, widgets = nodes.EADNetRenderVideo, {**SETTINGS, "seed": 98765}

    def made(path: Path, **changes: Any) -> None:
        """What the node notes; what arrives by a link is a link there, and nothing in the question."""
        prompt = Prompt(**{**widgets, **changes}, model=["3", 0], of_another_node=1)
        hidden = {io.Hidden.dynprompt: prompt, io.Hidden.unique_id: "5"}
        host.note_result(node.PREPARE_CLASS_CLONE(hidden), path)
        path.write_bytes(b"film")

    from comfy_api.latest import io

    def asked(**changes: Any) -> int:
        return node.fingerprint_inputs(**{**widgets, "model": None, **changes})

    first, other = tmp_path / "1.mp4", tmp_path / "2.mp4"
    new = asked()
    made(first)
    made(other, seed=98766)
    assert asked() == new, "served from the cache"
    first.unlink()
    gone = asked()
    assert gone != new and asked(seed=98766) == new
    made(first)
    assert asked() == gone, "and then again from the cache, though the name is the same"
    first.rename(tmp_path / "moved.mp4")
    assert asked() not in (new, gone)


@pytest.mark.parametrize(
    "prefix", some(2, ["%year%/a %second%", "deep/er/\N{SNOWMAN}", "x" * 190, "a.b", "\N{THUMBS UP SIGN}"])
)
def test_any_prefix_that_a_file_can_have_gives_a_file(
    render: Any, picture: Any, speech: Any, prefix: str
) -> None:
    path = saved(render(source=picture, audio=speech(0.04), filename_prefix=prefix))
    assert path.is_file() and path.name.endswith("_00001_.mp4") and path.parent.is_relative_to(output())


@pytest.mark.parametrize("prefix", ["../elsewhere", "x" * 300, "a/" + "y" * 260 + "/b", "nul\0", "\ud800"])
def test_a_prefix_that_no_file_can_have_is_refused_before_anything_is_sampled(
    render: Any, picture: Any, speech: Any, prefix: str, host: Any, input_error: Any, monkeypatch: Any
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("it was rendered")

    monkeypatch.setattr(host.NodeProgress, "update", fail)
    with pytest.raises(input_error, match="filename_prefix"):
        render(source=picture, audio=speech(0.04), filename_prefix=prefix)


def output() -> Path:
    import folder_paths

    return Path(folder_paths.get_output_directory())


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_an_output_subfolder_may_be_a_link_to_elsewhere(
    render: Any, picture: Any, speech: Any, tmp_path: Path
) -> None:
    (output() / "linked").symlink_to(tmp_path, target_is_directory=True)
    render(source=picture, audio=speech(0.04), filename_prefix="linked/a")
    assert [path.name for path in tmp_path.glob("*.mp4")] == ["a_00001_.mp4"]


@pytest.mark.parametrize("phase", some(1, ["audio_encoder", "vae", "model"]))
def test_cancel_is_answered_within_a_network(
    render: Any, picture: Any, speech: Any, loaded: Any, phase: str
) -> None:
    """Once through a large network takes long on a processor: it does not end first."""
    from comfy import model_management

    held = getattr(loaded, phase)
    network = held.network.use() if phase == "model" else getattr(held, "first_stage_model", None)
    network = held.use() if network is None else network
    layers = [layer for layer in network.modules() if not list(layer.children())]
    ended = []

    def press(*_: object) -> None:
        model_management.interrupt_current_processing()

    hooks = [
        layers[0].register_forward_hook(press),
        network.register_forward_hook(lambda *_: ended.append(1)),
    ]
    try:
        with pytest.raises(model_management.InterruptProcessingException):
            render(source=picture, audio=speech(0.4), seed=77)
    finally:
        model_management.interrupt_current_processing(False)
        for hook in hooks:
            hook.remove()
    assert not ended
    assert not any(layer._forward_pre_hooks for layer in layers), "and nothing is left in the network"


class TestInput:
    @pytest.mark.parametrize("prefix", ["../out", "a/../../out", "/etc/out", "x" * 300])
    def test_a_place_that_cannot_be_is_refused_before_anything_starts(
        self, render: Any, input_error: type[Exception], prefix: str
    ) -> None:
        with pytest.raises(input_error, match="filename_prefix"):
            render(source=None, filename_prefix=prefix)

    def test_no_sound_is_named(self, render: Any, picture: Any, input_error: type[Exception]) -> None:
        with pytest.raises(input_error, match="audio input is empty: connect the speech"):
            render(source=picture)

    def test_an_overlap_as_long_as_the_window_is_refused(self, nodes: Any) -> None:
        assert "use 0 to 7" in nodes.EADNetRenderVideo.validate_inputs(8, 8)
        assert nodes.EADNetRenderVideo.validate_inputs(16, 4) is True

    def test_places_outside_the_output_folder_are_refused(
        self, render: Any, picture: Any, speech: Any
    ) -> None:
        with pytest.raises(Exception, match="outside the output folder"):
            render(source=picture, audio=speech(0.1), filename_prefix="../../elsewhere")
