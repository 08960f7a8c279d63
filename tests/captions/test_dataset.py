"""A folder of clips to a file of captions: resumes, shards, passes over what is broken."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from eadnet.captions.base import Captioned
from eadnet.captions.dataset import Shard, caption_folder, clips, load_captions, skip_list
from eadnet.captions.template import TemplateCaptioner, describe
from eadnet.cli import main
from eadnet.errors import InputError
from eadnet.media.video import write_video


class Counting:
    """Remembers what it was shown; fails after `limit` clips, as a killed run does."""

    def __init__(self, limit: int = 1000) -> None:
        self.seen: list[int] = []
        self.limit = limit

    def describe(self, frames: Sequence[np.ndarray], seed: int = 0) -> Captioned:
        if len(self.seen) >= self.limit:
            raise KeyboardInterrupt
        self.seen.append(len(frames))
        return Captioned(describe("sad", 0.5, seed), "counting", "raw reply", "describe-1", ("a note",))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "MEAD"
    names = ("M003/sad/001.mp4", "M003/happy/001.mp4", "W009/sad/001.MP4", "W009/sad/002.mp4")
    for i, name in enumerate(names):
        write_video(root / name, [np.full((32, 32, 3), 20 * i, np.uint8)] * (3 + i), 25)
    (root / "W009/sad/003.mp4").write_bytes(b"not a video")
    (root / "notes.txt").write_text("x")
    return root


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_every_clip_is_described_once_and_the_broken_one_is_listed(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "captions.jsonl"
    assert caption_folder(folder, out, Counting(), frames=2, seed=7) == (4, 1)
    described = [entry["file"] for entry in lines(out)]
    assert described == sorted(set(clips(folder)) - {"W009/sad/003.mp4"})
    entry = lines(out)[0]
    assert (entry["source"], entry["prompt"]) == ("counting", "describe-1")
    assert (entry["seed"], entry["frames"]) == (7, 2)
    assert entry["raw"] == "raw reply" and entry["notes"] == ["a note"]
    (skipped,) = lines(skip_list(out))
    assert skipped["file"] == "W009/sad/003.mp4" and "cannot be read" in skipped["why"]


def test_an_interrupted_run_goes_on_where_it_stopped(folder: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole.jsonl", tmp_path / "captions.jsonl"
    caption_folder(folder, whole, Counting())
    with pytest.raises(KeyboardInterrupt):
        caption_folder(folder, out, Counting(limit=2))
    with out.open("a") as file:
        file.write('{"file": "W009/sad/001.MP4", "te')  # killed while writing
    again = Counting()
    caption_folder(folder, out, again)
    assert len(again.seen) == 2 and out.read_text("utf-8") == whole.read_text("utf-8")


def test_shards_share_the_work(folder: Path, tmp_path: Path) -> None:
    parts = [tmp_path / f"{i}.jsonl" for i in (1, 2, 3)]
    for i, part in enumerate(parts, 1):
        try:
            caption_folder(folder, part, Counting(), shard=Shard.parse(f"{i}/3"))
        except InputError:  # a shard with nothing but the broken clip
            part.touch()
    assert set(load_captions(*parts)) == set(clips(folder)) - {"W009/sad/003.mp4"}


@pytest.mark.parametrize("text", ["", "2", "0/3", "4/3", "a/b", "-1/2", "1/2/3", "1/999999999"])
def test_other_shards_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="write it like 2/8"):
        Shard.parse(text)


def test_training_reads_descriptions_by_clip(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "captions.jsonl"
    caption_folder(folder, out, TemplateCaptioner("angry", 0.8))
    found = load_captions(out)
    assert found["M003/sad/001.mp4"] == describe("angry", 0.8)
    with pytest.raises(InputError, match="two captions"):
        load_captions(out, out)
    with pytest.raises(InputError, match="run `eadnet caption` first"):
        load_captions(tmp_path / "gone.jsonl")
    out.write_text("{}\n")
    with pytest.raises(InputError, match="Line 1 of captions.jsonl"):
        load_captions(out)


def test_nothing_but_broken_clips_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")
    with pytest.raises(InputError, match="None of 1 clips"):
        caption_folder(tmp_path, tmp_path / "out.jsonl", Counting())
    with pytest.raises(InputError, match="There is no folder"):
        caption_folder(tmp_path / "gone", tmp_path / "out.jsonl", Counting())


def test_the_command(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "captions.jsonl")
    assert main(["caption", str(folder), "--out", out, "--backend", "template", "--label", "sad"]) == 0
    assert "4 clips described, 1 in" in capsys.readouterr().out
    for wrong, message in (
        (["--backend", "measured"], "--task"),
        (["--backend", "local"], "--model"),
        (["--backend", "endpoint", "--url", "ftp://x"], "not an http address"),
        (["--backend", "template", "--shard", "9"], "2/8"),
    ):
        assert main(["caption", str(folder), "--out", out, *wrong]) == 2
        assert message in capsys.readouterr().err
