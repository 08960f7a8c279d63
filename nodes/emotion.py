"""An emotion text to tokens."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io

from ..eadnet.captions.timeline import same_length
from . import host
from .checks import checked, widgets_problem
from .node import Node
from .types import Emotion, EmotionTokens, TextEncoder, schema


class EADNetEmotionEncode(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetEmotionEncode",
            display_name="EAD-Net Encode Emotion",
            description="Encodes a text that describes the facial expression, for example 'furious, brows "
            "pulled down, lips pressed'.",
            search_aliases=["emotion prompt", "expression", "feeling"],
            inputs=[
                io.MultiType.Input(
                    "text_encoder",
                    types=[TextEncoder, io.Clip],
                    tooltip="From EAD-Net Load Checkpoint. Models with Stable Diffusion 1.5's text encoder "
                    "take ComfyUI's Load CLIP.",
                ),
                io.String.Input(
                    "text",
                    multiline=True,
                    default="happy, a broad smile, cheeks raised",
                    placeholder="happy, a broad smile, cheeks raised",
                    tooltip="The emotion, then what the face does. Empty leaves the expression open. Text "
                    "that is too long for the text encoder is cut, with a warning in the log.",
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    optional=True,
                    tooltip="1 is the text as it is, 0 the empty text; values between interpolate their "
                    "tokens.",
                ),
            ],
            outputs=[
                Emotion.Output(
                    display_name="emotion",
                    tooltip="Emotion tokens for the whole clip, for EAD-Net Lip Sync Sampler.",
                ),
                io.Conditioning.Output(
                    display_name="conditioning",
                    tooltip="The same tokens for ComfyUI's own conditioning nodes, for instance "
                    "Conditioning (Average); EAD-Net Lip Sync Sampler takes their output.",
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, text: str | None) -> bool | str:
        return widgets_problem(cls, text=text) or True

    @classmethod
    @checked
    def execute(cls, text_encoder: Any, text: str, strength: float = 1.0) -> io.NodeOutput:
        null, tokens = same_length(host.encode_texts(text_encoder, ["", text]))
        emotion = EmotionTokens(tokens if strength == 1 else torch.lerp(null, tokens, strength), null)
        return io.NodeOutput(emotion, emotion.conditioning())
