"""A fingerprint changes with whatever decides a result, and with nothing else."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from eadnet.fingerprints import fingerprint


@dataclass(frozen=True)
class Place:
    box: np.ndarray
    name: str = "a"


class Finder:
    def __init__(self, place: Place) -> None:
        self.place, self.session = place, object()


def box(*numbers: float) -> np.ndarray:
    return np.array(numbers, np.float32)


LINEAR = torch.nn.Linear(40, 40)
FINER = torch.nn.Linear(40, 40)
FINER.load_state_dict(LINEAR.state_dict())
FINER.weight.data += 1e-3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("happy", "sad"),
        (1, "1"),
        (Fraction(25), Fraction(30)),
        (None, 0),
        (["ab", "c"], ["a", "bc"]),
        ([["a"], "b"], [["a", "b"]]),
        ({"a": 1}, {"a": 2}),
        (torch.zeros(3), torch.ones(3)),
        (torch.zeros(3), torch.zeros(1, 3)),
        (np.arange(2000), np.arange(2000)[::-1]),
        (Place(box(1, 2)), Place(box(1, 3))),
        (Finder(Place(box(1, 2))), Finder(Place(box(1, 3)))),
        (LINEAR, FINER),
    ],
)
def test_other_things_have_other_fingerprints(one: Any, other: Any) -> None:
    assert fingerprint(one) != fingerprint(other)


@pytest.mark.parametrize(
    "make",
    [
        lambda: {"b": 1, "a": [None, 2.5]},
        lambda: Finder(Place(box(1, 2))),
        lambda: [torch.arange(5.0), LINEAR],
    ],
)
def test_the_same_thing_made_again_has_the_same(make: Any) -> None:
    assert fingerprint(make()) == fingerprint(make())


def test_a_path_stands_for_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("one")
    os.utime(file, (1, 1))
    before, folder = fingerprint(file), fingerprint(tmp_path)
    file.write_text("two")
    os.utime(file, (2, 2))
    assert fingerprint(file) != before and fingerprint(tmp_path) != folder


@pytest.mark.parametrize("size", [10, (16 << 20) + 7])
def test_neither_name_nor_place_of_a_file_count_but_all_that_is_in_it(tmp_path: Path, size: int) -> None:
    (tmp_path / "a").write_bytes(bytes(size))
    (tmp_path / "deep").mkdir()
    before = fingerprint(tmp_path / "a")
    moved = (tmp_path / "a").rename(tmp_path / "deep" / "b")
    assert fingerprint(moved) == before
    at = moved.stat()
    moved.write_bytes(bytes(size - 1) + b"x")
    os.utime(moved, ns=(at.st_atime_ns, at.st_mtime_ns))
    assert fingerprint(moved) != before


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.uint8]
)
def test_any_number_of_any_weight_counts_and_so_does_its_place(dtype: torch.dtype) -> None:
    network = torch.nn.Module()
    network.register_buffer("weight", (torch.arange(3 * 9001) % 251).to(dtype).reshape(9001, 3))
    before = fingerprint(network)
    flat = network.get_buffer("weight").view(-1)
    for place in (0, 8191, 12345, 27002):
        held = flat[place].clone()
        flat[place] = 77
        assert fingerprint(network) != before
        flat[place] = held
    flat[[5, 6]] = flat[[6, 5]]
    assert fingerprint(network) != before
