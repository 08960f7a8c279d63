"""A sentence of emotion to tokens."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from . import host
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
            ],
            outputs=[
                Emotion.Output(
                    display_name="emotion", tooltip="The emotion for the whole clip: EAD-Net Sampler."
                )
            ],
        )

    @classmethod
    def execute(cls, text_encoder: Any, text: str) -> io.NodeOutput:
        read = host.clip_reader(text_encoder) if host.is_clip(text_encoder) else text_encoder.use().encode
        tokens, null = (read([part])[0].float().to(host.result_device()) for part in (text.strip(), ""))
        return io.NodeOutput(EmotionTokens(tokens, null))
