"""Any length, any file, from the command to the video: what came in decides what comes out, or one sentence.

With a small checkpoint of random weights, so that a minute of video takes seconds.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

from eadnet.media.audio import load_audio, num_frames
from eadnet.media.resumable_video import GROUP, count_groups
from eadnet.media.video import read_video, write_video
from eadnet.rendering.unfinished import FOLDER
from tests.media_files import write_media
from tests.players import Stream, film
from tests.tiny import RESOLUTION, write_tiny_checkpoint

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
RATE = 16000
SIDE = 2 * RESOLUTION


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny.safetensors")


Generate = Callable[..., tuple[int, str]]


@pytest.fixture
def generate(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Generate:
    """Runs ``eadnet generate``, in as little work as there is, into out.mp4: (status, last line it said)."""
    from eadnet.cli import main

    def call(*options: str | Path) -> tuple[int, str]:
        status = main([str(word) for word in command(checkpoint, tmp_path / "out.mp4", *options)])
        said = capsys.readouterr()
        return status, (said.out + said.err).strip().splitlines()[-1]

    return call


def command(checkpoint: Path, out: Path, *options: str | Path) -> list[str | Path]:
    quick: list[str | Path] = ["--steps", "1", "--overlap", "0", "--audio-guidance", "1"]
    quick += ["--emotion-guidance", "1", "--smoothing", "0"]
    return ["generate", "--checkpoint", checkpoint, "--out", out, *quick, *options]


@pytest.fixture
def portrait(tmp_path: Path) -> Path:
    Image.fromarray(picture(0)).save(tmp_path / "face.png")
    return tmp_path / "face.png"


def picture(number: int, height: int = SIDE, width: int = SIDE) -> np.ndarray:
    """Dark, and bright at the upper left; a little brighter with every number."""
    pixels = np.full((height, width, 3), 40 + 5 * number, np.uint8)
    pixels[: height // 2, : width // 2] += 100
    return pixels


def speech(path: Path, seconds: float, rate: int = RATE, channels: int = 1) -> Path:
    samples = round(rate * seconds)
    swell = np.sin(np.linspace(0, samples / 3000, samples)) ** 2
    noise = 0.2 * swell[:, None] * np.random.default_rng(0).normal(0, 1, (samples, channels))
    wavfile.write(path, rate, noise.astype(np.float32))
    return path


def ends(path: Path) -> tuple[int, float, float]:
    """(frames, end of the picture, end of the sound), in seconds."""
    with av.open(str(path)) as video:
        seconds = [float((s.duration or 0) * (s.time_base or 0)) for s in video.streams]
        return video.streams.video[0].frames, seconds[0], seconds[1]


@pytest.mark.parametrize("seconds", [0.04, 0.12, 29.9, 30.0, 30.1, 61.0])
def test_a_portrait_speaks_as_long_as_the_sound(
    generate: Generate, portrait: Path, tmp_path: Path, seconds: float
) -> None:
    """One frame, three frames, and both sides of where Whisper, and others with it, cut."""
    status, _ = generate("--portrait", portrait, "--audio", speech(tmp_path / "a.wav", seconds))
    frames, picture_ends, sound_ends = ends(tmp_path / "out.mp4")
    assert status == 0 and frames == num_frames(seconds, 25)
    assert abs(picture_ends - sound_ends) <= 0.5 / 25 + 1e-9


EVERY_40_MS = [40 * i for i in range(8)]


def see_through(number: int) -> np.ndarray:
    alpha = np.full((SIDE, SIDE, 1), 255, np.uint8)
    alpha[:, SIDE // 2 :] = 0
    return np.concatenate([picture(number), alpha], axis=2)


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "make", "corner"),
    [
        ("plain.mp4", "libx264", "yuv420p", picture, 40),
        ("ten_bits.mp4", "libx264", "yuv420p10le", picture, 40),
        ("prores.mov", "prores_ks", "yuv422p10le", picture, 40),
        ("odd.avi", "ffv1", "bgr0", lambda i: picture(i, SIDE + 1, SIDE + 3), 40),
        ("alpha.mov", "qtrle", "argb", see_through, 128),
        ("one_pixel.avi", "ffv1", "bgr0", lambda i: picture(i, 1, 1), 40),
    ],
)
def test_any_video_speaks(
    generate: Generate,
    tmp_path: Path,
    name: str,
    codec: str,
    pix_fmt: str,
    make: Callable[[int], np.ndarray],
    corner: int,
) -> None:
    """The lower right corner lies outside the mask: it is that of the video, on grey where transparent."""
    source = write_media(
        tmp_path / name, [make(i) for i in range(8)], codec=codec, pix_fmt=pix_fmt, times=EVERY_40_MS
    )
    status, said = generate("--video", source, "--audio", speech(tmp_path / "a.wav", 8 / 25))
    assert status == 0, said
    frames = read_video(tmp_path / "out.mp4").frames
    shift = 5 if corner == 40 else 0
    expected = [corner + shift * i for i in range(8)]
    assert abs(frames[:, -1, -1].mean(axis=1) - expected).max() < 6


SQUARE = (96, 96)
TAGGED = {"colorspace": 1, "color_primaries": 1, "color_trc": 1}


@pytest.mark.parametrize(
    "stream",
    [
        Stream("bt709", meant=1, tags=TAGGED, size=SQUARE),
        Stream("full_range", meant=1, full=True, tags={**TAGGED, "color_range": 2}, size=SQUARE),
        Stream("mirrored", matrix=(-1, 0, 0, 1), size=SQUARE),
        Stream("wide_pixels", aspect=Fraction(2), size=(48, 96)),
        Stream(
            "see_through",
            "libvpx-vp9",
            "yuva420p",
            "webm",
            alpha=51,
            size=SQUARE,
            options={"auto-alt-ref": "0", "lossless": "1"},
        ),
    ],
    ids=lambda stream: stream.name,
)
def test_around_the_mouth_the_film_looks_as_a_player_shows_the_source(
    generate: Generate, tmp_path: Path, stream: Stream
) -> None:
    status, _ = generate("--video", stream.write(tmp_path), "--audio", speech(tmp_path / "a.wav", 4 / 25))
    frame = film(tmp_path / "out.mp4")[1]
    assert status == 0 and frame.shape == (32, 32, 3)  # the centred square in the size of the model
    corners = np.array([[frame[y, x].mean((0, 1)) for x in ENDS] for y in ENDS])
    assert abs(corners - stream.shown()).max() <= 4


ENDS = (slice(1, 4), slice(-4, -1))


def test_a_phones_video_speaks_upright(generate: Generate, tmp_path: Path) -> None:
    lying = np.ascontiguousarray(np.rot90(picture(0, 2 * SIDE, SIDE)))  # held upright: twice as tall as wide
    source = write_media(tmp_path / "phone.mp4", [lying] * 4, codec="libx264", rotation=-90)
    status, said = generate("--video", source, "--audio", speech(tmp_path / "a.wav", 4 / 25))
    assert status == 0, said
    corners = read_video(tmp_path / "out.mp4").frames[2][[0, 0, -1, -1], [0, -1, 0, -1]].mean(axis=1)
    assert abs(corners - [140, 40, 40, 40]).max() < 8, "upper left, upper right, lower left, lower right"


def test_a_variable_rate_becomes_its_average_and_ends_with_the_sound(
    generate: Generate, tmp_path: Path
) -> None:
    times = [40 * i for i in range(10)] + [400 + 80 * i for i in range(10)]
    source = write_media(tmp_path / "v.mkv", [picture(i) for i in range(20)], codec="libx264", times=times)
    status, said = generate("--video", source, "--audio", speech(tmp_path / "a.wav", 1.1))
    assert status == 0, said
    frames, picture_ends, sound_ends = ends(tmp_path / "out.mp4")
    assert frames / picture_ends == pytest.approx(19 / 1.12, rel=0.02)
    assert abs(picture_ends - 1.1) <= 0.5 / 17 and abs(sound_ends - picture_ends) <= 0.5 / 17


def test_a_video_longer_than_its_sound_says_it_and_stops(generate: Generate, tmp_path: Path) -> None:
    """The recording is that of the video's own file: 2 s of pictures, 1 s of sound."""
    samples = np.random.default_rng(0).normal(0, 0.1, (1, RATE)).astype(np.float32)
    import torch

    write_video(tmp_path / "v.mp4", [picture(i % 8) for i in range(50)], 25, torch.from_numpy(samples), RATE)
    for mode, count in (("bounce", 25), ("cut_off", 25), ("silence", 50)):
        status, said = generate(
            "--video", tmp_path / "v.mp4", "--audio", tmp_path / "v.mp4", "--length", mode
        )
        frames, picture_ends, sound_ends = ends(tmp_path / "out.mp4")
        assert status == 0 and abs(frames - count) <= 1, said
        assert abs(picture_ends - sound_ends) <= 0.5 / 25 + 1e-9


