"""Frames from every VIDEO that ComfyUI and other packs make: those in memory bit for bit."""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

COUNT, HEIGHT, WIDTH = 5, 41, 47  # odd: H.264 could not even hold them


@pytest.fixture
def frames() -> torch.Tensor:
    """Values that bytes do not hold."""
    return torch.rand(COUNT, HEIGHT, WIDTH, 3, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def sound() -> dict[str, Any]:
    noise = 0.1 * torch.randn(1, 2, 8000, generator=torch.Generator().manual_seed(3))
    return {"waveform": noise, "sample_rate": 16000}


@pytest.fixture
def opened(submodule: Callable[[str], Any]) -> Any:
    return submodule("nodes.footage").opened


@pytest.fixture
def created(pack: Any) -> Callable[..., Any]:
    """A VIDEO as core's Create Video makes it."""

    def make(images: torch.Tensor, fps: Any = Fraction(25), audio: Any = None) -> Any:
        from comfy_api.latest import InputImpl, Types

        return InputImpl.VideoFromComponents(
            Types.VideoComponents(images=images, frame_rate=fps, audio=audio)
        )

    return make


def everything(footage: Any) -> torch.Tensor:
    return footage.some(list(range(footage.count)))


@pytest.mark.parametrize("channels", [3, 4])
def test_the_frames_of_create_video_are_its_very_numbers(
    opened: Any, created: Any, frames: torch.Tensor, sound: Any, channels: int
) -> None:
    images = torch.cat([frames, frames[..., :1]], dim=-1)[..., :channels]
    with opened(created(images, audio=sound), "source", sound=True) as footage:
        assert torch.equal(everything(footage), images)
        assert footage.size == (HEIGHT, WIDTH) and footage.pictures.fps == 25
        assert torch.equal(torch.cat(list(footage.sound.pieces()), dim=1), sound["waveform"][0])


@pytest.mark.parametrize(
    ("fps", "expected"),
    [(Fraction(30000, 1001), Fraction(30000, 1001)), (29.97, Fraction(2997, 100)), (24, Fraction(24)),
     (np.float32(12.5), Fraction(25, 2)), (torch.tensor(25.0), Fraction(25))],
)  # fmt: skip
def test_a_rate_may_be_any_number(
    opened: Any, created: Any, frames: torch.Tensor, fps: Any, expected: Fraction
) -> None:
    with opened(created(frames, fps)) as footage:
        assert footage.pictures.fps == expected


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf"), None, "fast", 10**400])
def test_what_is_no_rate_is_refused_by_name(
    opened: Any, created: Any, frames: torch.Tensor, input_error: type[Exception], fps: Any
) -> None:
    with (
        pytest.raises(input_error, match="VIDEO at source says .* frames per second"),
        opened(created(frames, fps), "source"),
    ):
        pass


HOLDERS: dict[str, Callable[[torch.Tensor], Any]] = {
    "half precision": lambda frames: frames.half(),
    "bfloat16": lambda frames: frames.bfloat16(),
    "double precision": lambda frames: frames.double(),
    "with a gradient": lambda frames: frames.clone().requires_grad_(),
    "channels first, turned": lambda frames: frames.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1),
    "sparse": lambda frames: frames.to_sparse(),
    "NumPy": lambda frames: frames.numpy(),
    "NumPy backwards": lambda frames: frames.numpy()[::-1].copy()[::-1],
    "NumPy of the other byte order": lambda frames: frames.numpy().astype(">f4"),
    "NumPy that cannot be written": lambda frames: np.frombuffer(frames.numpy(), np.float32).reshape(
        5, 41, 47, 3
    ),
    "pictures one by one": list,
    "arrays one by one": lambda frames: tuple(frames.numpy()),
    "batches": lambda frames: [frames[:2], frames[2:]],
}


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("kind", ["IMAGE", "VIDEO"])
def test_frames_are_the_same_whatever_holds_them(
    opened: Any, frames: torch.Tensor, kind: str, holder: str
) -> None:
    held = HOLDERS[holder](frames)
    parts = SimpleNamespace(images=held, frame_rate=25)  # some leave out what they do not have
    source = held if kind == "IMAGE" else OtherPacks(get_components=parts)
    with opened(source, sound=kind == "VIDEO") as footage:
        made = everything(footage).float()
        assert footage.count == COUNT and footage.size == (HEIGHT, WIDTH) and not made.requires_grad
        assert torch.allclose(made, frames, atol=2e-3 if "half" in holder else 4e-3 if "bf" in holder else 0)
        assert footage.one(4).shape == (HEIGHT, WIDTH, 3)


