"""Which model moves a rigged portrait, and when a checkpoint means that the face is to be drawn."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from eadnet.cli.generate import _driver, arguments, run
from eadnet.cli.rigged import _draws
from eadnet.driving.motion import MotionModel, is_motion
from eadnet.errors import InputError
from eadnet.rendering import Model
from experiments.paths import ASSETS
from tests.tiny import write_tiny_checkpoint
from tests.tiny_motion import write_tiny_motion


def options(checkpoint: object) -> argparse.Namespace:
    parts = dict.fromkeys(("audio_encoder", "vae", "text_encoder", "adapter"))
    return argparse.Namespace(checkpoint=checkpoint, device="cpu", half=False, compile=False, **parts)


def test_the_checkpoint_that_is_asked_for_moves_a_portrait(tmp_path: Path) -> None:
    bundled = _driver(options("motion"))
    assert isinstance(bundled, MotionModel) and bundled.checkpoint.path.name == "motion.safetensors"
    own = write_tiny_motion(tmp_path / "own.safetensors")
    made = _driver(options(own))
    assert isinstance(made, MotionModel) and made.checkpoint.path == own
    drawn = _driver(options(write_tiny_checkpoint(tmp_path / "tiny.safetensors")))
    assert isinstance(drawn, Model) and drawn.checkpoint.preset == "tiny"


def test_models_that_move_a_rig_draw_no_face() -> None:
    assert not _draws("mini") and not _draws("motion")


def test_a_file_is_looked_into(tmp_path: Path) -> None:
    motion, pixels = (
        write_tiny_motion(tmp_path / "m.safetensors"),
        write_tiny_checkpoint(tmp_path / "p.safetensors"),
    )
    assert not _draws(str(motion)) and _draws(str(pixels))
    assert is_motion(motion) and not is_motion(pixels) and not is_motion(tmp_path / "none.safetensors")


def test_an_adapter_is_refused_where_the_rig_moves_the_portrait(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    arguments(parser)
    words = ["--portrait", str(ASSETS / "portrait.png"), "--audio", str(ASSETS / "speech.wav")]
    words += ["--out", str(tmp_path / "o.mp4"), "--adapter", "none.safetensors"]
    with pytest.raises(InputError, match="--adapter is for a network that generates pixels"):
        run(parser.parse_args(words))
    assert not list(tmp_path.iterdir())