def test_of_two_sound_tracks_the_first_is_said_and_kept(
    generate: Generate, portrait: Path, tmp_path: Path
) -> None:
    from tests.media.test_sound import video_file

    source = video_file(tmp_path / "two.mkv", [0.2, 0.8], seconds=1.0)
    status, said = generate("--portrait", portrait, "--audio", source)
    assert status == 0, said
    assert load_audio(tmp_path / "out.mp4")[0].max().item() == pytest.approx(0.2, abs=0.02)


def broken(kind: str, tmp_path: Path) -> list[str | Path]:
    """Options with one file that cannot work."""
    good, video = speech(tmp_path / "a.wav", 0.2), tmp_path / "v.mp4"
    write_video(video, [picture(i) for i in range(5)], 25)
    face = tmp_path / "face.png"
    if kind == "silent video":
        return ["--portrait", face, "--audio", video]
    if kind == "empty sound":
        wavfile.write(good, RATE, np.zeros(0, np.float32))
    if kind == "half a frame of sound":
        speech(good, 0.01)
    if kind == "sound of NaN":
        wavfile.write(good, RATE, np.full(800, np.nan, np.float32))
    if kind == "text for sound":
        good.write_text("hello")
    if kind == "text for a video":
        video.write_text("hello")
    if kind == "the beginning of a video":
        video.write_bytes(video.read_bytes()[:400])
    if kind in ("text for a video", "the beginning of a video"):
        return ["--video", video, "--audio", good]
    return ["--portrait", face, "--audio", good]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("silent video", "v.mp4 has no audio track: choose a file with audio"),
        ("empty sound", "a.wav is empty or damaged: choose a file with audio"),
        ("half a frame of sound", "shorter than half a frame: use longer audio"),
        ("sound of NaN", "NaN or infinite samples: export it again"),
        ("text for sound", "a.wav cannot be read as audio"),
        ("text for a video", "v.mp4 cannot be read as a video: convert it to MP4 first"),
        ("the beginning of a video", "v.mp4 has a video that cannot be decoded: it is cut off"),
    ],
)
def test_what_cannot_work_is_one_sentence_and_leaves_nothing(
    generate: Generate, portrait: Path, tmp_path: Path, kind: str, message: str
) -> None:
    status, said = generate(*broken(kind, tmp_path))
    assert status == 2 and said.startswith("eadnet: ") and message in said
    assert not list(tmp_path.glob("out*"))


