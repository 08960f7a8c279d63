"""Pictures and sound are where their time stamps say, whatever a file does."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

from eadnet.errors import InputError
from eadnet.media.audio import load_audio
from eadnet.media.reader import VideoReader
from eadnet.media.sound import SoundFile
from eadnet.media.streams import demuxed
from tests.media_files import Track, mux, packets, write_media
from tests.quick import some

COUNT, RATE = 75, 16000


def level(number: int) -> int:
    return 20 + 2 * number


LEVELS = [level(number) for number in range(COUNT)]


def shown(path: Path, start: float = 0.0) -> list[int]:
    """Which frame of `LEVELS` each picture is; the same forwards, backwards and from the middle."""
    with VideoReader(path, start) as reader:
        forwards = [number_of(reader.picture(i)) for i in range(reader.count)]
        backwards = [number_of(reader.picture(i)) for i in reversed(range(reader.count))]
        assert backwards[::-1] == forwards
    with VideoReader(path, start) as reader:
        middle = reader.count // 2
        assert [number_of(reader.picture(i)) for i in range(middle, reader.count)] == forwards[middle:]
    return forwards


def number_of(picture: np.ndarray) -> int:
    return round((float(picture.mean()) - 20) / 2)


def near(got: Sequence[int], expected: Sequence[int]) -> bool:
    """Lossy codecs shift a grey by a level or two."""
    return len(got) == len(expected) and all(abs(a - b) <= 1 for a, b in zip(got, expected, strict=True))


def notes(path: Path) -> str:
    with VideoReader(path) as reader:
        for number in range(reader.count):
            reader.picture(number)
        sound = SoundFile(path)
        list(sound.pieces())
        return " ".join([*reader.notes, *sound.notes])


def beeps(at: Sequence[float], seconds: float = 3.0, rate: int = RATE) -> list[tuple[float, np.ndarray]]:
    """Sound in pieces of 40 ms, silent but for 40 ms after each moment."""
    pieces = [(i * 0.04, np.zeros(rate // 25, np.float32)) for i in range(round(seconds * 25))]
    for moment in at:
        pieces[round(moment * 25)][1][:] = 0.5
    return pieces


def heard(path: Path, start: float = 0.0) -> list[float]:
    """When beeps begin, in seconds."""
    sound = SoundFile(path, start)
    samples = torch.cat(list(sound.pieces()), dim=1)[0].abs().numpy() > 0.2
    begins = np.flatnonzero(np.diff(np.concatenate([[False], samples]).astype(int)) == 1)
    apart = np.diff(begins, prepend=-sound.rate) > sound.rate / 50
    return [float(begin / sound.rate) for begin in begins[apart]]


CUTS = {
    "mkv": ("libx264", {"g": "30", "x264-params": "open-gop=1:keyint=30:scenecut=0:bframes=3:b-adapt=0"}),
    "ts": ("libx264", {"g": "30", "bf": "2"}),
    "mpg": ("mpeg2video", {"g": "30", "bf": "2", "b": "2000000"}),
    "mpeg2.ts": ("mpeg2video", {"g": "30", "bf": "2", "b": "2000000"}),
    "webm": ("libvpx", {"g": "30"}),
    "vp9.webm": ("libvpx-vp9", {"g": "30"}),
}


@pytest.mark.parametrize("kind", some(2, CUTS))
def test_a_file_cut_between_key_frames_begins_with_the_first_picture_that_can_be_shown(
    tmp_path: Path, kind: str
) -> None:
    """And its sound with it: a beep stays with its picture."""
    codec, options = CUTS[kind]
    try:
        whole = packets(LEVELS, codec=codec, options=options)
        path = mux(tmp_path / f"a.{kind}", whole[20:], codec=codec)
    except (ValueError, av.FFmpegError) as error:
        pytest.skip(f"this FFmpeg cannot write {codec}: {error}")
    got = shown(path)
    assert 20 < got[0] <= 50 and near(got, range(got[0], COUNT))
    with VideoReader(path) as reader:
        assert "cut between key frames" in reader.notes[0]


def test_the_sound_of_a_cut_file_stays_with_its_pictures(tmp_path: Path) -> None:
    whole = packets(LEVELS, options={"g": "30", "bf": "2"})
    path = mux(tmp_path / "a.mkv", whole[20:], [piece for piece in beeps([2.0]) if piece[0] >= 0.8])
    assert near(shown(path), range(30, COUNT))
    assert heard(path) == pytest.approx([2.0 - 1.2], abs=0.002)


@pytest.mark.parametrize("first", some(2, [7, 30, 31, 44]))
def test_an_edit_list_that_begins_between_key_frames(tmp_path: Path, first: int) -> None:
    path = mux(tmp_path / "a.mp4", packets(LEVELS, options={"g": "30", "bf": "2"}))
    data = bytearray(path.read_bytes())
    at = data.index(b"elst") + 12  # version, flags and the count of edits come before
    length, media_time = struct.unpack(">ii", data[at : at + 8])
    with av.open(str(path)) as container:
        frame = round(1 / container.streams.video[0].time_base / 25)  # type: ignore[operator]
    data[at : at + 8] = struct.pack(">ii", length, media_time + first * frame)
    path.write_bytes(bytes(data))
    got = shown(path)
    assert near(got[: COUNT - first], range(first, COUNT))


def test_a_hole_in_picture_and_sound_is_held_and_silent(tmp_path: Path) -> None:
    """What comes after it comes no earlier."""
    kept = [i for i in range(COUNT) if not 25 <= i < 50]
    pictures = packets([LEVELS[i] for i in kept], times=[40 * i for i in kept], options={"g": "20"})
    sound = [piece for piece in beeps([0.4, 2.4]) if not 1 <= piece[0] < 2]
    path = mux(tmp_path / "a.mkv", pictures, sound)
    assert near(shown(path), [*range(25), *[24] * 25, *range(50, COUNT)])
    assert heard(path) == pytest.approx([0.4, 2.4], abs=0.002)
    assert "holes in its sound: they are silent" in notes(path)


@pytest.mark.parametrize("missing", some(2, [0.04, 0.08, 0.2, 1.0]))
def test_a_hole_in_the_sound_alone(tmp_path: Path, missing: float) -> None:
    sound = [p for p in beeps([0.2, 2.6]) if not 0.4 <= p[0] < 0.4 + missing - 0.001]
    path = mux(tmp_path / "a.mkv", packets(LEVELS), sound)
    assert heard(path) == pytest.approx([0.2, 2.6], abs=0.002)
    waveform, rate = load_audio(path)
    assert waveform.shape[1] / rate == pytest.approx(3.0, abs=0.01)


def test_shaken_stamps_of_sound_are_no_holes(tmp_path: Path) -> None:
    """A recorder's stamps are off by 15 ms now and then; nothing is cut out of the sound or put into it."""
    generator = np.random.default_rng(0)
    tone = np.sin(np.arange(3 * RATE) * 0.2).astype(np.float32) * 0.5
    sound = [
        (max(0.0, i * 0.04 + generator.uniform(-0.015, 0.015)), tone[i * 640 : (i + 1) * 640])
        for i in range(75)
    ]
    path = mux(tmp_path / "a.mkv", packets(LEVELS), sound)
    file = SoundFile(path)
    samples = torch.cat(list(file.pieces()), dim=1)[0].numpy()
    assert file.notes == [] and abs(len(samples) - 3 * RATE) < 0.02 * RATE
    lag = len(samples) - 3 * RATE
    assert np.abs(samples[max(0, lag) :][: 2 * RATE] - tone[max(0, -lag) :][: 2 * RATE]).max() < 1e-3


