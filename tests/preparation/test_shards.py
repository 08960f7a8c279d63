"""A set as it lies on disk: what is written is read, by one reader or by many."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from eadnet.errors import InputError
from eadnet.media.video import write_video
from eadnet.preparation.shards import Sample, ShardWriter, read_set, read_shards, sample_count

NAMES = ("jaw_open", "smile_l")


def film(path: Path, frames: int = 40, side: int = 64) -> bytes:
    """A grey film whose frame t is of the level 5 t."""
    pictures = (np.full((side, side, 3), 5 * number, np.uint8) for number in range(frames))
    write_video(path, pictures, 25, quality=4, key_every=12, threads=1)
    return path.read_bytes()


def sample(video: bytes, number: int, split: str = "train", frames: int = 40) -> Sample:
    chance = np.random.default_rng(number)
    return Sample(
        id=f"clip-{number:03}",
        record={"id": f"clip-{number:03}", "split": split, "frames": frames, "source": "München ö.mp4"},
        video=video,
        sound=chance.uniform(-1, 1, 640 * frames).astype(np.float32),
        tensors={
            "parameters": torch.from_numpy(chance.normal(size=(frames, 2)).astype(np.float32)),
            "landmarks": torch.zeros(frames, 478, 3, dtype=torch.float16),
        },
        names=NAMES,
    )


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return film(tmp_path_factory.mktemp("film") / "film.mp4")


def written(directory: Path, video: bytes, count: int = 10, per_shard: int = 3) -> Path:
    with ShardWriter(directory, per_shard, settings={"resolution": 64}) as writer:
        for number in range(count):
            writer.add(sample(video, number, "train" if number < count - 2 else "test"))
    return directory


def test_what_is_written_is_read(tmp_path: Path, video: bytes) -> None:
    written(tmp_path, video)
    read = list(read_shards(tmp_path, split="train"))
    assert [s.id for s in read] == [f"clip-{n:03}" for n in range(8)]
    first, expected = read[0], sample(video, 0)
    assert first.record == expected.record
    assert first.names == NAMES
    assert torch.equal(first.tensors["parameters"], expected.tensors["parameters"])
    assert first.tensors["landmarks"].dtype == torch.float16
    assert np.abs(first.sound - expected.sound).max() < 1 / 32767
    assert [s.id for s in read_shards(tmp_path, split="test")] == ["clip-008", "clip-009"]
    assert sample_count(tmp_path, "train") == 8


def test_frames_are_decoded_from_any_place(tmp_path: Path, video: bytes) -> None:
    written(tmp_path, video, 3)
    read = next(read_shards(tmp_path, split="test"))
    for start, count in ((0, 3), (11, 4), (24, 16), (39, 1)):
        frames = read.frames(start, count)
        assert frames.shape == (count, 64, 64, 3)
        assert np.abs(frames.mean((1, 2, 3)) - 5 * np.arange(start, start + count)).max() < 2
    assert len(read.frames()) == 40
    with pytest.raises(InputError, match="40 frames"):
        read.frames(30, 11)


def test_a_shard_is_a_tar_in_webdatasets_form(tmp_path: Path, video: bytes) -> None:
    written(tmp_path, video)
    with tarfile.open(tmp_path / "shards" / "000000.tar") as tar:
        names = tar.getnames()
    assert names[:4] == [f"clip-000.{suffix}" for suffix in ("json", "safetensors", "wav", "mp4")]
    assert len(names) == 12


def test_the_same_samples_give_the_same_bytes(tmp_path: Path, video: bytes) -> None:
    one, two = written(tmp_path / "a", video), written(tmp_path / "b", video)
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert len(files) == 5
    assert all((one / name).read_bytes() == (two / name).read_bytes() for name in files)


@pytest.mark.parametrize(("processes", "workers"), [(1, 1), (1, 2), (2, 1), (2, 4), (3, 5)])
def test_every_sample_goes_to_exactly_one_reader(
    tmp_path: Path, video: bytes, processes: int, workers: int
) -> None:
    written(tmp_path, video, 12)
    parts = [
        [
            s.id
            for s in read_shards(
                tmp_path,
                split="train",
                process=p,
                processes=processes,
                worker=w,
                workers=workers,
                shuffle_seed=3,
            )
        ]
        for p in range(processes)
        for w in range(workers)
    ]
    assert sorted(sum(parts, [])) == [f"clip-{n:03}" for n in range(10)]


def test_a_seed_gives_one_order(tmp_path: Path, video: bytes) -> None:
    written(tmp_path, video, 12)
    one, same, other = (
        [s.id for s in read_shards(tmp_path, split="train", shuffle_seed=seed)] for seed in (1, 1, 2)
    )
    assert one == same != other
    assert sorted(one) == sorted(other)


def test_a_damaged_set_is_refused_in_a_sentence(tmp_path: Path, video: bytes) -> None:
    with pytest.raises(InputError, match="no finished set"):
        read_set(tmp_path)
    (tmp_path / "film.mp4").touch()
    with pytest.raises(InputError, match="film.mp4 is a file, not a folder of a prepared set"):
        read_set(tmp_path / "film.mp4")
    written(tmp_path, video)
    with pytest.raises(InputError, match="no samples of the split 'val'"):
        next(read_shards(tmp_path, split="val"))
    shard = tmp_path / "shards" / "000000.tar"
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])
    with pytest.raises(InputError, match="000000.tar"):
        list(read_shards(tmp_path, split="train"))
    told = json.loads((tmp_path / "set.json").read_text("utf-8"))
    (tmp_path / "set.json").write_text(json.dumps(told | {"version": 99}), "utf-8")
    with pytest.raises(InputError, match="version 99"):
        read_set(tmp_path)
