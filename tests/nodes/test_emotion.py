from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

Run = Callable[..., tuple[Any, ...]]


def test_a_sentence_becomes_tokens_beside_those_of_the_empty_one(nodes: Any, run: Run, loaded: Any) -> None:
    (emotion,) = run(
        nodes.EADNetEmotionEncode, text_encoder=loaded.text_encoder, text="furious, lips pressed"
    )
    assert emotion.tokens.shape == emotion.null.shape == (8, 12)
    assert not torch.equal(emotion.tokens, emotion.null)


@pytest.mark.parametrize("text", ["", "  \n "])
def test_no_sentence_is_no_emotion(nodes: Any, run: Run, loaded: Any, text: str) -> None:
    (emotion,) = run(nodes.EADNetEmotionEncode, text_encoder=loaded.text_encoder, text=text)
    assert torch.equal(emotion.tokens, emotion.null)


def test_a_very_long_sentence_is_cut_and_the_cut_is_named(
    nodes: Any, run: Run, loaded: Any, caplog: pytest.LogCaptureFixture
) -> None:
    text = " ".join(f"word{i}" for i in range(2000))
    (emotion,) = run(nodes.EADNetEmotionEncode, text_encoder=loaded.text_encoder, text=text)
    assert emotion.tokens.shape == (8, 12)
    assert "2000 words" in caplog.text and "'word7'" in caplog.text


def test_comfyuis_clip_is_taken_too(nodes: Any, run: Run) -> None:
    import comfy.sd

    class Clip(comfy.sd.CLIP):
        def __init__(self) -> None:
            super().__init__(no_init=True)

        def tokenize(self, text: str, **options: Any) -> str:
            return text

        def encode_from_tokens(self, tokens: Any, **options: Any) -> torch.Tensor:
            return torch.full((1, 77, 768), float(len(tokens)))

    (emotion,) = run(nodes.EADNetEmotionEncode, text_encoder=Clip(), text="sad")
    assert emotion.tokens.shape == (77, 768)
    assert emotion.tokens[0, 0] == 3 and emotion.null[0, 0] == 0


def test_the_socket_takes_both(nodes: Any) -> None:
    assert (
        nodes.EADNetEmotionEncode.INPUT_TYPES()["required"]["text_encoder"][0] == "EADNET_TEXT_ENCODER,CLIP"
    )
