from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

Run = Callable[..., tuple[Any, ...]]

SETTINGS = {"fps": 25.0, "cross_fade": 0.2, "ease": "smooth", "from_loudness": 0.0}


@pytest.fixture
def timeline(nodes: Any, run: Run, loaded: Any) -> Callable[..., tuple[Any, ...]]:
    def make(text: str, frames: int = 50, **changes: Any) -> tuple[Any, ...]:
        inputs = {"text_encoder": loaded.text_encoder, "timeline": text, "frame_count": frames}
        return run(nodes.EADNetEmotionTimeline, **inputs, **{**SETTINGS, **changes})

    return make


def test_every_frame_gets_tokens_and_the_curve_is_drawn(
    timeline: Any, nodes: Any, run: Run, loaded: Any
) -> None:
    emotion, picture = timeline("0 calm\n1 furious, brows lowered")
    assert emotion.tokens.shape == (50, 8, 12) and emotion.null.shape == (8, 12)
    furious, _ = run(
        nodes.EADNetEmotionEncode, text_encoder=loaded.text_encoder, text="furious, brows lowered"
    )
    assert torch.allclose(emotion.tokens[-1], furious.tokens, atol=1e-6)
    assert picture.shape[0] == 1 and picture.shape[3] == 3 and picture.std() > 0.05


@pytest.mark.slow
@pytest.mark.parametrize("frames", [1, 13, 17, 40])
def test_the_sampler_takes_it_at_any_length_and_in_windows(
    timeline: Any, nodes: Any, types: Any, run: Run, loaded: Any, speech: Any, frames: int
) -> None:
    audio, count = run(
        nodes.EADNetAudioEncode, audio_encoder=loaded.audio_encoder, audio=speech(frames / 25), fps=25.0
    )
    latents, *_ = run(
        nodes.EADNetPrepare,
        model=loaded.model,
        vae=loaded.vae,
        images=torch.rand(1, 32, 32, 3, generator=torch.Generator().manual_seed(4)),
        frame_count=count,
        mask_region="auto",
    )
    settings = {"seed": 3, "steps": 1, "audio_guidance": 1.5, "emotion_guidance": 2.0, "scheduler": "ddim"}

    def sampled(emotion: Any) -> torch.Tensor:
        job = {"model": loaded.model, "audio": audio, "latents": latents, "window": 8, "overlap": 2}
        return run(nodes.EADNetSampler, **job, **settings, emotion=emotion)[0]["samples"]

    changing, _ = timeline("0 calm" if frames < 13 else "0 calm\n0.4 furious", count)
    steady, _ = timeline("0 calm", count)
    assert sampled(changing).shape[0] == count
    assert torch.equal(sampled(changing), sampled(steady)) == (frames < 13)
    whole = types.EmotionTokens(changing.tokens, changing.null)  # as other packs may hand it on
    assert torch.equal(sampled(changing), sampled(whole))


def test_a_steady_timeline_is_the_sentence_itself(timeline: Any, nodes: Any, run: Run, loaded: Any) -> None:
    emotion, _ = timeline("0 sad", 3)
    sad, _ = run(nodes.EADNetEmotionEncode, text_encoder=loaded.text_encoder, text="sad")
    assert torch.allclose(emotion.tokens, sad.tokens.expand(3, -1, -1), atol=1e-6)


def test_loudness_scales_the_strength(timeline: Any, speech: Any) -> None:
    silence = {"waveform": torch.zeros(1, 1, 16000), "sample_rate": 16000}
    quiet, _ = timeline("0 sad", 25, from_loudness=1.0, audio=silence)
    assert torch.allclose(quiet.tokens, quiet.null.expand(25, -1, -1))
    loud, _ = timeline("0 sad", 25, from_loudness=1.0, audio=speech(1.0))
    assert not torch.allclose(loud.tokens, quiet.tokens)


def test_loudness_needs_the_recording(timeline: Any, input_error: type[Exception]) -> None:
    with pytest.raises(input_error, match="connect audio"):
        timeline("0 sad", from_loudness=0.5)


@pytest.mark.parametrize("text", ["0 a\n9 b", "1 a\n0.5 b", "0 a\n-1 b", "0 a\n1 b, 2"])
def test_errors_name_the_line(timeline: Any, input_error: type[Exception], text: str) -> None:
    with pytest.raises(input_error, match="Line 2"):
        timeline(text)
