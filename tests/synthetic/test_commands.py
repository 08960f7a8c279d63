"""`eadnet synth`: what it writes, and what it refuses in one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("cv2", reason="rendering needs the 'synthetic' extra (opencv-python-headless)")
pytest.importorskip("espeakng_loader", reason="speech needs the 'synthetic' extra (espeakng-loader)")

from eadnet.cli import main  # noqa: E402
from eadnet.media.audio import load_audio  # noqa: E402
from eadnet.media.video import read_video  # noqa: E402
from eadnet.synthetic import datasets  # noqa: E402
from eadnet.synthetic.clips import make_clip  # noqa: E402
from eadnet.synthetic.datasets import DatasetShape, check_room, make_dataset  # noqa: E402
from eadnet.synthetic.expression import PARAMETERS  # noqa: E402
from eadnet.synthetic.studio import person  # noqa: E402
from eadnet.training.data.clips import ClipSet, labels_of


def render(out: Path, *words: str) -> int:
    return main(["synth", "render", str(out), *words])


@pytest.mark.parametrize("size", [1, 2, 7, 33, 65])
def test_a_still_face_has_the_size_asked_for(tmp_path: Path, size: int) -> None:
    assert render(tmp_path / "face.png", "--size", str(size), "--emotion", "happy") == 0
    assert Image.open(tmp_path / "face.png").size == (size, size)


def test_single_parameters_override_those_of_the_emotion(tmp_path: Path) -> None:
    words = ["--emotion", "happy", "--intensity", "0.5", "--set", "smile_l=0", "--set", "gaze_x=-0.4"]
    assert render(tmp_path / "a.png", "--size", "24", *words, "--truth", str(tmp_path / "a.npz")) == 0
    truth = np.load(tmp_path / "a.npz")
    values = dict(zip(truth["names"].tolist(), truth["params"][0].tolist(), strict=True))
    assert values["smile_l"] == 0 and values["smile_r"] == pytest.approx(0.475)
    assert values["gaze_x"] == pytest.approx(-0.4)
    assert truth["landmarks"].shape == (1, 68, 2) and truth["mouth"].shape == (1, 24, 24)


@pytest.mark.slow
def test_a_sentence_becomes_a_video_with_sound_even_at_an_odd_size(tmp_path: Path) -> None:
    assert render(tmp_path / "said.mp4", "--say", "Hello 42 😀", "--size", "31", "--rate", "300") == 0
    video = read_video(tmp_path / "said.mp4")
    assert video.frames.shape[1:] == (32, 32, 3), "H.264 has even sides: the last row and column are doubled"
    sound, rate = load_audio(tmp_path / "said.mp4")
    assert sound.shape[-1] / rate == pytest.approx(len(video.frames) / 25, abs=0.1)
    assert float(sound.abs().max()) > 0.05
    assert np.abs(np.diff(video.frames.astype(float), axis=0)).max() > 20, "the mouth moves"


def test_a_seed_is_the_clip_that_data_sets_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--clip", "--split", "test", "--seed", "3", "--frames", "6", "--size", "24", "--sheet", "3"]
    assert render(tmp_path / "sheet.png", *words, "--truth", str(tmp_path / "t.npz")) == 0
    clip = make_clip(3, "test", 6)
    assert np.array_equal(np.load(tmp_path / "t.npz")["params"], clip.params)
    assert clip.description.text in capsys.readouterr().out
    assert Image.open(tmp_path / "sheet.png").size == (3 * 26 + 2, 28)
    assert person(3, "test") == clip.identity


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("a.gif", "", "neither an image nor a video"),
        ("a.mp4", "--sheet 4", "must end in .png"),
        ("a.png", "--size 0", "from 1 to 2048"),
        ("a.png", "--size 2049", "from 1 to 2048"),
        ("a.png", "--set smile=1", "did you mean smile_"),
        ("a.png", "--set smile_l=1.5", "from 0 to 1"),
        ("a.png", "--set smile_l=nan", "no setting"),
        ("a.png", "--set smile_l", "no setting"),
        ("a.png", "--emotion hapy", "did you mean happy"),
        ("a.png", "--intensity -0.1", "from 0 to 1"),
        ("a.png", "--seed -1", "0 or more"),
        ("a.png", "--split all", "Choose one of train"),
        ("a.mp4", "--clip --frames 0", "at least 1 frame"),
        ("a.mp4", "--clip --frames 100000", "too long"),
        ("a.mp4", "--say hi --voice klingon", "no voice 'klingon'"),
        ("a.mp4", "--say hi --rate 5", "from 80 to 350"),
        ("a.mp4", "--say hi --pitch 100", "from 0 to 99"),
    ],
)
def test_what_cannot_be_rendered_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, words: str, message: str
) -> None:
    assert render(tmp_path / name, *words.split()) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1 and said[0].startswith("eadnet: ") and message in said[0]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("text", "message"), [("", "empty"), ("  ", "empty"), ("\u200b", "nothing to say")])
def test_nothing_to_say_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    assert render(tmp_path / "a.mp4", "--say", text) == 2
    assert message in capsys.readouterr().err


def test_a_data_set_is_made_and_not_mixed_with_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["synth", "make", str(tmp_path / "set"), "--frames", "3", "--size", "17", "--split", "validation"]
    assert main([*words, "--count", "2"]) == 0
    clips = ClipSet(tmp_path / "set")
    assert clips.frames.shape == (2, 3, 17, 17, 3) and labels_of(clips).params.shape == (
        2,
        3,
        len(PARAMETERS),
    )
    assert clips.frames.std(axis=(1, 2, 3, 4)).min() > 5
    assert main([*words, "--count", "2"]) == 0, "made already: nothing to do"
    assert main([*words, "--count", "3"]) == 2
    assert "holds another data set (clips 2)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("shape", "changes", "message"),
    [
        (DatasetShape(0), {}, "number of clips is 0"),
        (DatasetShape(1, frames=0), {}, "number of frames is 0"),
        (DatasetShape(1, size=4096), {}, "from 1 to 2048"),
        (DatasetShape(1), {"first_seed": -1}, "first seed is -1"),
        (DatasetShape(1), {"workers": 0}, "number of workers is 0"),
        (DatasetShape(1), {"split": "tset"}, "no split 'tset': did you mean test"),
        (DatasetShape(10**9), {}, "make room"),
    ],
)
def test_impossible_data_sets_are_refused_before_anything_is_written(
    tmp_path: Path, shape: DatasetShape, changes: dict, message: str
) -> None:
    from eadnet.errors import InputError

    settings = {"split": "train", **changes}
    with pytest.raises(InputError, match=message):
        make_dataset(tmp_path / "set", settings.pop("split"), shape, **settings)
    assert not list(tmp_path.iterdir())


def test_a_disk_without_room_is_noticed_before_it_kills_a_worker(tmp_path: Path, monkeypatch) -> None:
    from eadnet.errors import InputError

    monkeypatch.setattr(datasets.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10})())
    check_room(tmp_path / "not" / "yet", 10)
    with pytest.raises(InputError, match="free: make room"):
        check_room(tmp_path / "not" / "yet", 11)