NO_FRAMES: dict[str, Any] = {
    "nothing": None,
    "text": "abc",
    "a number": 5,
    "a dict": {"samples": 1},
    "an iterator": iter([1]),
    "no numbers of its own": torch.zeros(5, 4, 4, 3, device="meta"),
    "nested": torch.nested.nested_tensor([torch.zeros(3), torch.zeros(4)]),
    "of several sizes": [torch.zeros(4, 4, 3), torch.zeros(5, 4, 3)],
    "channels first": torch.zeros(5, 3, 41, 47),
    "a batch of videos": torch.zeros(1, 5, 41, 47, 3),
    "without pixels": torch.zeros(5, 0, 47, 3),
    "five channels": torch.zeros(5, 4, 4, 5),
    "no axes": torch.tensor(1.0),
    "truth values": torch.zeros(5, 4, 4, 3, dtype=torch.bool),
    "objects": np.array([object()]),
    "NaN in the last": torch.cat([torch.zeros(4, 4, 4, 3), torch.full((1, 4, 4, 3), torch.nan)]),
    "infinite transparency": torch.cat([torch.zeros(5, 4, 4, 3), torch.full((5, 4, 4, 1), torch.inf)], -1),
}


@pytest.mark.parametrize("what", NO_FRAMES)
@pytest.mark.parametrize("kind", ["IMAGE", "VIDEO"])
def test_what_are_no_frames_is_one_sentence_with_the_inputs_name(
    opened: Any, input_error: type[Exception], kind: str, what: str
) -> None:
    held = NO_FRAMES[what]
    source = (
        held if kind == "IMAGE" else OtherPacks(get_components=SimpleNamespace(images=held, frame_rate=25))
    )
    with pytest.raises(input_error, match="source"), opened(source, "source"):
        pass


ALPHAS: dict[str, Callable[[torch.Tensor], Any]] = {
    "one axis less": lambda alpha: alpha,
    "channels last": lambda alpha: alpha[..., None],
    "channels first": lambda alpha: alpha[:, None],
    "bytes": lambda alpha: (alpha * 255).byte(),
    "truth values": lambda alpha: alpha > 0.5,
    "NumPy": lambda alpha: alpha.numpy(),
}


@pytest.mark.parametrize("holder", ALPHAS)
def test_transparency_is_the_same_whatever_holds_it(opened: Any, frames: torch.Tensor, holder: str) -> None:
    alpha = torch.ones(COUNT, HEIGHT, WIDTH)
    alpha[:, :20] = 0
    parts = SimpleNamespace(images=frames, frame_rate=25, alpha=ALPHAS[holder](alpha))
    with opened(OtherPacks(get_components=parts)) as footage:
        made = everything(footage)
    assert (made[:, :20] == 0.5).all() and torch.equal(made[:, 20:], frames[:, 20:])


@pytest.mark.parametrize(
    "alpha",
    [
        torch.ones(COUNT, 4, 4),
        torch.ones(1, HEIGHT, WIDTH),
        torch.full((COUNT, HEIGHT, WIDTH), torch.nan),
        "abc",
    ],
    ids=["another size", "of one frame", "NaN", "text"],
)
def test_transparency_of_something_else_is_refused_by_name(
    opened: Any, frames: torch.Tensor, input_error: type[Exception], alpha: Any
) -> None:
    parts = SimpleNamespace(images=frames, frame_rate=25, alpha=alpha)
    with (
        pytest.raises(input_error, match="VIDEO at source"),
        opened(OtherPacks(get_components=parts), "source"),
    ):
        pass


