"""A sentence of emotion to tokens."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io

from ..eadnet.captions.timeline import same_length
from . import host
from .checks import check_widgets
from .types import Emotion, EmotionTokens, TextEncoder, schema


class EADNetEmotionEncode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetEmotionEncode",
            display_name="EAD-Net Encode Emotion",
            description="Turns a sentence about the face into what the denoiser reads: 'furious, brows "
            "pulled down, lips pressed'.",
            search_aliases=["emotion prompt", "expression", "feeling"],
            inputs=[
                io.MultiType.Input(
                    "text_encoder",
                    types=[TextEncoder, io.Clip],
                    tooltip="From the loader that the model comes from. Large models read with Stable "
                    "Diffusion 1.5's CLIP: connect ComfyUI's Load CLIP.",
                ),
                io.String.Input(
                    "text",
                    multiline=True,
                    default="happy, a broad smile, cheeks raised",
                    placeholder="happy, a broad smile, cheeks raised",
                    tooltip="The emotion and, if you like, what the face does. Empty means no emotion in "
                    "particular. What the text encoder cannot read because it is too long is named in the "
                    "log.",
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    optional=True,
                    tooltip="1 is the sentence as it stands, 0 no emotion in particular; between them the "
                    "two are mixed.",
                ),
            ],
            outputs=[
                Emotion.Output(
                    display_name="emotion", tooltip="The emotion for the whole clip: EAD-Net Sampler."
                ),
                io.Conditioning.Output(
                    display_name="conditioning",
                    tooltip="The same tokens for ComfyUI's own conditioning nodes, for instance "
                    "Conditioning (Average); EAD-Net Sampler takes what they give.",
                ),
            ],
        )

    @classmethod
    def execute(cls, text_encoder: Any, text: str, strength: float = 1.0) -> io.NodeOutput:
        check_widgets(cls, strength=strength)
        null, tokens = same_length(host.encode_texts(text_encoder, ["", text]))
        emotion = EmotionTokens(tokens if strength == 1 else torch.lerp(null, tokens, strength), null)
        return io.NodeOutput(emotion, emotion.conditioning())
