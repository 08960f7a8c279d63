"""The same pictures and the same sound, whatever codec they are in and whatever file holds them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from eadnet.media.audio import load_audio
from eadnet.media.reader import VideoReader
from tests.media.test_true_times import COUNT, LEVELS, near, number_of, shown
from tests.media_files import mux, packets
from tests.quick import some

QUIET = {"x265-params": "log-level=none:bframes=3"}
# Ending: codec, its options, the container's options.
FILMS: dict[str, tuple[str, dict[str, str], dict[str, str]]] = {
    "reordered.avi": ("libx264", {"bf": "3"}, {}),
    "fragments.mp4": ("libx264", {"bf": "2", "g": "10"}, {"movflags": "frag_keyframe+empty_moov"}),
    "dash.mp4": ("libx264", {"bf": "2", "g": "10"}, {"movflags": "dash+delay_moov"}),
    "every_frame.mp4": (
        "libx264",
        {"bf": "2"},
        {"movflags": "negative_cts_offsets+frag_every_frame+empty_moov"},
    ),
    "live.mkv": ("libx264", {"bf": "2"}, {"live": "1"}),
    "a.m2ts": ("libx264", {"bf": "2"}, {"mpegts_m2ts_mode": "1"}),
    "a.flv": ("libx264", {"bf": "2"}, {}),
    "a.nut": ("libx264", {"bf": "2"}, {}),
    "a.3gp": ("libx264", {"bf": "2"}, {}),
    "a.mxf": ("mpeg2video", {"q": "1", "bf": "2"}, {}),
    "a.m2v": ("mpeg2video", {"q": "1", "bf": "2"}, {}),
    "a.mjpeg": ("mjpeg", {"q": "1"}, {}),
    "a.hevc": ("libx265", QUIET, {}),
    "hevc.mp4": ("libx265", QUIET, {}),
    "a.ivf": ("libvpx", {}, {}),
    "a.obu": ("libsvtav1", {"preset": "11"}, {}),
    "av1.mkv": ("libsvtav1", {"preset": "11"}, {}),
    "hidden_frames.webm": ("libvpx-vp9", {"auto-alt-ref": "1", "lag-in-frames": "16", "cpu-used": "5"}, {}),
    "a.wmv": ("wmv2", {"q": "1"}, {}),
}


def film(path: Path, codec: str, options: dict[str, str], container: dict[str, str]) -> Path:
    """`LEVELS` at 25 frames per second. Skips where this FFmpeg cannot write it."""
    try:
        with av.open(str(path), "w", options=container) as file:
            stream: Any = file.add_stream(codec, rate=25, options=options)
            stream.width, stream.height = 64, 48
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for number, level in enumerate(LEVELS):
                frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8), format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 25)
                file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
    except (ValueError, av.FFmpegError) as error:
        pytest.skip(f"this FFmpeg cannot write {codec} as {path.suffix}: {error}")
    return path


@pytest.mark.parametrize("name", some(4, FILMS))
def test_every_picture_is_at_its_time(tmp_path: Path, name: str) -> None:
    path = film(tmp_path / name, *FILMS[name])
    got = shown(path)
    assert len(got) == COUNT and max(abs(a - b) for a, b in zip(got, range(COUNT), strict=True)) <= 1
    with VideoReader(path) as reader:
        assert reader.fps == 25 and reader.notes == []


@pytest.mark.parametrize(
    ("codec", "options"),
    some(1, [("libx265", {"x265-params": "log-level=none:keyint=30:open-gop=1:bframes=3"}),
             ("libsvtav1", {"preset": "11", "g": "30"})]),
)  # fmt: skip
def test_newer_codecs_cut_between_key_frames(tmp_path: Path, codec: str, options: dict[str, str]) -> None:
    try:
        path = mux(tmp_path / "a.mkv", packets(LEVELS, codec=codec, options=options)[20:], codec=codec)
    except (ValueError, av.FFmpegError) as error:
        pytest.skip(f"this FFmpeg cannot write {codec}: {error}")
    got = shown(path)
    assert 20 < got[0] <= 62 and near(got, range(got[0], COUNT))


@pytest.mark.parametrize(
    ("name", "codec"), some(1, [("a.ts", "libx264"), ("a.mkv", "libx264"), ("a.avi", "mpeg4")])
)
def test_of_a_file_that_breaks_off_what_is_there_is_shown(tmp_path: Path, name: str, codec: str) -> None:
    path = film(tmp_path / name, codec, {}, {})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    got = shown(path)
    # mpeg4 at this size shows a grey two levels off.
    assert 10 < len(got) < COUNT and max(abs(a - b) for a, b in enumerate(got)) <= 3


def test_frames_of_any_length_in_a_clock_of_milliseconds(tmp_path: Path) -> None:
    """A recorder's WebM: told as 1000 frames per second, shown for 16 to 50 ms each."""
    gaps = np.random.default_rng(0).choice([16, 17, 33, 34, 50], COUNT)
    times = [int(time) for time in np.cumsum(gaps) - gaps[0]]
    path = mux(
        tmp_path / "a.webm",
        packets(LEVELS, codec="libvpx", times=times),
        codec="libvpx",
        told_rate=1000,
    )
    with VideoReader(path) as reader:
        moments = [number / float(reader.fps) * 1000 + 1.5 for number in range(reader.count)]
        expected = [max(k for k in range(COUNT) if times[k] <= moment) for moment in moments]
        assert near([number_of(reader.picture(i)) for i in range(reader.count)], expected)
        assert abs(reader.count / float(reader.fps) - times[-1] / 1000) < 0.1


