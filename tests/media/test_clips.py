"""Clips that are read when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from eadnet.media.clips import LazyFrames, changed, picked, pieces, video_frames
from eadnet.media.reader import VideoReader
from eadnet.media.video import read_video, write_video
from eadnet.metrics.clip_scores import clip_scores
from eadnet.metrics.sync import measure_sync
from eadnet.metrics.temporal import flicker, warped_difference
from eadnet.modules.mini_syncnet import MiniSyncNet


class Source:
    """A clip of random frames that notes what is read."""

    def __init__(self, count: int, size: int = 16) -> None:
        random = torch.Generator().manual_seed(0)
        self.frames = torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=random)
        self.read: list[int] = []
        self.most = 0
        self.lazy = LazyFrames(self.frames.shape, self._read)

    def _read(self, numbers: Sequence[int]) -> torch.Tensor:
        self.read += numbers
        self.most = max(self.most, len(numbers))
        return self.frames[list(numbers)]


@pytest.mark.parametrize("part", [slice(0, 4), slice(3, 9), slice(8, 99), slice(5, 5), slice(-2, None)])
def test_a_slice_is_the_tensors(part: slice) -> None:
    source = Source(10)
    _ = source.lazy[2:6]
    assert torch.equal(source.lazy[part], source.frames[part])
    assert torch.equal(source.lazy[part], source.frames[part])


def test_overlapping_windows_read_every_frame_once() -> None:
    source = Source(70)
    joined = [piece for piece in pieces(source.lazy, 16, overlap=4)]
    assert source.read == list(range(70)) and source.most <= 20
    assert torch.equal(torch.cat([joined[0][:4], *(p[4:] for p in joined)]), source.frames)
    assert [len(p) for p in pieces(source.lazy[:1], 16, overlap=4)] == [1]


def test_pieces_of_large_frames_are_short() -> None:
    assert len(next(pieces(torch.zeros(9, 3, 1080, 1920, dtype=torch.uint8)))) == 2
    assert len(next(pieces(torch.zeros(40, 3, 4, 4)))) == 32


def test_frames_can_be_picked_and_changed() -> None:
    source = Source(10)
    assert torch.equal(picked(source.lazy, [4, 4, 1])[0:3], source.frames[[4, 4, 1]])
    half = changed(source.lazy, lambda frames: frames[..., :8])
    assert half.shape == (10, 3, 16, 8) and torch.equal(half[2:5], source.frames[2:5, ..., :8])


def test_a_video_read_piece_by_piece_is_the_video(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    write_video(tmp_path / "a.mp4", list(random.integers(0, 256, (20, 32, 48, 3)).astype(np.uint8)), 25)
    with VideoReader(tmp_path / "a.mp4") as pictures:
        frames = video_frames(pictures)
        assert frames.shape == (20, 3, 32, 48)
        whole = torch.cat(list(pieces(frames, 7)))
    assert torch.equal(whole, torch.from_numpy(read_video(tmp_path / "a.mp4").frames).movedim(-1, 1))


@pytest.mark.slow
def test_metrics_of_pieces_are_those_of_the_whole_and_hold_pieces_only() -> None:
    one, other = Source(80), Source(80)
    other.frames[40:] = 255 - other.frames[40:]
    lazy, whole = clip_scores(one.lazy, other.lazy), clip_scores(one.frames, other.frames)
    torch.testing.assert_close(lazy.psnr, whole.psnr)
    assert (lazy.flicker, lazy.warped) == (whole.flicker, whole.warped)
    assert len(lazy.psnr) == 80 and lazy.psnr[:40].min() == 100 and lazy.psnr[40:].max() < 20
    assert flicker(one.lazy) == flicker(one.frames)
    assert warped_difference(one.lazy) == warped_difference(one.frames)
    assert max(one.most, other.most) <= 33


@pytest.mark.slow
def test_a_syncnet_reads_pieces_only() -> None:
    torch.manual_seed(0)
    source, network = Source(300, 8), MiniSyncNet(widths=(8, 8, 8, 8), hidden=16, dim=8)
    sound = 0.1 * torch.randn(300 * 640)
    lazy, whole = (measure_sync(network, frames, sound, 25).score for frames in (source.lazy, source.frames))
    torch.testing.assert_close(lazy.mean_distances, whole.mean_distances)
    assert source.most <= 260 and sorted(set(source.read)) == list(range(300))


class Largest(TorchDispatchMode):
    """Notes the bytes of the largest tensor that is made, views left out."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        given = {t.untyped_storage().data_ptr() for t in tree_leaves(args) if isinstance(t, torch.Tensor)}
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage().data_ptr() not in given:
                self.bytes = max(self.bytes, tensor.untyped_storage().nbytes())
        return made


@pytest.mark.slow
def test_nothing_scoring_makes_but_embeddings_and_distances_grows_with_the_clip() -> None:
    network = MiniSyncNet(widths=(8, 8, 8, 8), hidden=16, dim=8)

    shown = Source(10, 128).frames

    def largest(count: int) -> int:
        frames = LazyFrames((count, 3, 128, 128), lambda numbers: shown[[n % 10 for n in numbers]])
        sound = 0.1 * torch.randn(count * 640)
        with Largest() as seen:
            measure_sync(network, frames, sound, 25)
        return seen.bytes

    # 3.3 MB are the pictures of one piece; a copy of 60 s of samples alone would be 3.8 MB.
    assert largest(1500) <= largest(300) < 2**22