NO_SOURCES: dict[str, Any] = {
    "a folder": "/",
    "nothing there": "/nowhere/x.mp4",
    "an address": "http://127.0.0.1:9/x.mp4",
    "a name no file can have": "x" * 5000,
    "a null": "a\0b",
    "half a character": "/\udcff.mp4",
    "text": __file__,
    "no bytes": io.BytesIO(b""),
    "other bytes": io.BytesIO(b"x" * 1000),
    "a stream of text": io.StringIO("abc"),
    "a number": 5,
}


@pytest.mark.parametrize("what", NO_SOURCES)
def test_a_source_that_is_no_film_is_one_sentence(
    opened: Any, input_error: type[Exception], what: str
) -> None:
    with pytest.raises(input_error), opened(OtherPacks(get_stream_source=NO_SOURCES[what]), "source"):
        pass


class OtherPacks:
    """A VIDEO of somebody's own class."""

    def __init__(self, **can: Any) -> None:
        for name, value in can.items():
            setattr(self, name, lambda *a, value=value, **k: value)


def test_other_packs_videos_are_taken_by_what_they_can_do(
    opened: Any, frames: torch.Tensor, film: Path
) -> None:
    parts = SimpleNamespace(images=frames, frame_rate=25.0, audio=None, alpha=None)
    with opened(OtherPacks(get_components=parts)) as footage:
        assert torch.equal(everything(footage), frames)
    for source in (str(film), film, io.BytesIO(film.read_bytes()), film.read_bytes(), film.open("rb")):
        with opened(OtherPacks(get_stream_source=source)) as footage:
            assert footage.count == 20


def test_transparency_beside_the_frames_shows_grey(opened: Any, frames: torch.Tensor) -> None:
    """Newer cores hold it apart."""
    parts = SimpleNamespace(
        images=frames, frame_rate=25, audio=None, alpha=torch.zeros(COUNT, HEIGHT, WIDTH, 1)
    )
    with opened(OtherPacks(get_components=parts)) as footage:
        assert torch.equal(everything(footage), torch.full_like(frames, 0.5))
        assert (footage.one(0) == 128).all()


@pytest.fixture
def film(submodule: Any, tmp_path: Path) -> Path:
    """20 plain frames, each of its own level, with 0.8 s of sound."""
    levels = [np.full((48, 48, 3), 30 + 6 * number, np.uint8) for number in range(20)]
    noise = 0.1 * torch.randn(1, 12800, generator=torch.Generator().manual_seed(0))
    submodule("eadnet.media.video").write_video(tmp_path / "v.mp4", levels, 25, noise, 16000)
    return tmp_path / "v.mp4"


class FromFile:
    """Core's VIDEO of a file, version after version: each tells other things of what was done to it."""

    def __init__(self, base: type, film: Path, **more: Any) -> None:
        def method(value: Any) -> Any:
            return lambda self, *a, **k: value() if callable(value) else value

        self.video = type("Newer", (base,), {name: method(value) for name, value in more.items()})(str(film))


