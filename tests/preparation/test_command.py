"""``eadnet prepare``: its options, its sentences, and made-up trees of real recordings."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from eadnet.cli.main import main
from eadnet.preparation.manifest import read_manifest
from eadnet.preparation.shards import read_shards
from tests.in_comfy import ROOT
from tests.preparation.trees import LANDMARKER, became, files, make_hdtf, make_mead, needs_recordings

pytest.importorskip("pyarrow")


def command(folder: Path, out: Path, *more: object) -> list[str]:
    faces = ["--faces", str(LANDMARKER)] if LANDMARKER.is_file() else []
    return ["prepare", str(folder), "--out", str(out), *faces, *map(str, more)]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--longest", "1"], "at most half"),
        (["--vae", "vae.safetensors"], "name a preset"),
        (["--features", "ead-512", "--vae", "v"], "other crops"),
        (["--syncnet", "none.safetensors"], "no SyncNet none.safetensors"),
        (["--workers", "-1"], "workers is -1"),
    ],
)
def test_what_cannot_work_is_said_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], words: str
) -> None:
    faces = tmp_path / "face_landmarker.task"
    faces.write_bytes(b"")
    (tmp_path / "a.mp4").write_bytes(b"")
    assert main(["prepare", str(tmp_path), "--out", str(tmp_path / "set"), "--faces", str(faces), *more]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


def test_an_empty_folder_and_a_missing_landmarker_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prepare", str(tmp_path), "--out", str(tmp_path / "set"), "--faces", "none.task"]) == 2
    assert "none.task is missing" in capsys.readouterr().err
    faces = tmp_path / "face_landmarker.task"
    faces.write_bytes(b"")
    assert main(["prepare", str(tmp_path), "--out", str(tmp_path / "set"), "--faces", str(faces)]) == 2
    assert "contains no videos" in capsys.readouterr().err


@pytest.mark.slow
@needs_recordings
def test_every_clip_of_a_tree_like_meads_is_taken_or_rejected_for_its_reason(tmp_path: Path) -> None:
    expected = make_mead(tmp_path / "data")
    more = ("--layout", "mead", "--turned", 25, "--workers", 2)
    assert main(command(tmp_path / "data", tmp_path / "set", *more)) == 0
    rows = read_manifest(tmp_path / "set" / "manifest.parquet")
    assert became(rows) == expected
    by_source = {row["source"]: row for row in rows}
    late = by_source["M007/video/front/fear/level_3/late.mp4"]
    assert late["sync_offset_frames"] in (-4, -3, -2), "the recording is 120 ms late"
    assert (late["emotion"], late["level"], late["split"]) == ("fearful", 3, "train")
    held_out = {sample.record["speaker"] for sample in read_shards(tmp_path / "set", split="test")}
    assert held_out == {"M003", "W015"}


@pytest.mark.slow
@needs_recordings
def test_a_tree_like_hdtfs_comes_out_as_annotated_with_one_process_and_with_two(tmp_path: Path) -> None:
    expected = make_hdtf(tmp_path / "data")
    for workers in (1, 2):
        out = tmp_path / f"set {workers}"
        assert main(command(tmp_path / "data", out, "--layout", "hdtf", "--workers", workers)) == 0
    assert became(read_manifest(tmp_path / "set 1" / "manifest.parquet")) == expected
    assert list(files(tmp_path / "set 1")) == list(files(tmp_path / "set 2"))


@pytest.mark.slow
@needs_recordings
@pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed")
def test_ray_makes_the_same_set(tmp_path: Path) -> None:
    make_hdtf(tmp_path / "data")
    for engine in ("local", "ray"):
        more = ("--layout", "hdtf", "--workers", 2, "--engine", engine)
        assert main(command(tmp_path / "data", tmp_path / engine, *more)) == 0
    assert list(files(tmp_path / "local")) == list(files(tmp_path / "ray"))


def killed_again_and_again(data: Path, out: Path, times: int, *more: object) -> int:
    """Begin, and kill all its processes when a file more is there than before, so often; then let it end.

    Returns how often it was killed: a run that comes to its end before is not.
    """
    killed = 0
    full = [sys.executable, "-m", "eadnet", *command(data, out, *more)]
    for _ in range(times):
        before = sum(path.is_file() for path in out.rglob("*"))
        process = subprocess.Popen(
            full, cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while process.poll() is None:
            if sum(path.is_file() for path in out.rglob("*")) > before:
                os.killpg(process.pid, signal.SIGKILL)
                killed += 1
                break
            time.sleep(0.05)
        process.wait()
    subprocess.run(full, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return killed


@pytest.mark.slow
@needs_recordings
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_run_that_is_killed_at_ten_moments_makes_the_same_set(tmp_path: Path) -> None:
    make_hdtf(tmp_path / "data")
    more = ("--layout", "hdtf", "--workers", 2)
    assert main(command(tmp_path / "data", tmp_path / "whole", *more)) == 0
    assert killed_again_and_again(tmp_path / "data", tmp_path / "killed", 10, *more) == 10
    assert list(files(tmp_path / "killed")) == list(files(tmp_path / "whole"))
