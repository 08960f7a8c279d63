"""What goes wrong on a real server: results that vanish, Cancel at any moment, times in names."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eadnet.media.resumable_video import count_groups
from tests.comfy.client import Event, Failed, Studio, write_portrait, write_speech
from tests.in_comfy import ROOT
from tools.workflow import load_workflow, with_inputs, without

pytestmark = [pytest.mark.comfy, pytest.mark.slow]
RENDER = without(load_workflow(ROOT / "workflows" / "api" / "talking_portrait.json"), "SaveVideo")
Make = Callable[..., dict[str, Any]]


@pytest.fixture
def make(studio: Studio) -> Make:
    """The workflow of one node that makes a whole video of 150 frames."""
    portrait = studio.input(write_portrait(studio.folder / "portrait.png", (64, 64)))
    speech = studio.input(write_speech(studio.folder / "speech.wav", 6.0))

    def workflow(prefix: str, seed: int = 1) -> dict[str, Any]:
        widgets = {"steps": 2, "window": 8, "overlap": 2, "seed": seed, "filename_prefix": prefix}
        return with_inputs(
            RENDER,
            {
                "LoadImage": {"image": portrait},
                "LoadAudio": {"audio": speech},
                "EADNetCheckpointLoader": {"checkpoint": "tiny.safetensors"},
                "EADNetRenderVideo": widgets,
            },
        )

    return workflow


def files(studio: Studio) -> set[Path]:
    return {path for path in (studio.base / "output").rglob("*") if path.is_file()}


def test_a_result_that_is_gone_is_made_again_and_one_that_is_there_is_not(studio: Studio, make: Make) -> None:
    workflow = make("gone/a")
    path = studio.run(workflow)
    whole = path.read_bytes()
    path.unlink()
    assert studio.run(workflow) == path and path.read_bytes() == whole
    path.rename(path.with_name("moved.mp4"))
    assert studio.run(workflow).read_bytes() == whole
    before = files(studio)
    studio.run(workflow)
    assert files(studio) == before


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_a_cancelled_video_with_the_time_in_its_name_goes_on_and_another_seed_costs_nothing(
    studio: Studio, make: Make, share: float
) -> None:
    unfinished = studio.base / "output" / "eadnet_unfinished"
    pressed: list[Any] = []

    def press(event: Event) -> None:
        """Cancel, once there is something to go on with: a slow machine encodes behind the sampler."""
        kind, data = event
        if pressed or kind != "progress" or data["value"] < share * data["max"]:
            return
        until = time.monotonic() + 30
        while time.monotonic() < until and unfinished.exists():
            if any(map(count_groups, unfinished.glob("*.partial.mp4"))):
                break
            time.sleep(0.02)
        pressed.append(True)
        studio.client.interrupt()

    whole = studio.run(make("whole/a", seed=8)).read_bytes()
    try:
        studio.client.run(make("late/%hour%-%minute%-%second%", seed=8), press)
    except Failed as failed:
        assert failed.kind == "execution_interrupted"
        assert len(list(unfinished.glob("*.partial.mp4"))) == 1
    studio.run(make("late/%hour%-%minute%-%second%", seed=9))
    assert studio.run(make("late/%hour%-%minute%-%second%", seed=8)).read_bytes() == whole
    assert not unfinished.exists()