@pytest.mark.parametrize(
    ("version", "changes", "from_file"),
    [
        ("0.3.75: no edits", {}, True),
        ("cuts, not cut", {"as_trimmed": None, "get_duration": 0.8}, True),
        ("cuts, cut", {"as_trimmed": None, "get_duration": 0.4}, False),
        ("tells cuts", {"as_trimmed": None, "get_active_trim_window": (0.2, 0.4)}, True),
        ("crops, cropped",
         {"as_trimmed": None, "get_active_trim_window": (0.0, 0.0), "get_dimensions": (24, 48)}, False),
        ("tells edits, none", {"has_pending_frame_edits": False, "get_active_trim_window": (0.2, 0.4)}, True),
        ("tells edits", {"has_pending_frame_edits": True, "get_dimensions": (24, 48)}, False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_file_is_read_unless_it_does_not_show_what_was_done(
    opened: Any,
    pack: Any,
    frames: torch.Tensor,
    film: Path,
    version: str,
    changes: dict[str, Any],
    from_file: bool,
) -> None:
    from comfy_api.latest import InputImpl

    parts = SimpleNamespace(images=frames, frame_rate=Fraction(25), audio=None, alpha=None)
    video = FromFile(InputImpl.VideoFromFile, film, get_components=lambda: parts, **changes).video
    with opened(video) as footage:
        if from_file:
            assert footage.count == (10 if "get_active_trim_window" in changes else 20)
        else:
            assert torch.equal(everything(footage), frames)


def test_what_core_itself_cuts_is_what_is_read(opened: Any, pack: Any, film: Path) -> None:
    from comfy_api.latest import InputImpl

    if not hasattr(InputImpl.VideoFromFile, "as_trimmed"):
        pytest.skip("this version of ComfyUI does not cut videos")
    video = InputImpl.VideoFromFile(str(film)).as_trimmed(0.2, 0.4)
    with opened(video, sound=True) as footage:
        levels = [float(footage.some([number]).float().mean()) for number in range(footage.count)]
        assert footage.count == 10 and footage.sound is not None
    wanted = 255 * video.get_components().images
    scale = 255 if max(levels) <= 1 else 1
    assert np.allclose(np.array(levels) * scale, wanted.flatten(1).mean(dim=1).numpy(), atol=1.5)


def test_an_edited_file_too_long_for_the_memory_is_refused_before_it_is_decoded(
    opened: Any, pack: Any, film: Path, input_error: type[Exception]
) -> None:
    from comfy_api.latest import InputImpl

    changes = {"has_pending_frame_edits": True, "get_duration": 1e6, "get_components": lambda: 1 / 0}
    video = FromFile(InputImpl.VideoFromFile, film, **changes).video
    with (
        pytest.raises(input_error, match="VIDEO at source was cropped.*GB of memory"),
        opened(video, "source"),
    ):
        pass


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "source input is empty"),
        ("/etc/passwd", "source input is a str, no VIDEO"),
        ({"frames": []}, "source input is a dict, no VIDEO"),
        (torch.rand(3, 4), "source input must have the shape"),
        (torch.zeros(1, 4, 4, 3, dtype=torch.uint8), "source input must be floating point"),
        (OtherPacks(get_components=None), "VIDEO at source cannot be opened"),
        (OtherPacks(get_stream_source=None), "VIDEO at source cannot be opened"),
    ],
    ids=["nothing", "a path", "a dict", "no picture", "bytes", "no parts", "no stream"],
)
def test_what_is_no_video_is_refused_by_name(
    opened: Any, input_error: type[Exception], value: Any, message: str
) -> None:
    with pytest.raises(input_error, match=message), opened(value, "source"):
        pass


def test_a_video_without_frames_is_refused_by_name(
    opened: Any, created: Any, input_error: type[Exception]
) -> None:
    with (
        pytest.raises(input_error, match="VIDEO at images has no frames"),
        opened(created(torch.zeros(0, 8, 8, 3))),
    ):
        pass


def test_cancel_is_answered_before_the_next_frame_of_a_file(submodule: Any, tmp_path: Path) -> None:
    from comfy import model_management
    from comfy_api.latest import InputImpl

    from eadnet.media.video import write_video

    write_video(tmp_path / "v.mp4", [np.full((32, 32, 3), 90, np.uint8)] * 3, 25)
    video = InputImpl.VideoFromFile(str(tmp_path / "v.mp4"))
    try:
        with submodule("nodes.footage").opened(video) as footage:
            assert len(footage.some([0, 1])) == 2
            model_management.interrupt_current_processing()
            with pytest.raises(model_management.InterruptProcessingException):
                footage.some([2])
    finally:
        model_management.interrupt_current_processing(False)


def test_few_large_frames_are_worked_on_between_two_looks_at_cancel(submodule: Any) -> None:
    """Putting a face back into one of 1920 x 1080 takes a fifth of a second on a slow processor."""

    class Large:
        size = (1080, 1920)

    assert 1 <= submodule("nodes.faces")._together(Large()) <= 4
