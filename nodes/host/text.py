"""Text encoders: ours and ComfyUI's CLIP with one interface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import comfy.sd
import torch
from torch import Tensor

from ...eadnet.finite import TEXT_ADVICE, check_result
from .memory import result_device


def is_clip(value: Any) -> bool:
    """Whether a text encoder is one of ComfyUI's."""
    return isinstance(value, comfy.sd.CLIP)


def clip_reader(clip: comfy.sd.CLIP) -> Callable[[Sequence[str]], Tensor]:
    """ComfyUI's CLIP with the interface of our text encoders: texts to tokens [B, L, D] of the last layer."""
    return lambda texts: torch.cat([clip.encode_from_tokens(clip.tokenize(text)) for text in texts])


@torch.no_grad()
def encode_texts(text_encoder: Any, texts: Sequence[str]) -> list[Tensor]:
    """Tokens [L, D] of each text, from one of our text encoders or ComfyUI's CLIP, ready to travel."""
    read = clip_reader(text_encoder) if is_clip(text_encoder) else text_encoder.use().encode
    known = {
        text: check_result(read([text])[0].float().to(result_device()), "text encoder", TEXT_ADVICE)
        for text in {text.strip() for text in texts}
    }
    return [known[text.strip()] for text in texts]
