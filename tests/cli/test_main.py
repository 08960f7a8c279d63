"""The command line: the commands work, and errors are one sentence and status 2, never a traceback."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence
from safetensors.torch import save_file
from scipy.io import wavfile

from eadnet.cli import main
from eadnet.cli.command import Command
from eadnet.cli.main import COMMANDS, build_parser
from eadnet.cli.progress import ProgressLine
from eadnet.media.video import read_video, write_video
from eadnet.presets import PRESETS
from eadnet.sampling import Sampling
from eadnet.weights import open_weights
from tests.tiny import RESOLUTION, write_tiny_checkpoint


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    write_tiny_checkpoint(folder / "tiny.safetensors")
    Image.new("RGB", (90, 70), (200, 120, 90)).save(folder / "face.png")
    tone = np.sin(np.arange(5600) * 0.2).astype(np.float32) * 0.3
    wavfile.write(folder / "speech.wav", 16000, tone)
    return folder


def arguments(files: Path, out: Path, **changes: str) -> list[str]:
    options = {
        "--portrait": str(files / "face.png"),
        "--audio": str(files / "speech.wav"),
        "--checkpoint": str(files / "tiny.safetensors"),
        "--emotion": "calm",
        "--steps": "1",
        "--out": str(out),
        **{f"--{name}": value for name, value in changes.items()},
    }
    return ["generate", *[word for pair in options.items() for word in pair]]


def test_generate_writes_a_video_with_sound(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = tmp_path / "sheet.png"
    assert main([*arguments(files, tmp_path / "out.mp4"), "--contact-sheet", str(sheet)]) == 0
    video = read_video(tmp_path / "out.mp4")
    assert video.frames.shape == (9, RESOLUTION, RESOLUTION, 3) and video.fps == 25
    assert sheet.is_file()
    said = capsys.readouterr()
    assert "9 frames, 0.36 s" in said.out
    assert "render 1/1" in said.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"portrait": "gone.png"}, "There is no image gone.png"),
        ({"audio": "gone.wav"}, "gone.wav is not a file"),
        ({"checkpoint": "gone.safetensors"}, "There is no file gone.safetensors"),
        ({"steps": "-1"}, "steps is -1"),
        ({"window": "30"}, "position table of 24"),
        ({"device": "moon"}, "device moon cannot be used"),
    ],
)
def test_what_the_user_can_put_right_is_one_sentence(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, str], message: str
) -> None:
    assert main(arguments(files, tmp_path / "out.mp4", **changes)) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("eadnet: ") and message in last
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(
    "command",
    [
        ["caption", ".", "--out", ".", "--backend", "template"],
        ["evaluate", ".", "--out", "report", "--models", "gone"],
        ["info", "n" * 300],
    ],
    ids=lambda command: command[0],
)
def test_files_that_are_not_what_they_should_be_are_one_sentence(
    files: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
) -> None:
    write_video(tmp_path / "a.mp4", np.zeros((8, 32, 32, 3), np.uint8), 25)
    monkeypatch.chdir(tmp_path)
    assert main(command) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("eadnet: ")


def test_progress_says_how_long_it_will_take() -> None:
    stream = io.StringIO()
    ProgressLine(stream)("render", 1, 10, 83.4)
    assert stream.getvalue() == "render 1/10, 1:23 left\n"


@pytest.mark.slow
def test_a_longer_video_can_outlast_the_sound(files: Path, tmp_path: Path) -> None:
    frames = [np.full((RESOLUTION, RESOLUTION, 3), 90, np.uint8)] * 20
    write_video(tmp_path / "v.mp4", frames, 25)
    for mode, count in (("bounce", 9), ("cut_off", 9), ("silence", 20)):
        given = arguments(files, tmp_path / "out.mp4", length=mode, video=str(tmp_path / "v.mp4"))
        at = given.index("--portrait")
        assert main(given[:at] + given[at + 2 :]) == 0
        assert len(read_video(tmp_path / "out.mp4").frames) == count


def test_ctrl_c_ends_without_a_traceback(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("eadnet.rendering.render_to_file", stop)
    assert main(arguments(files, tmp_path / "out.mp4")) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_a_portrait_or_a_video_is_needed(files: Path, tmp_path: Path) -> None:
    both = [*arguments(files, tmp_path / "o.mp4"), "--video", "v.mp4"]
    for wrong in (both, ["generate", "--audio", "a.wav", "--out", "o.mp4"], [], ["dance"]):
        with pytest.raises(SystemExit) as stopped:
            main(wrong)
        assert stopped.value.code == 2


def test_info_lists_what_a_checkpoint_holds(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(files / "tiny.safetensors")]) == 0
    said = capsys.readouterr().out
    for word in ("tiny", "resolution", "32", "EADUNet", "MiniAutoencoder", "audio_guidance 1.5"):
        assert word in said, word
    assert main(["info", str(files / "tiny.safetensors"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["resolution"] == RESOLUTION


def test_info_of_something_else_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "tiny.pt")
    assert main(["info", str(tmp_path / "tiny.pt")]) == 2
    assert "eadnet convert tiny.pt" in capsys.readouterr().err


def test_convert_reports_a_wrong_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "unet.pt").write_text("<html>")
    assert main(["convert", str(tmp_path / "unet.pt")]) == 2
    assert "unet.pt is a web page" in capsys.readouterr().err


@pytest.mark.slow
def test_contact_sheet_of_a_video(files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(files, tmp_path / "out.mp4")) == 0
    target = tmp_path / "sheet.png"
    assert (
        main(["contact-sheet", str(tmp_path / "out.mp4"), str(target), "--count", "4", "--columns", "2"]) == 0
    )
    assert Image.open(target).size == (2 * (RESOLUTION + 2) + 2, 2 * (RESOLUTION + 2) + 2)


@pytest.mark.slow
def test_a_video_becomes_an_image_sequence_that_is_a_video_again(files: Path, tmp_path: Path) -> None:
    from eadnet.media.reader import VideoReader

    assert main(arguments(files, tmp_path / "out.mp4")) == 0
    assert main(["export", str(tmp_path / "out.mp4"), str(tmp_path / "frames")]) == 0
    with VideoReader(tmp_path / "out.mp4") as video:
        count = video.count
    assert len(list((tmp_path / "frames").glob("*.png"))) == count
    given = arguments(files, tmp_path / "again.mp4")
    at = given.index("--portrait")
    assert main([*given[:at], "--video", str(tmp_path / "frames"), *given[at + 2 :]]) == 0
    assert (tmp_path / "again.mp4").is_file()


@pytest.mark.slow
def test_a_video_becomes_an_animated_image(files: Path, tmp_path: Path) -> None:
    assert main(arguments(files, tmp_path / "out.mp4")) == 0
    assert main(["export", str(tmp_path / "out.mp4"), str(tmp_path / "a.gif"), "--seconds", "0.2"]) == 0
    with Image.open(tmp_path / "a.gif") as shown:  # equal frames are one, shown for longer
        assert sum(frame.info["duration"] for frame in ImageSequence.Iterator(shown)) == 200


@pytest.mark.slow
def test_without_steps_they_are_the_checkpoints_own(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def stop(path: Path, networks: object, scene: object, sampling: Sampling, **_: object) -> None:
        seen.append(sampling.steps)
        raise KeyboardInterrupt

    monkeypatch.setattr("eadnet.rendering.render_to_file", stop)
    without = [word for word in arguments(files, tmp_path / "out.mp4") if word not in ("--steps", "1")]
    for given in (without, [*without, "--steps", "0"], [*without, "--steps", "9"]):
        assert main(given) == 130
    assert seen == [PRESETS["mini"].defaults["steps"]] * 2 + [9]


def test_evaluate_scores_folders_alone(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", "--world", "test", "--out", str(tmp_path)])
    assert stopped.value.code == 2


def test_commands_can_be_added() -> None:
    seen: list[int] = []
    extra = Command(
        "sing", "sing", lambda p: p.add_argument("--loud", type=int), lambda o: seen.append(o.loud)
    )
    options = build_parser([*COMMANDS, extra]).parse_args(["sing", "--loud", "3"])
    options.run(options)
    assert seen == [3]


def test_progress_in_a_log_file_is_a_few_lines() -> None:
    stream = io.StringIO()
    line = ProgressLine(stream)
    for done in range(1, 1001):
        line("denoise", done, 1000)
    assert 10 <= len(stream.getvalue().splitlines()) <= 11
    assert "\r" not in stream.getvalue()


def test_progress_on_a_terminal_stays_on_one_line() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    line = ProgressLine(stream)
    for done in range(1, 4):
        line("decode", done, 3)
    assert stream.getvalue().count("\r") == 3 and stream.getvalue().count("\n") == 1
    assert stream.getvalue().endswith("decode 3/3 100 %\x1b[K\n")


@pytest.mark.slow
def test_the_module_is_the_command_and_help_needs_no_network_libraries() -> None:
    code = (
        "import sys; sys.argv = ['eadnet', '--help']; import runpy\n"
        "try: runpy.run_module('eadnet', run_name='__main__')\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert not {'diffusers', 'transformers', 'torchvision', 'cv2'} & set(sys.modules)"
    )
    root = Path(__file__).parents[2]
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert "generate" in ended.stdout and "convert" in ended.stdout


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--device", "moon"], "device moon cannot be used"),
        (["--device", "meta"], "device meta cannot be used"),
        (["--face", "hello"], "'hello'"),
        (["--face-index", "-1"], "-1 was asked for"),
        (["--face-detector", "speech.wav"], "is no face landmarker"),
        (["--face-detector", "yunet.onnx"], "No face landmarker is installed"),
    ],
)
def test_a_portrait_that_cannot_be_rigged_is_one_sentence(
    files: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    more: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(files)
    wanted = [*arguments(files, tmp_path / "out.mp4", checkpoint="mini"), "--method", "rig", *more]
    assert main(wanted) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("eadnet: ") and message in last


def re_emoted(files: Path, out: Path, *more: str) -> list[str]:
    video = str(files / "speech.wav")  # no video, and never read
    return ["generate", "--video", video, "--out", str(out), "--face-detector", str(files / "no.task"), *more]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ([], "nothing to change in the video"),
        (["--emotion", "sad", "--strength", "3"], "strength of the emotion is 3"),
        (["--emotion", "sad", "--face", "1 2 3 4"], "--face is one place"),
        (["--emotion", "sad"], "no.task is missing"),
        (["--emotion", "sad", "--method", "pixels"], "give --audio"),
    ],
)
def test_a_video_that_cannot_be_given_an_emotion_is_one_sentence(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    assert main(re_emoted(files, tmp_path / "out.mp4", *more)) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("eadnet: ") and message in last


def test_without_a_landmarker_a_video_says_where_its_file_belongs(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eadnet.downloads.models_folder", lambda: tmp_path)
    wanted = ["generate", "--video", "v.mp4", "--emotion", "sad", "--out", str(tmp_path / "out.mp4")]
    assert main(wanted) == 2
    assert "eadnet fetch faces" in capsys.readouterr().err


@pytest.mark.parametrize("method", ["rig", "pixels"])
def test_results_that_cannot_be_written_are_said_before_anything_is_computed(
    files: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    method: str,
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("computed")

    monkeypatch.setattr("eadnet.cli.generate._model", never)
    monkeypatch.setattr("eadnet.cli.generate.portrait_rig", never)
    given = ["--method", method]
    for out, sheet, message in (
        ("out.avi", "s.png", "out.avi: the video is an MP4 file, name it out.mp4"),
        ("out.mp4", ".", "is a folder: give the name of a PNG file"),
        ("out.mp4", "n" * 300 + ".png", "the contact sheet: .* cannot be written"),
    ):
        line = [*arguments(files, tmp_path / out), *given, "--contact-sheet", str(tmp_path / sheet)]
        assert main(line) == 2
        assert re.search(message, capsys.readouterr().err)


EVIL = "\x1b[31m\u202e\x07two\nlines"


def test_words_of_a_header_are_shown_and_move_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_tiny_checkpoint(tmp_path / "a\x1b[2J\u202eb.safetensors")
    with open_weights(path) as file:
        info, tensors = json.loads(file.metadata["eadnet"]), file.tensors()
    info |= {"preset": EVIL, "mask_region": EVIL, "defaults": {EVIL: 1}}
    save_file(tensors, path, {"eadnet": json.dumps(info)})
    for options in (["info", str(path)], ["info", str(path), "--json"]):
        assert main(options) == 0
        said = capsys.readouterr().out
        assert not set(said) & set("\x1b\x07\u202e") and "31m" in said
    assert json.loads(said)["preset"] == EVIL
    assert main(["info", str(tmp_path / "no\x1b[31m\udcff")]) == 2
    assert not set(capsys.readouterr().err) & set("\x1b\udcff")
