"""Shots and segments, at 25 frames per second whatever the video's rate is."""

from __future__ import annotations

import os
import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from eadnet.media.reader import Pictures, PicturesInMemory
from eadnet.media.video import write_video
from eadnet.preparation import cutting
from eadnet.preparation.clip import At25, Rejection, Source
from eadnet.preparation.cutting import (
    find_cuts,
    find_shots,
    grouped,
    open_pictures,
    record_sound,
    segments,
    spans_of,
)
from eadnet.preparation.settings import Settings
from eadnet.preparation.work import part_source
from eadnet.preparation.workplace import Workplace

HUNDRED_GIGABYTES = 100 * 10**9


def scene(seed: int, frames: int) -> np.ndarray:
    """A picture that flickers a little; another seed is another pattern in other colours."""
    chance = np.random.default_rng(seed)
    picture = chance.integers(60 * seed, 60 * seed + 50, (12, 16, 1)).repeat(3, 2).repeat(8, 0).repeat(8, 1)
    noise = chance.integers(-6, 6, (frames, *picture.shape))
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("fps", [25, 30, 50, Fraction(24000, 1001), Fraction(30000, 1001)])
def test_pictures_are_those_on_the_screen_every_25th_of_a_second(fps: Fraction) -> None:
    count = round(4 * fps)
    frames = np.arange(count, dtype=np.uint8)[:, None, None, None].repeat(3, 3)
    shown = At25(PicturesInMemory(frames, fps))
    assert abs(shown.count - 100) <= 1
    for number in (0, 1, 50, shown.count - 1):
        assert shown.picture(number)[0, 0, 0] == min(count - 1, int(number * Fraction(fps) / 25))
    part = At25(PicturesInMemory(frames, fps), 40, 10)
    assert part.picture(3)[0, 0, 0] == shown.picture(43)[0, 0, 0]
    with pytest.raises(IndexError):
        part.picture(10)


def test_shots_begin_where_the_picture_is_another() -> None:
    frames = np.concatenate([scene(1, 30), scene(2, 40), scene(3, 20)])
    pictures = At25(PicturesInMemory(frames, 25))
    assert find_shots(pictures, (0, 90)) == [(0, 30), (30, 40), (70, 20)]
    assert find_shots(pictures, (10, 50)) == [(10, 20), (30, 30)]


@pytest.mark.parametrize("block", [7, 30, 35, 70])
def test_shots_go_on_from_block_to_block_and_blocks_are_not_looked_through_twice(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(cutting, "BLOCK", block)
    pictures = At25(PicturesInMemory(np.concatenate([scene(1, 30), scene(2, 40), scene(3, 20)]), 25))
    known: dict[tuple[int, int], list[int]] = {}

    def kept(pictures: Pictures, block: tuple[int, int], begins: bool) -> list[int]:
        if block not in known:
            known[block] = find_cuts(pictures, block, begins)
        return known[block]

    whole = [(0, 30), (30, 40), (70, 20)]
    assert find_shots(pictures, (0, 90), kept) == whole
    nothing = At25(PicturesInMemory(np.zeros((90, 8, 8, 3), np.uint8), 25))
    assert find_shots(nothing, (0, 90), kept) == whole


@pytest.mark.parametrize(
    ("frames", "parts"), [(50, 1), (250, 1), (251, 2), (500, 2), (501, 3), (1500, 6), (9999, 40)]
)
def test_long_shots_are_cut_into_equal_parts(frames: int, parts: int) -> None:
    made = segments((7, frames), 10.0)
    assert len(made) == parts
    assert sum(count for _, count in made) == frames
    assert [first for first, _ in made] == [7 + sum(c for _, c in made[:n]) for n in range(parts)]
    lengths = [count for _, count in made]
    assert max(lengths) - min(lengths) <= 1 and max(lengths) <= 250
    assert parts == 1 or min(lengths) >= 125


def test_annotated_times_are_taken_as_far_as_the_video_goes() -> None:
    source = Source("a", Path("a"), "a", "a", "train", spans=((8.0, 12.0), (1.0, 2.0), (20.0, 30.0)))
    assert spans_of(source, 250) == [(25, 25), (200, 50)]


def test_groups_hold_every_segment_once() -> None:
    for count in (0, 1, 16, 17, 5000):
        groups = grouped(range(count))
        assert [number for group in groups for number in group] == list(range(count))
        assert len(groups) <= 16 or max(map(len, groups)) <= 16


def test_files_that_cannot_be_read_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def why(name: str, data: bytes | None) -> str:
        path = tmp_path / name
        if data is not None:
            path.write_bytes(data)
        opened = open_pictures(Source("a", path, name, "a", "train"))
        assert isinstance(opened, Rejection) and opened.stage == "readable"
        return opened.reason

    assert "gone" in why("none.mp4", None)
    assert "empty" in why("empty.mp4", b"")
    assert "cannot be read as a video" in why("text.mp4", b"hello " * 99)
    monkeypatch.setattr(cutting.os, "access", lambda path, mode: False)
    assert "no permission" in why("locked.mp4", b"x")
    monkeypatch.undo()
    heard = record_sound(Source("a", tmp_path / "text.mp4", "", "a", "train"), tmp_path / "sound.f32")
    assert isinstance(heard, Rejection) and heard.stage == "sound"


@pytest.mark.parametrize("fps", [5, 14, 15, 60])
def test_lips_need_enough_pictures_a_second(tmp_path: Path, fps: int) -> None:
    write_video(tmp_path / "a.mp4", scene(1, 2 * fps), fps)
    opened = open_pictures(Source("a", tmp_path / "a.mp4", "a.mp4", "a", "train"))
    if fps < 15:
        assert isinstance(opened, Rejection) and opened.stage == "readable"
        assert f"{fps} pictures a second" in opened.reason
    else:
        assert not isinstance(opened, Rejection)
        opened.close()


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="what was read is not counted here")
def test_a_hundred_gigabytes_are_passed_over_not_read(tmp_path: Path) -> None:
    """A video followed by a box of 100 GB, a hole on the disk, as a camera leaves room in its files."""
    path = tmp_path / "large.mp4"
    sound = torch.randn(1, 48_000, generator=torch.Generator().manual_seed(0)) / 10
    write_video(path, [*scene(1, 40), *scene(2, 35)], 25, sound, 16_000)
    with path.open("ab") as file:
        file.write(struct.pack(">I4sQ", 1, b"free", 16 + HUNDRED_GIGABYTES))
        end = file.tell()
    try:
        os.truncate(path, end + HUNDRED_GIGABYTES)
    except OSError:
        pytest.skip("this disk has no room for holes")
    assert path.stat().st_size > HUNDRED_GIGABYTES

    def read() -> int:
        return int(Path("/proc/self/io").read_text(encoding="ascii").split()[1])

    before = read()
    place, source = Workplace(tmp_path / "set"), Source("large", path, "large.mp4", "a", "train")
    (task,) = part_source(place, source, Settings(shortest=1.0))
    plan = place.read_plan(source)
    assert task.numbers == (0, 1) and plan is not None and 48_000 <= plan.samples < 49_500
    assert [part for part, _ in plan.segments] == [(0, 40), (40, 35)]
    assert read() - before < 50e6