# Ending: codec, rate. A beep of 0.2 s begins at 1 s of 3.
SOUNDS: dict[str, tuple[str, int]] = {
    "low.wav": ("pcm_s16le", 7000),
    "high.wav": ("pcm_s16le", 384_000),
    "24.wav": ("pcm_s24le", 48_000),
    "32.wav": ("pcm_s32le", 96_000),
    "float.wav": ("pcm_f32le", 48_000),
    "double.wav": ("pcm_f64le", 44_100),
    "bytes.wav": ("pcm_u8", 8_000),
    "adpcm.wav": ("adpcm_ima_wav", 22_050),
    "ms.wav": ("adpcm_ms", 22_050),
    "mulaw.wav": ("pcm_mulaw", 8_000),
    "alaw.wav": ("pcm_alaw", 8_000),
    "a.aiff": ("pcm_s16be", 44_100),
    "a.au": ("pcm_s16be", 44_100),
    "a.caf": ("pcm_f32le", 48_000),
    "a.w64": ("pcm_s16le", 44_100),
    "a.flac": ("flac", 96_000),
    "alac.m4a": ("alac", 44_100),
    "aac.m4a": ("aac", 44_100),
    "a.mp3": ("libmp3lame", 44_100),
    "low.mp3": ("libmp3lame", 16_000),
    "a.opus": ("libopus", 48_000),
    "a.ac3": ("ac3", 48_000),
    "a.wv": ("wavpack", 44_100),
    "a.tta": ("tta", 44_100),
    "qt.mov": ("adpcm_ima_qt", 22_050),
    "24.mkv": ("pcm_s24le", 48_000),
}
LAYOUTS = ("mono", "stereo", "5.1", "quad")  # PyAV itself cannot write eight channels


def beep(path: Path, codec: str, rate: int, layout: str) -> Path:
    channels = len(av.AudioLayout(layout).channels)
    samples = np.zeros((channels, 3 * rate), np.float32)
    samples[:, rate : rate + rate // 5] = 0.6 * np.sin(np.arange(rate // 5) * 2 * np.pi * 440 / rate)
    try:
        with av.open(str(path), "w") as file:
            stream: Any = file.add_stream(codec, rate=rate, layout=layout)
            packed = np.ascontiguousarray(samples.T.reshape(1, -1))
            frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
            size = stream.codec_context.frame_size or 0
            resampler = av.AudioResampler(stream.format.name, layout, rate, frame_size=size)
            for piece in [*resampler.resample(frame), *resampler.resample(None)]:
                file.mux(stream.encode(piece))
            file.mux(stream.encode(None))
    except (ValueError, av.FFmpegError) as error:
        pytest.skip(f"this FFmpeg cannot write {codec} as {layout}: {error}")
    return path


@pytest.mark.parametrize("name", some(6, SOUNDS))
@pytest.mark.parametrize("layout", some(1, LAYOUTS))
def test_every_sound_is_heard_when_it_sounds(tmp_path: Path, name: str, layout: str) -> None:
    codec, rate = SOUNDS[name]
    samples, read = load_audio(beep(tmp_path / name, codec, rate, layout))
    assert read == rate and samples.shape[0] == len(av.AudioLayout(layout).channels)
    loud = np.flatnonzero(samples[0].abs().numpy() > 0.15)
    assert loud[0] / rate == pytest.approx(1.0, abs=0.012) and loud[-1] / rate == pytest.approx(1.2, abs=0.02)
    assert samples.shape[1] / rate == pytest.approx(3.0, abs=0.06)


def test_a_header_that_states_more_sound_than_there_is(tmp_path: Path) -> None:
    """As of a recorder that lost its power, or wrote into a pipe."""
    path = beep(tmp_path / "a.wav", "pcm_s16le", 16_000, "mono")
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = data[4:8] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    samples, _ = load_audio(path)
    assert samples.shape == (1, 48_000)
