"""When memory runs out: fewer frames at a time, with the same result, and only then an error."""

from __future__ import annotations

import pytest
import torch

from eadnet.memory import FewerAtATime, is_out_of_memory, with_less


class Small:
    """Doubles up to ``room`` frames at once; with more it runs out of memory."""

    def __init__(self, room: int) -> None:
        self.room, self.sizes = room, list[int]()

    def __call__(self, frames: torch.Tensor) -> torch.Tensor:
        self.sizes.append(len(frames))
        if len(frames) > self.room:
            raise RuntimeError("MPS backend out of memory")
        return 2 * frames


def test_with_room_all_frames_go_together() -> None:
    network, frames = Small(8), torch.arange(8.0)
    assert torch.equal(FewerAtATime(network, 8, "decoding")(frames), 2 * frames)
    assert network.sizes == [8]


def test_without_room_it_goes_on_with_half_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    network, frames = Small(3), torch.arange(8.0)
    run = FewerAtATime(network, 8, "decoding")
    assert torch.equal(run(frames), 2 * frames)
    assert run.most == 2 and network.sizes == [8, 4, 2, 2, 2, 2]
    assert "goes on with 2 frames at a time, decoding" in caplog.text
    network.sizes.clear()
    run(frames)
    assert network.sizes == [2, 2, 2, 2], "it does not try again what failed"


def test_a_short_rest_is_halved_from_its_own_length() -> None:
    run = FewerAtATime(Small(1), 8, "encoding")
    assert torch.equal(run(torch.arange(3.0)), torch.tensor([0.0, 2.0, 4.0])) and run.most == 1


def test_one_frame_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="out of memory"):
        FewerAtATime(Small(0), 8, "encoding")(torch.zeros(4))


def test_other_errors_are_no_lack_of_memory() -> None:
    attempts = []

    def fail(frames: torch.Tensor) -> torch.Tensor:
        attempts.append(len(frames))
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        FewerAtATime(fail, 8, "encoding")(torch.zeros(8))
    assert attempts == [8]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA"), True),
        (MemoryError(), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 17.5 GB, max allowed: 18.1 GB)"), True),
        (RuntimeError("Invalid buffer size: 24.00 GB"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried ..."), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."), True),
        (RuntimeError("shapes differ"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_lack_of_memory_looks_like(error: BaseException, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


class Attempts:
    """Works with up to ``room``; with more, memory runs out."""

    def __init__(self, room: int, error: Exception | None = None) -> None:
        self.room, self.sizes = room, list[int]()
        self.error = error or torch.OutOfMemoryError("CUDA out of memory")

    def __call__(self, size: int) -> str:
        self.sizes.append(size)
        if size > self.room:
            raise self.error
        return f"done with {size}"


@pytest.mark.parametrize(("room", "sizes"), [(16, [16]), (15, [16, 8]), (4, [16, 8, 4]), (3, [16, 8, 4, 3])])
def test_the_size_is_halved_until_there_is_room(
    room: int, sizes: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    run = Attempts(room)
    assert with_less(run, 16, 3, "frames in a window") == f"done with {sizes[-1]}"
    assert run.sizes == sizes
    assert [record.message for record in caplog.records] == [
        f"EAD-Net ran out of memory and goes on with {size} frames in a window." for size in sizes[1:]
    ]


def test_at_the_smallest_size_lack_of_memory_is_an_error() -> None:
    run = Attempts(1, MemoryError())
    with pytest.raises(MemoryError):
        with_less(run, 16, 4, "frames")
    assert run.sizes == [16, 8, 4]


def test_what_is_no_lack_of_memory_is_not_tried_again() -> None:
    run = Attempts(1, RuntimeError("something else"))
    with pytest.raises(RuntimeError, match="something else"):
        with_less(run, 16, 4, "frames")
    assert run.sizes == [16]


def test_what_cannot_be_taken_back_is_not_tried_again() -> None:
    run = Attempts(1)
    with pytest.raises(torch.OutOfMemoryError):
        with_less(run, 16, 4, "frames", may_repeat=lambda: False)
    assert run.sizes == [16]
