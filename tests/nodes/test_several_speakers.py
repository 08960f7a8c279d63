"""Two people in one picture, each with a recording of their own: nodes in a chain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.nodes.test_render import SETTINGS

Run = Callable[..., tuple[Any, ...]]
LEFT, RIGHT = "8, 8, 56, 56", "104, 8, 152, 56"


@pytest.fixture
def frames() -> torch.Tensor:
    return torch.rand(6, 64, 160, 3, generator=torch.Generator().manual_seed(3)).mul(255).round() / 255


@pytest.fixture
def speaks(nodes: Any, run: Run, loaded: Any) -> Callable[..., torch.Tensor]:
    """Makes one face in frames speak, with the single nodes; gives the whole frames."""

    def call(frames: torch.Tensor, face: str, audio: Any) -> torch.Tensor:
        values = {
            name: spec[1].get("default")
            for name, spec in nodes.EADNetFaceTrack.INPUT_TYPES()["required"].items()
        }
        values |= {"images": frames, "detector": "manual", "manual": face, "model": loaded.model}
        track, crops, *_ = run(nodes.EADNetFaceTrack, **values)
        tokens, count = run(
            nodes.EADNetAudioEncode, audio_encoder=loaded.audio_encoder, audio=audio, fps=25.0
        )
        latents, *_ = run(
            nodes.EADNetPrepare,
            model=loaded.model,
            vae=loaded.vae,
            images=crops,
            frame_count=count,
            mask_region="auto",
        )
        names = ("seed", "steps", "audio_guidance", "emotion_guidance", "scheduler", "window", "overlap")
        how = {name: SETTINGS[name] for name in names} | {"audio_guidance": 4.0}
        (made,) = run(nodes.EADNetSampler, model=loaded.model, audio=tokens, latents=latents, **how)
        (done,) = run(
            nodes.EADNetFaceComposite,
            images=frames,
            faces=loaded.vae.decode(made["samples"]),
            track=track,
            mask_region="auto",
            feather=0.05,
            colour_match=0.0,
        )
        return done

    return call


def test_each_face_follows_its_own_sound_and_nobody_elses(
    frames: torch.Tensor, speaks: Any, speech: Any
) -> None:
    one, two = speech(6 / 25), speech(6 / 25, rate=44100)
    left, right = speaks(frames, LEFT, one), speaks(frames, RIGHT, two)
    both = speaks(left, RIGHT, two)
    mine, theirs = (left != frames).any(-1), (right != frames).any(-1)
    assert mine.any() and theirs.any() and not (mine & theirs).any()
    assert torch.equal(both[mine], left[mine]), "the first face stays as its own sound made it"
    assert torch.equal(both[theirs], right[theirs]), "the second is as if it were alone"
    assert torch.equal(both[~mine & ~theirs], frames[~mine & ~theirs]), "and nothing else changes"
    swapped = speaks(speaks(frames, LEFT, two), RIGHT, one)
    assert not torch.equal(swapped[mine], both[mine]) and not torch.equal(swapped[theirs], both[theirs])
    assert torch.equal(both, speaks(speaks(frames, RIGHT, two), LEFT, one)), "in either order"


@pytest.mark.slow
def test_a_rendered_video_can_be_the_source_of_the_next_speaker(
    nodes: Any, run: Run, loaded: Any, frames: torch.Tensor, speech: Any
) -> None:
    parts = {"model": loaded.model, "vae": loaded.vae, "audio_encoder": loaded.audio_encoder}
    video: Any = frames
    for face in (LEFT, RIGHT):
        values = {
            name: spec[1].get("default")
            for name, spec in nodes.EADNetFaceTrack.INPUT_TYPES()["required"].items()
        }
        values |= {"images": video, "detector": "manual", "manual": face, "model": loaded.model}
        track, *_ = run(nodes.EADNetFaceTrack, **values)
        inputs = {**SETTINGS, "filename_prefix": "video/speakers"}
        (video,) = run(
            nodes.EADNetRenderVideo, **inputs, **parts, source=video, audio=speech(6 / 25), track=track
        )
    made = video.get_components()
    assert made.images.shape[0] == 6 and made.images.shape[1:3] == frames.shape[1:3]
