"""The parts of a render beside a reference: here a stub of one, of our own making."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks._reference import Reference
from benchmarks.fewer_evaluations import Counted, away, jitter, seam_ratio
from benchmarks.side_by_side import Bench, Part, as_table, chart, clip, forwards
from tools.commands import _parser, bench_arguments

STUB = """
import torch
from types import SimpleNamespace
from decord import VideoReader  # not installed, and not called
from eadnet.modules.unet import EADUNet

class UNet3DConditionModel(EADUNet):
    @classmethod
    def from_config(cls, config):
        return cls(config)

    def forward(self, x, step, encoder_hidden_states):
        sound = encoder_hidden_states.unflatten(0, (len(x), -1))
        return SimpleNamespace(sample=super().forward(x, step, sound))
"""


@pytest.fixture
def reference(tmp_path: Path) -> Iterator[Reference]:
    place = tmp_path / "latentsync" / "models"
    place.mkdir(parents=True)
    (place / "unet.py").write_text(STUB, encoding="utf-8")
    before, finders = list(sys.path), list(sys.meta_path)
    yield Reference(tmp_path)
    sys.path[:], sys.meta_path[:] = before, finders
    for name in [name for name in sys.modules if name.partition(".")[0] in ("latentsync", "decord")]:
        del sys.modules[name]


def bench(reference: Reference | None) -> Bench:
    return Bench(torch.device("cpu"), torch.float32, reference)


def test_a_folder_that_is_no_checkout_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"no checkout of LatentSync: it has no latentsync/models/unet.py"):
        Reference(tmp_path)


@pytest.mark.slow
def test_networks_are_held_to_give_the_same_and_are_timed_by_turns(reference: Reference) -> None:
    (part,) = forwards(bench(reference), [("small", [32, 32, 32, 32], (1, 2, 8), False)])
    part.measure(2, torch.device("cpu"))
    rows = list(part.rows(torch.device("cpu")))
    assert [row["way"] for row in rows] == ["ours", "reference"]
    assert rows[0]["over ours"] == [1.0, 1.0, 1.0] and rows[1]["over ours"][0] > 0
    assert reference.version == "unknown" or reference.version


@pytest.mark.slow
def test_a_clip_is_denoised_by_the_loop_of_the_reference_too(reference: Reference) -> None:
    part = clip(bench(reference), [32, 32, 32, 32], 8, 17)
    made = part.runs["reference, without its cache"]()
    assert made.shape == (17, 4, 8, 8) and torch.isfinite(made).all()
    assert part.left_out or "reference, with its cache" in part.runs


def test_a_part_without_a_reference_has_rows_of_its_own_and_a_picture() -> None:
    part = Part("nothing", "no unit", {"ours": lambda: None, "ours, again": lambda: sum(range(20000))})
    part.measure(2, torch.device("cpu"))
    rows = list(part.rows(torch.device("cpu")))
    assert len(as_table(rows)) == 4 and "| ours, again |" in as_table(rows)[3]
    assert chart(rows).shape[1:] == (900, 3)


def test_the_command_runs_the_parts_or_what_it_is_told(tmp_path: Path) -> None:
    def given(*words: str, passed_on: tuple[str, ...] = ()) -> list[str]:
        options = _parser().parse_args(["bench", *words])
        options.passed_on = list(passed_on)
        return bench_arguments(options)

    assert given() == ["side_by_side"]
    assert given("--gpu", "--reference", str(tmp_path)) == [
        "side_by_side",
        "--reference",
        str(tmp_path.resolve()),
        "--gpu",
    ]
    assert given(passed_on=("--rounds", "5")) == ["side_by_side", "--rounds", "5"]
    assert given(passed_on=("soak", "--prompts", "3")) == ["soak", "--prompts", "3"]


def test_a_seam_is_a_change_at_borders_that_the_usual_way_has_not() -> None:
    random = np.random.default_rng(0)
    usual = random.standard_normal((100, 8)).cumsum(0)
    assert seam_ratio(usual, usual, {16, 32, 48}) == 1
    jumps = usual.copy()
    for border in (16, 32, 48):
        jumps[border:] += 5
    assert seam_ratio(jumps, usual, {16, 32, 48}) > 1.5
    assert jitter(jumps) > jitter(usual) and away(usual, usual) == 0 < away(jumps, usual)


def test_evaluations_are_counted_by_rows_of_frames() -> None:
    class Whole(torch.nn.Module):
        frame_limit = 24

        def forward(self, sample: torch.Tensor) -> torch.Tensor:
            return sample

    counted = Counted(Whole())
    counted(torch.zeros(2, 13, 5, 4, 4))
    assert (counted.whole, counted.shallow, counted.frame_limit) == (10, 0, 24)