def test_a_place_that_cannot_be_written_is_one_sentence(
    checkpoint: Path, portrait: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from eadnet.cli import main

    out = portrait / "out.mp4"  # a folder that is a file
    words = command(checkpoint, out, "--portrait", portrait, "--audio", speech(tmp_path / "a.wav", 0.2))
    assert main([str(word) for word in words]) == 2
    assert "cannot be written" in capsys.readouterr().err.strip().splitlines()[-1]


LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
from eadnet.cli import main
sys.exit(main(sys.argv[2:]))
"""


class Interrupted:
    """A render of 20 s in a process of its own.

    Its sound has eight channels, so the video is larger than the speech that is kept at 16 kHz meanwhile.
    """

    def __init__(self, checkpoint: Path, portrait: Path, folder: Path) -> None:
        self.out = folder / "out.mp4"
        sound = speech(folder / "long.wav", 20.0, channels=8)
        words = command(checkpoint, self.out, "--portrait", portrait, "--audio", sound)
        self.words = [*map(str, words), "--steps", "2", "--overlap", "4"]

    @property
    def partial(self) -> Path:
        """The unfinished video; a path of nothing where there is none."""
        folder = self.out.parent / FOLDER
        return next(folder.glob("*.partial.mp4"), folder)

    def start(self, *before: str, more: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        launch = [sys.executable, *(before or ("-m", "eadnet"))]
        return subprocess.Popen([*launch, *self.words, *more], cwd=ROOT, stderr=subprocess.PIPE, text=True)

    def resume(self) -> bytes:
        """The finished video."""
        child = self.start(more=("--resume",))
        _, said = child.communicate()
        assert child.returncode == 0, said
        assert not self.partial.exists() and "starting from the beginning" not in said
        return self.out.read_bytes()

    def whole(self) -> bytes:
        """The video of an undisturbed run."""
        child = self.start()
        child.communicate()
        assert child.returncode == 0
        return self.out.read_bytes()


@pytest.fixture
def interrupted(checkpoint: Path, portrait: Path, tmp_path: Path) -> Iterator[Interrupted]:
    yield Interrupted(checkpoint, portrait, tmp_path)


def test_kill_9_leaves_a_video_that_plays_and_resume_ends_with_the_same_pixels(
    interrupted: Interrupted,
) -> None:
    child = interrupted.start()
    while count_groups(interrupted.partial) < 2:
        assert child.poll() is None, child.stderr and child.stderr.read()
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    written = len(read_video(interrupted.partial).frames)
    assert 2 * GROUP <= written < 500 and not interrupted.out.exists()
    assert interrupted.resume() == interrupted.whole()


def test_a_full_disk_is_one_sentence_and_resume_ends_with_the_same_pixels(
    interrupted: Interrupted,
) -> None:
    """No file may be larger than 1.3 MB: the speech at 16 kHz is 1.28 MB, the video would be more."""
    child = interrupted.start("-c", LIMITED, "1300000")
    _, said = child.communicate()
    assert child.returncode == 2, said
    last = said.strip().splitlines()[-1]
    assert "cannot be written on" in last and f"can be played: {interrupted.partial.name}" in last
    assert len(read_video(interrupted.partial).frames) >= GROUP and not interrupted.out.exists()
    assert interrupted.resume() == interrupted.whole()
