"""`eadnet train`: its options, and one sentence for what the user can put right."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from eadnet.checkpoints import named_checkpoint
from eadnet.cli import main
from eadnet.errors import InputError
from eadnet.training.on_set import OnSet
from eadnet.training.recipes import adapter, set_command
from tests.in_comfy import ROOT
from tests.training.prepared_world import noise_crops, write_networks, write_prepared


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    set_command.arguments(parser)
    return parser.parse_args(words)


NEEDED = ("adapter", "--set", "s", "--out", "o", "--base", "b", "--text", "t")


def test_options_left_out_are_the_recipes_own() -> None:
    assert set_command._how(parsed(*NEEDED)) == OnSet()
    assert set_command._how(parsed(*NEEDED, "--rate", "1e-5", "--checkpointing")).rate == 1e-5


@pytest.mark.parametrize(
    ("word", "number", "problem"),
    [
        ("--batch", "0", "batch is 0"),
        *(("--rate", number, "rate is .*: give a number above 0") for number in ("0", "-1", "inf", "nan")),
        *(("--average", number, "average is .*: give 0 or more, and less") for number in ("-1", "1", "nan")),
        ("--workers", "-1", "workers is -1: give 0 or more"),
        ("--validate-every", "-5", "validate_every is -5: give 0 or more"),
    ],
)
def test_numbers_that_cannot_be_are_refused(word: str, number: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        set_command._how(parsed(*NEEDED, word, number))


@pytest.mark.parametrize(
    ("word", "number", "problem"),
    [
        *(("--rate", number, "rate is .*: give a number above 0") for number in ("0", "-1", "inf", "nan")),
        *(("--frames", number, f"frames is {number}: .* give 48 or more") for number in ("1", "20", "47")),
        ("--steps", "0", "steps is 0"),
    ],
)
def test_numbers_that_motion_cannot_take_are_refused_before_the_set_is_read(
    tmp_path: Path, word: str, number: str, problem: str
) -> None:
    with pytest.raises(InputError, match=problem):
        set_command.run(parsed("motion", "--set", "none", "--out", str(tmp_path / "out"), word, number))


def test_results_need_a_folder(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(InputError, match="taken is a file, and results need a folder"):
        set_command.run(parsed("motion", "--set", "none", "--out", str(tmp_path / "taken" / "out")))


@pytest.mark.slow
def test_the_options_are_known_without_torch() -> None:
    code = "import sys; import eadnet.training.recipes.set_command; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        ({"version": 99}, "of version 99 and this program reads"),
        ({"resolution": 512}, "has crops of 512 pixels and the U-Net takes 32"),
        (None, "is no finished set"),
    ],
)
def test_a_set_that_does_not_fit_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], made: dict[str, Any] | None, problem: str
) -> None:
    files = write_networks(tmp_path / "networks")
    directory = tmp_path / "none" if made is None else write_prepared(tmp_path, noise_crops(4), **made)
    words = ["--set", str(directory), "--out", str(tmp_path / "out"), "--cpu"]
    words += ["--base", str(files.base), "--text", str(files.text), "--vae", str(files.vae)]
    assert main(["train", "adapter", *words]) == 2
    said = capsys.readouterr().err
    assert problem in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (FloatingPointError("The loss became nan at step 3 of out; out/state.pt is intact."), "lower --rate"),
        (OSError(28, "No space left on device"), "make room and start again"),
    ],
)
def test_what_stops_a_run_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, error: Exception, problem: str
) -> None:
    def stop(*_: object) -> Path:
        raise error

    monkeypatch.setattr(adapter, "train_adapter", stop)
    with pytest.raises(InputError, match=problem):
        set_command.run(parsed(*NEEDED))


@pytest.mark.parametrize(
    ("recipe", "base", "problem"),
    [
        ("adapter", "motion", "predicts no noise|has EAD-Net's parts already|has crops"),
        ("ead-512", "base", "is a U-Net of 32 pixels and ead-512 has 512"),
        ("adapter", "whisper", "has no U-Net"),
        ("ead-256", "whisper", "has no U-Net"),
    ],
)
def test_a_checkpoint_of_another_kind_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], recipe: str, base: str, problem: str
) -> None:
    files = write_networks(tmp_path / "networks")
    known = {"motion": named_checkpoint("motion"), "base": files.base, "whisper": files.whisper}
    directory = write_prepared(tmp_path, noise_crops(4))
    words = ["--set", str(directory), "--out", str(tmp_path / "out"), "--cpu", "--base", str(known[base])]
    words += ["--text", str(files.text), "--vae", str(files.vae), "--whisper", str(files.whisper)]
    assert main(["train", recipe, *words]) == 2
    said = capsys.readouterr().err
    assert re.search(problem, said) and said.count("\n") == 1
    assert not (tmp_path / "out").exists()
