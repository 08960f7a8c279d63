"""A run from a folder to a set: the same one however often it was ended, by however many processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from eadnet.errors import CheckpointError, InputError
from eadnet.media.locks import try_lock
from eadnet.media.video import write_video
from eadnet.preparation.manifest import read_manifest
from eadnet.preparation.prepare import Prepared, prepare
from eadnet.preparation.settings import Settings
from eadnet.preparation.shards import read_set, read_shards
from tests.in_comfy import ROOT
from tests.preparation.hands import HANDS, SEGMENTS
from tests.preparation.trees import became, files

pytest.importorskip("pyarrow")

GOOD = ("anna/1.mp4", "anna/2 short.mp4", "ben/ü bad.mp4", "carla/3.mp4", "speaker 2/4.mp4")


@pytest.fixture(autouse=True)
def processes_find_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """ComfyUI, which other tests of this process may have put on the path, has a package `tests`, too."""
    elsewhere = [place for place in sys.path if (Path(place) / "tests" / "__init__.py").exists()]
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place not in elsewhere])


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    faces = tmp_path / "face_landmarker.task"
    faces.write_bytes(b"weights")
    return Settings(faces=faces, samples_per_shard=3)


def videos(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"video")
    return folder


def run(folder: Path, out: Path, settings: Settings, workers: int = 0, **more: Any) -> Prepared:
    return prepare(folder, out, settings, workers=workers, hands=HANDS, **more)


@pytest.mark.slow
def test_a_set_holds_what_was_accepted_and_the_manifest_says_all(tmp_path: Path, settings: Settings) -> None:
    folder = videos(tmp_path / "data", *GOOD)
    result = run(folder, tmp_path / "set", settings)
    assert (result.accepted, result.rejected, result.anew) == (13, {"length": 1, "sync": 1}, True)
    rows = read_manifest(tmp_path / "set" / "manifest.parquet")
    assert became(rows)["anna/2 short.mp4"] == ["accepted", "length", "accepted"]
    assert became(rows)["ben/ü bad.mp4"] == ["sync", "accepted", "accepted"]
    told = read_set(tmp_path / "set")
    assert told["resolution"] == 256 and "jaw_open" in told["parameters"]
    read = [
        sample.id
        for split in {shard["split"] for shard in told["shards"]}
        for sample in read_shards(tmp_path / "set", split=split)
    ]
    assert sorted(read) == sorted(row["id"] for row in rows if row["status"] == "accepted")
    in_shards = {(row["shard"], row["split"]) for row in rows if row["status"] == "accepted"}
    assert in_shards == {(shard["name"], shard["split"]) for shard in told["shards"]}
    page = (tmp_path / "set" / "report.html").read_text("utf-8")
    assert "13 segments" in page and "data:image/jpeg" in page and "ü bad.mp4" in page
    assert not (tmp_path / "set" / "work").exists()


class Killed(BaseException):
    """The process ends here."""


def kill_after(monkeypatch: pytest.MonkeyPatch, writes: int) -> Callable[[], int]:
    """End the run at its n-th file that gets its name, just before it has it; nothing is cleaned up."""
    done = 0
    real = os.replace

    def replace_(*arguments: Any) -> None:
        nonlocal done
        done += 1
        if done > writes:
            monkeypatch.setattr(Path, "unlink", lambda *args, **kwargs: None)
            raise Killed
        real(*arguments)

    monkeypatch.setattr(os, "replace", replace_)
    return lambda: done


@pytest.mark.slow
def test_a_run_that_is_ended_anywhere_goes_on_to_the_same_set(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = videos(tmp_path / "data", *GOOD[:3])
    run(folder, tmp_path / "whole", settings)
    whole = list(files(tmp_path / "whole"))
    ends = 0
    for writes in range(100):
        out = tmp_path / f"ended {writes}"
        with monkeypatch.context() as patch:
            kill_after(patch, writes)
            try:
                run(folder, out, settings)
            except Killed:
                ends += 1
            else:
                break
        run(folder, out, settings)
        assert list(files(out)) == whole, f"ended before file {writes}"
        shutil.rmtree(out)
    assert ends > 20


@pytest.mark.slow
def test_a_run_may_be_ended_again_and_again(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = videos(tmp_path / "data", *GOOD)
    run(folder, tmp_path / "whole", settings)
    for _ in range(100):
        with monkeypatch.context() as patch:
            kill_after(patch, 6)
            try:
                run(folder, tmp_path / "ended", settings)
                break
            except Killed:
                continue
    assert list(files(tmp_path / "ended")) == list(files(tmp_path / "whole"))


@pytest.mark.slow
def test_a_finished_set_is_left_as_it_is(tmp_path: Path, settings: Settings) -> None:
    folder = videos(tmp_path / "data", *GOOD)
    run(folder, tmp_path / "set", settings)
    before = list(files(tmp_path / "set"))
    result = run(folder, tmp_path / "set", settings)
    assert not result.anew and result.accepted == 13
    assert list(files(tmp_path / "set")) == before
    videos(folder, "dora/new.mp4")
    with pytest.raises(InputError, match="its videos are others by now"):
        run(folder, tmp_path / "set", settings)
    with pytest.raises(InputError, match="resolution 256, now 512"):
        run(folder, tmp_path / "set", replace(settings, resolution=512))
    assert list(files(tmp_path / "set")) == before


@pytest.mark.slow
def test_a_set_of_another_version_and_one_that_is_being_made_are_left_alone(
    tmp_path: Path, settings: Settings
) -> None:
    folder = videos(tmp_path / "data", "a.mp4")
    run(folder, tmp_path / "set", settings)
    lock = try_lock(tmp_path / "set" / ".lock")
    assert lock is not None
    with pytest.raises(InputError, match="Another run"):
        run(folder, tmp_path / "set", settings)
    lock.release()
    told = (tmp_path / "set" / "set.json").read_text("utf-8").replace('"version": 1', '"version": 2')
    (tmp_path / "set" / "set.json").write_text(told, "utf-8")
    with pytest.raises(InputError, match="version 2"):
        run(folder, tmp_path / "set", settings)
    assert (tmp_path / "set" / "shards" / "000000.tar").exists()


@pytest.mark.slow
def test_a_begun_set_goes_on_with_the_same_settings_only(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = videos(tmp_path / "data", *GOOD)
    with monkeypatch.context() as patch:
        kill_after(patch, 5)
        with pytest.raises(Killed):
            run(folder, tmp_path / "set", settings)
    with pytest.raises(InputError, match="begun with other settings .*smallest_face 96"):
        run(folder, tmp_path / "set", replace(settings, smallest_face=120.0))
    # A video that came since is taken, one that changed is looked at again.
    videos(folder, "dora/new.mp4")
    (folder / "anna/1.mp4").write_bytes(b"another video")
    assert run(folder, tmp_path / "set", settings).accepted == 13 + SEGMENTS


def test_what_cannot_begin_says_so_before_any_work(tmp_path: Path, settings: Settings) -> None:
    folder = videos(tmp_path / "data", "a.mp4")
    with pytest.raises(InputError, match="no videos"):
        run(videos(tmp_path / "none", "a.txt"), tmp_path / "set", settings)
    with pytest.raises(CheckpointError, match="eadnet fetch faces"):
        run(folder, tmp_path / "set", replace(settings, faces=tmp_path / "none.task"))
    with pytest.raises(CheckpointError, match="no SyncNet"):
        run(folder, tmp_path / "set", replace(settings, sync_model=tmp_path / "none.safetensors"))
    with pytest.raises(InputError, match="eadnet caption"):
        run(folder, tmp_path / "set", replace(settings, captions=tmp_path / "none.jsonl"))
    with pytest.raises(InputError, match="The device abacus cannot be used"):
        run(folder, tmp_path / "set", replace(settings, device="abacus"))
    with pytest.raises(InputError, match="engine"):
        run(folder, tmp_path / "set", settings, engine="spark")
    with pytest.raises(InputError, match="something else"):
        run(folder, folder, settings)
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(InputError, match="cannot be written"):
        run(folder, tmp_path / "file", settings)
    assert not (tmp_path / "set").exists()


def test_a_full_disk_ends_the_run_in_a_sentence_and_loses_nothing(tmp_path: Path, settings: Settings) -> None:
    folder = videos(tmp_path / "data", *GOOD[:2], "zoe/full.mp4")
    with pytest.raises(InputError, match="free some space"):
        run(folder, tmp_path / "set", settings)
    (folder / "zoe/full.mp4").rename(folder / "zoe/roomy.mp4")
    assert run(folder, tmp_path / "set", settings).accepted == 8


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_processes_that_are_killed_at_ten_moments_make_the_same_set(
    tmp_path: Path, settings: Settings
) -> None:
    """By signal 9, all of them, each time when a file more is there than when they were started."""
    folder, out = videos(tmp_path / "data", *GOOD), tmp_path / "killed"
    run(folder, tmp_path / "whole", settings)
    words = [sys.executable, "-m", "tests.preparation.hands", str(folder), str(out), str(settings.faces)]
    for _ in range(10):
        process = subprocess.Popen(words, cwd=ROOT, start_new_session=True)
        there = len([*out.rglob("*.json")])
        while process.poll() is None and len([*out.rglob("*.json")]) <= there:
            time.sleep(0.02)
        assert process.poll() is None, "it came to its end before it was killed"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert not (out / "set.json").exists()
    subprocess.run(words, cwd=ROOT, check=True)
    assert list(files(out)) == list(files(tmp_path / "whole"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 600 kB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(place)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("mount") is None, reason="no mount here")
@pytest.mark.parametrize("workers", [0, 2])
def test_a_disk_that_is_really_full_ends_the_run_in_a_sentence_and_it_goes_on(
    tmp_path: Path, small_disk: Path, settings: Settings, workers: int
) -> None:
    folder = videos(tmp_path / "data", *GOOD)
    run(folder, tmp_path / "whole", settings)
    filler = small_disk / "filler"
    filler.write_bytes(bytes(520_000))
    with pytest.raises(InputError) as stopped:
        run(folder, small_disk / "set", settings, workers)
    assert "No space" in str(stopped.value) and "goes on" in str(stopped.value)
    filler.unlink()
    run(folder, small_disk / "set", settings, workers)
    assert list(files(small_disk / "set")) == list(files(tmp_path / "whole"))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 8])
def test_any_number_of_processes_makes_the_same_set(tmp_path: Path, settings: Settings, workers: int) -> None:
    folder = videos(tmp_path / "data", *GOOD)
    run(folder, tmp_path / "here", settings)
    run(folder, tmp_path / "set", settings, workers)
    assert list(files(tmp_path / "set")) == list(files(tmp_path / "here"))


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_process_that_dies_takes_one_segment_with_it(tmp_path: Path, settings: Settings) -> None:
    folder = videos(tmp_path / "data", *GOOD[:2], "x/dies.mp4", "y/dies parting.mp4", "z/breaks.mp4")
    result = run(folder, tmp_path / "set", settings, 2)
    rows = read_manifest(tmp_path / "set" / "manifest.parquet")
    what = became(rows)
    assert what["x/dies.mp4"] == what["z/breaks.mp4"] == ["accepted", "worker", "accepted"]
    assert what["y/dies parting.mp4"] == ["worker"]
    assert what["anna/1.mp4"] == ["accepted"] * 3
    reasons = {row["source"]: row["reason"] for row in rows if row["stage"] == "worker"}
    assert "signal 9" in reasons["x/dies.mp4"] and "exit status 1" in reasons["z/breaks.mp4"]
    assert result.rejected["worker"] == 3


@pytest.mark.slow
def test_a_full_disk_in_a_process_ends_the_run_in_a_sentence(tmp_path: Path, settings: Settings) -> None:
    folder = videos(tmp_path / "data", "zoe/full.mp4")
    with pytest.raises(InputError, match="free some space"):
        run(folder, tmp_path / "set", settings, 1)


@pytest.mark.slow
def test_networks_that_cannot_be_read_are_a_sentence_from_a_process_and_leave_the_folder_free(
    tmp_path: Path, settings: Settings
) -> None:
    """`settings.faces` is no landmarker; real hands load it."""
    folder, out = videos(tmp_path / "data", "a.mp4"), tmp_path / "set"
    sound = torch.rand(1, 48_000, generator=torch.Generator().manual_seed(1)) - 0.5
    write_video(folder / "a.mp4", [np.zeros((64, 64, 3), np.uint8)] * 75, 25, sound, 16_000)
    with pytest.raises(CheckpointError, match="face_landmarker.task"):
        prepare(folder, out, settings, workers=1)
    assert run(folder, out, replace(settings, smallest_face=120.0)).accepted
