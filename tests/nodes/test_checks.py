"""Values that come through a link, where ComfyUI checks nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

NAN, INFINITE = float("nan"), float("inf")

CAPTION = {
    "backend": "template", "emotion": "angry", "intensity": 0.9, "features": 3, "seed": 1, "phrasing":
    "written anew", "frame_count": 2, "model": "none", "url": "", "url_model": "", "timeout": 10.0,
}  # fmt: skip
PICTURES = torch.rand(2, 32, 32, 3)


@pytest.mark.parametrize(
    ("node", "inputs", "message"),
    [
        (
            "EADNetEmotionCaption",
            {**CAPTION, "backend": "templat"},
            "no backend 'templat': did you mean te",
        ),
        ("EADNetEmotionCaption", {**CAPTION, "emotion": "anger"}, "no emotion 'anger': did you mean angry"),
        ("EADNetEmotionCaption", {**CAPTION, "intensity": NAN}, "intensity is nan: use a number from 0 to 1"),
        ("EADNetEmotionEncode", {"text": "sad", "strength": NAN}, "strength is nan"),
        ("EADNetAudioEncode", {"audio": None, "fps": INFINITE}, "fps is inf: use a number from 1 to 120"),
        (
            "EADNetVideoMetrics",
            {"generated": PICTURES, "reference": PICTURES, "fps": 25.0, "theme": "drak"},
            "no theme 'drak': did you mean dark",
        ),
    ],
)
def test_what_no_widget_would_take_is_refused_by_name(
    nodes: Any,
    run: Callable[..., Any],
    loaded: Any,
    input_error: type[Exception],
    node: str,
    inputs: dict[str, Any],
    message: str,
) -> None:
    networks = {"EADNetEmotionEncode": "text_encoder", "EADNetAudioEncode": "audio_encoder"}
    if node in networks:
        inputs = {networks[node]: getattr(loaded, networks[node]), **inputs}
    with pytest.raises(input_error, match=message):
        run(getattr(nodes, node), **inputs)


def test_numbers_beyond_a_widgets_limits_go_through(nodes: Any, run: Callable[..., Any], loaded: Any) -> None:
    """Workflows that go beyond them by a link have to go on working."""
    sound = {"waveform": torch.rand(1, 1, 16000), "sample_rate": 16000}
    tokens, count = run(
        nodes.EADNetAudioEncode,
        audio_encoder=loaded.audio_encoder,
        audio=sound,
        fps=144.0,
        silence_gate=False,
    )
    assert count == len(tokens.tokens) == 144
