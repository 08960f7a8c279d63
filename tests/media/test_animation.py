"""Short clips go out as animated images and come back."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eadnet.errors import InputError
from eadnet.media.animation import AnimatedImage, read_animation, write_animation
from eadnet.media.reader import VideoReader


def clip(frames: int = 6) -> np.ndarray:
    """Large even patches in few colours, different in every frame: no kind of picture has to lose much."""
    patches = np.random.default_rng(0).integers(0, 255, (frames, 4, 3, 3), np.uint8)
    return patches.repeat(16, axis=1).repeat(16, axis=2)


@pytest.mark.parametrize(("ending", "error"), [("gif", 0), ("apng", 0), ("png", 0), ("webp", 12)])
def test_frames_come_back(tmp_path: Path, ending: str, error: int) -> None:
    path = tmp_path / "deep" / f"a.{ending}"
    write_animation(path, clip(), 25)
    difference = np.abs(read_animation(path).astype(int) - clip())
    assert difference.shape == (6, 64, 48, 3) and difference.mean() <= error


@pytest.mark.parametrize("ending", ["gif", "apng"])
@pytest.mark.parametrize("fps", [10, 25])
def test_ffmpeg_sees_the_same_frames_at_the_same_rate(tmp_path: Path, ending: str, fps: int) -> None:
    path = tmp_path / f"a.{ending}"
    write_animation(path, clip(), fps)
    with VideoReader(path) as video:
        assert (video.fps, video.count) == (fps, 6)
        shown = np.stack([video.picture(number) for number in range(video.count)])
    assert (shown == read_animation(path)).all()


@pytest.mark.parametrize("ending", ["gif", "apng", "webp"])
def test_each_frame_stays_as_long_as_the_file_says(tmp_path: Path, ending: str) -> None:
    """Also read in any order."""
    frames = [Image.fromarray(frame) for frame in clip(4)]
    path = tmp_path / f"a.{ending}"
    options: dict[str, Any] = {"lossless": True} if ending == "webp" else {}
    lasts = [40, 200, 40, 120]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=lasts, loop=0, **options)
    with AnimatedImage(path) as animation:
        assert float(animation.count / animation.fps) == pytest.approx(0.4, abs=0.06)
        ends = np.cumsum(lasts)
        for number in [*range(animation.count), *reversed(range(animation.count))]:
            at = float(number / animation.fps) * 1000 + 1.5
            shown = animation.picture(number)
            assert abs(shown.astype(int) - clip(4)[int((ends <= at).sum())]).mean() < 12


@pytest.mark.parametrize("fps", [10, 25])
def test_an_animated_webp_has_its_own_rate(tmp_path: Path, fps: int) -> None:
    write_animation(tmp_path / "a.webp", clip(), fps)
    with AnimatedImage(tmp_path / "a.webp") as animation:
        assert (animation.fps, animation.count, animation.size) == (fps, 6, (48, 64))
        shown = np.stack([animation.picture(number) for number in range(6)])
    assert (shown == read_animation(tmp_path / "a.webp")).all()
    with AnimatedImage(tmp_path / "a.webp", 5) as slower:
        assert (slower.fps, slower.count) == (5, 6)


def test_a_single_frame_and_transparency(tmp_path: Path) -> None:
    write_animation(tmp_path / "one.gif", clip(1), 25)
    assert read_animation(tmp_path / "one.gif").shape == (1, 64, 48, 3)
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(tmp_path / "clear.webp", lossless=True)
    assert (read_animation(tmp_path / "clear.webp") == 128).all()


def test_what_cannot_be_written_or_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="end in .apng, .gif"):
        write_animation(tmp_path / "a.jpg", clip(), 25)
    with pytest.raises(InputError, match="0 frames"):
        write_animation(tmp_path / "a.gif", clip(0), 25)
    with pytest.raises(InputError, match="no image"):
        read_animation(tmp_path / "gone.gif")
    (tmp_path / "a.webp").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"a\.webp cannot be read"):
        read_animation(tmp_path / "a.webp")


@pytest.mark.slow
@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("ending", ["gif", "webp", "apng"])
def test_a_place_that_cannot_be_written_is_said_once(tmp_path: Path, ending: str) -> None:
    (tmp_path / f"a.{ending}").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        write_animation(tmp_path / f"a.{ending}", clip(), 25)
    gc.collect()


def test_a_damaged_gif_over_which_pillow_trips_is_one_sentence(tmp_path: Path) -> None:
    """Found by `tests/fuzz/`: a hole in the second picture's header ends in an IndexError of its reader."""
    picture = "081d0001081c48b0a0c18308132a5cc8b0a1c38710234a9c48b1a2c58101010021f904"
    first = f"474946383961100010008100{'00' * 13}21f90400040000002c000000001000100000{picture}01040001002c"
    second = f"000000001000100081320000{'00' * 9}{picture}"
    (tmp_path / "a.gif").write_bytes(bytes.fromhex(first + second))
    with pytest.raises(InputError, match=r"a\.gif cannot be read as an animated image"):
        read_animation(tmp_path / "a.gif")