@pytest.mark.parametrize(("first", "begins"), some(2, [(0.0, 0.48), (0.52, 1.0), (-0.2, 0.28), (5.0, 5.48)]))
def test_sound_that_starts_late_or_early(tmp_path: Path, first: float, begins: float) -> None:
    """The picture starts at 1 s of the file's clock; a beep is 0.48 s after the sound's own beginning."""
    sound = [(1.0 + first + at, samples) for at, samples in beeps([0.48])]
    path = mux(tmp_path / "a.mkv", packets(LEVELS, first=1000, options={"bf": "0"}), sound)
    assert near(shown(path), range(COUNT))
    assert heard(path) == pytest.approx([begins], abs=0.003)


@pytest.mark.parametrize(
    ("rate", "layout"), some(1, [(44100, "mono"), (32000, "mono"), (44100, "stereo"), (48000, "stereo")])
)
def test_sound_that_changes_on_the_way_keeps_its_time(tmp_path: Path, rate: int, layout: str) -> None:
    def part(name: str, first: int, levels: list[int], rate: int, layout: str, at: float) -> bytes:
        samples = np.zeros(1152 * round(len(levels) / 25 * rate / 1152), np.float32)
        samples[round(at * rate) :][: rate // 25] = 0.9
        pieces = [(first / 1000 + i / rate, samples[i : i + 1152]) for i in range(0, len(samples), 1152)]
        path = mux(
            tmp_path / name,
            packets(levels, first=first, options={"bf": "0"}),
            pieces,
            sound_rate=rate,
            sound_codec="mp2",
            layout=layout,
        )
        return path.read_bytes()

    first = part("1.ts", 0, LEVELS[:40], 44100, "mono", 1.0)
    second = part("2.ts", 1600, LEVELS[40:], rate, layout, 0.9)
    path = tmp_path / "a.ts"
    path.write_bytes(first + second)
    assert near(shown(path), range(COUNT))
    # The coder's own delay is told by the stamps, which no hole of it exceeds.
    assert heard(path) == pytest.approx([1.0, 2.5], abs=0.025)
    assert SoundFile(path).channels == 1
    assert ("changes the rate" in notes(path)) == ((rate, layout) != (44100, "mono"))


@pytest.mark.parametrize("first", some(1, [0, 100, 4_000_000]))
def test_stamps_that_begin_anew_go_on_after_the_last(tmp_path: Path, first: int) -> None:
    """As in recordings that were copied one behind the other."""
    one = mux(tmp_path / "1.ts", packets(LEVELS[:40], options={"bf": "0"})).read_bytes()
    two = mux(tmp_path / "2.ts", packets(LEVELS[40:], first=first, options={"bf": "2"})).read_bytes()
    (tmp_path / "a.ts").write_bytes(one + two)
    assert near(shown(tmp_path / "a.ts"), range(COUNT))


@pytest.mark.parametrize("early", some(1, [1, 3, 10]))
def test_pictures_that_overlap_are_shown_once(tmp_path: Path, early: int) -> None:
    """What comes after the time of a picture that was shown already is not shown, as in a player."""
    one = mux(tmp_path / "1.ts", packets(LEVELS[:40], options={"bf": "0"})).read_bytes()
    second = packets(LEVELS[40:], first=1600 - 40 * early, options={"bf": "0"})
    two = mux(tmp_path / "2.ts", second).read_bytes()
    (tmp_path / "a.ts").write_bytes(one + two)
    assert near(shown(tmp_path / "a.ts"), [*range(40), *range(40 + early, COUNT)])


def test_sound_that_overlaps_is_heard_once(tmp_path: Path) -> None:
    sound = [(at - (0.4 if at >= 1.6 else 0), samples) for at, samples in beeps([0.4, 2.4])]
    one = mux(tmp_path / "1.ts", packets(LEVELS[:40], options={"bf": "0"}), **_mp2(sound[:40]))
    two = mux(tmp_path / "2.ts", packets(LEVELS[40:], first=1200, options={"bf": "0"}), **_mp2(sound[40:]))
    (tmp_path / "a.ts").write_bytes(one.read_bytes() + two.read_bytes())
    assert heard(tmp_path / "a.ts") == pytest.approx([0.4, 2.0], abs=0.025)
    assert "overlaps" in notes(tmp_path / "a.ts")


def _mp2(sound: list[tuple[float, np.ndarray]]) -> dict[str, Any]:
    """The same sound in the pieces that MPEG's coder takes."""
    begin, whole = sound[0][0], np.concatenate([samples for _, samples in sound])
    whole = np.pad(whole, (0, -len(whole) % 1152))
    pieces = [(begin + i / RATE, whole[i : i + 1152]) for i in range(0, len(whole), 1152)]
    return {"sound": pieces, "sound_codec": "mp2"}


SIZES = [("libvpx", "webm"), ("libvpx-vp9", "webm"), ("libx264", "ts"), ("libx264", "mkv"), ("mjpeg", "mkv")]


@pytest.mark.parametrize(("codec", "ending"), some(2, SIZES))
def test_a_picture_that_changes_its_size_keeps_that_of_the_first(
    tmp_path: Path, codec: str, ending: str
) -> None:
    """All of it is seen, in its own shape, with black beside it."""
    form = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    one = packets([200] * 20, codec=codec, pix_fmt=form)
    two = packets([120] * 20, codec=codec, pix_fmt=form, first=800, size=(96, 48))
    path = mux(tmp_path / f"a.{ending}", one + two, codec=codec, pix_fmt=form)
    with VideoReader(path) as reader:
        assert reader.size == (64, 48) and reader.notes == []
        assert abs(reader.picture(10).astype(int) - 200).max() <= 6
        wide = reader.picture(30)
        assert wide.shape == (48, 64, 3)
        assert (wide[:6] < 8).all() and (wide[-6:] < 8).all()
        assert abs(wide[10:-10].astype(int) - 120).max() <= 6
        assert "changes its picture size on the way" in reader.notes[0]


def test_a_picture_that_changes_its_format(tmp_path: Path) -> None:
    one = packets(LEVELS[:40], options={"bf": "0"})
    two = packets(LEVELS[40:], first=1600, pix_fmt="yuv444p10le", options={"bf": "0"})
    assert near(shown(mux(tmp_path / "a.ts", one + two)), range(COUNT))


@pytest.mark.parametrize("told", some(1, [10, 24, 60]))
def test_a_rate_that_the_file_tells_wrongly_is_measured(tmp_path: Path, told: int) -> None:
    path = mux(tmp_path / "a.mkv", packets(LEVELS, options={"bf": "0"}), told_rate=told)
    with VideoReader(path) as reader:
        assert reader.fps == 25
    assert near(shown(path), range(COUNT))


def test_a_stream_without_any_times_is_counted(tmp_path: Path) -> None:
    made = packets(LEVELS, options={"bf": "3"})
    (tmp_path / "a.h264").write_bytes(b"".join(bytes(packet) for packet in made))
    assert near(shown(tmp_path / "a.h264"), range(COUNT))


def test_the_last_picture_stays_as_long_as_the_file_says(tmp_path: Path) -> None:
    made = packets(LEVELS[:5], options={"bf": "0"})
    made[-1].duration = 1000
    assert near(shown(mux(tmp_path / "a.mp4", made)), [0, 1, 2, 3, *[4] * 25])


def test_one_picture_is_a_video(tmp_path: Path) -> None:
    assert shown(mux(tmp_path / "a.mp4", packets(LEVELS[:1]))) == [0]


@pytest.mark.parametrize("kind", ["cover", "second"])
def test_of_several_pictures_the_video_is_shown(tmp_path: Path, kind: str) -> None:
    """The cover of a file is not its video, wherever it comes; of two videos the default one is."""
    path = tmp_path / "a.mkv"
    disposition = av.stream.Disposition
    with av.open(str(path), "w") as container:
        streams: list[Any] = [container.add_stream("mjpeg", rate=25) for _ in range(2)]
        try:
            other = disposition.attached_pic if kind == "cover" else disposition.dub
            streams[0].disposition = other.value
            streams[1].disposition = disposition.default.value
        except AttributeError:
            pytest.skip("this PyAV cannot say which stream is the default one")
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for number in range(5):
            for stream, brightness in zip(streams, (200, level(number)), strict=True):
                if kind == "cover" and stream is streams[0] and number:
                    continue
                pixels = np.full((48, 64, 3), brightness, np.uint8)
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts = number
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode(None))
    assert near(shown(path), range(5))


def test_a_stream_that_begins_in_the_middle_of_a_file_disturbs_nothing() -> None:
    """As subtitles of a broadcast do. PyAV raises an IndexError for each of its packets and ends there."""

    class Container:
        left = [1, 2, None, None, 3]

        def demux(self, stream: None) -> Iterator[int]:
            while self.left:
                packet = self.left.pop(0)
                if packet is None:
                    raise IndexError("list index out of range")
                yield packet

    assert list(demuxed(Container(), None)) == [1, 2, 3]


def test_a_video_without_a_decoder_is_one_sentence(tmp_path: Path) -> None:
    path = mux(tmp_path / "a.mp4", packets(LEVELS[:5]))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    with pytest.raises(InputError, match="a video that cannot be decoded"):
        VideoReader(path)


def test_a_rate_no_recording_has_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.wav", tracks=[Track(np.zeros((1, 1600)), 16000)])
    data = bytearray(path.read_bytes())
    data[24:28] = struct.pack("<I", 16000 | 1 << 30)
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match="samples per second: export it again"):
        SoundFile(path)


def test_an_hour_of_silence_in_a_hole_is_not_held_in_memory(tmp_path: Path) -> None:
    sound = [(0.0, np.full(640, 0.5, np.float32)), (1800.0, np.full(640, 0.5, np.float32))]
    path = mux(tmp_path / "a.mkv", packets(LEVELS[:2], times=[0, 1_800_000]), sound)
    pieces = [piece.shape[1] for piece in SoundFile(path).pieces()]
    assert sum(pieces) == pytest.approx(1800.04 * RATE, abs=100) and max(pieces) <= 1 << 16


def test_a_stamp_that_cannot_be_makes_no_hours_of_silence(tmp_path: Path) -> None:
    sound = [(at + (90_000.0 if at > 1 else 0.0), samples) for at, samples in beeps([0.4, 2.4])]
    path = mux(tmp_path / "a.mkv", packets(LEVELS), sound)
    assert heard(path) == pytest.approx([0.4, 2.4], abs=0.01)
    assert "time stamps that cannot be" in notes(path)
