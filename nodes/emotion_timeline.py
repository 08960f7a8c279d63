"""Emotion that changes over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from comfy_api.latest import io

from ..eadnet.captions.loudness import speech_gain
from ..eadnet.captions.timeline import (
    EASES,
    frame_strength,
    key_weights,
    parse_timeline,
    same_length,
    timeline_tokens,
)
from ..eadnet.media.audio import RATE, to_mono_16k
from ..eadnet.media.curves import curve_picture
from . import host
from .checks import checked, problems, widgets_problem
from .node import Node
from .notes import with_notes
from .sockets import audio_of
from .types import Emotion, EmotionTimeline, TextEncoder, schema

_DRAWN = 4000  # frames of a curve, at least, where there are as many; more than it has pixels
EXAMPLE = "0.0 calm\n1.5 happy, a broad smile, 0.7\n3.0 furious, brows pulled down, lips pressed"


class EADNetEmotionTimeline(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetEmotionTimeline",
            display_name="EAD-Net Emotion Timeline",
            description="Changes the emotion over time: one text per line with its start time and strength, "
            "cross-faded.",
            search_aliases=[
                "emotion curve",
                "keyframes",
                "prompt travel",
                "schedule",
                "expression over time",
            ],
            inputs=[
                io.MultiType.Input(
                    "text_encoder",
                    types=[TextEncoder, io.Clip],
                    tooltip="From EAD-Net Load Checkpoint. Models with Stable Diffusion 1.5's text encoder "
                    "take ComfyUI's Load CLIP.",
                ),
                io.String.Input(
                    "timeline",
                    multiline=True,
                    default=EXAMPLE,
                    placeholder=EXAMPLE,
                    tooltip="One keyframe per line: seconds, text and, after the last comma, an optional "
                    "strength 0 to 1. It holds until the next line; before the first one there is no "
                    "emotion.",
                ),
                io.Int.Input(
                    "frame_count",
                    default=1,
                    min=1,
                    max=1_000_000,
                    force_input=True,
                    tooltip="Length of the clip in frames, from EAD-Net Encode Audio.",
                ),
                io.Float.Input(
                    "fps",
                    default=25.0,
                    min=1.0,
                    max=120.0,
                    step=0.01,
                    tooltip="Frames per second, the same value as in EAD-Net Encode Audio.",
                ),
                io.Float.Input(
                    "cross_fade",
                    default=0.4,
                    min=0.0,
                    max=30.0,
                    step=0.05,
                    tooltip="Length of each transition in seconds, centred on the keyframe's time. 0 is a "
                    "hard cut.",
                ),
                io.Combo.Input(
                    "ease",
                    options=list(EASES),
                    default="smooth",
                    tooltip="Easing curve of the transitions.",
                ),
                io.Float.Input(
                    "from_loudness",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How much the strength follows the loudness of the speech: 0 not at all, 1 "
                    "fully, so that quiet speech shows no emotion. Needs audio.",
                ),
                io.Audio.Input(
                    "audio",
                    optional=True,
                    tooltip="The speech, needed for from_loudness only.",
                ),
            ],
            outputs=[
                Emotion.Output(
                    display_name="emotion",
                    tooltip="Emotion tokens of every frame, for EAD-Net Lip Sync Sampler.",
                ),
                io.Image.Output(
                    display_name="curve",
                    tooltip="Plot of each text's weight over time and, in white, the strength.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, timeline: str | None) -> bool | str:
        if timeline is None:  # it comes by a link
            return True
        problem = widgets_problem(cls, timeline=timeline)
        return problem or problems([lambda: parse_timeline(timeline)]) or True

    @classmethod
    @checked
    def execute(
        cls,
        text_encoder: Any,
        timeline: str,
        frame_count: int,
        fps: float,
        cross_fade: float,
        ease: str,
        from_loudness: float,
        audio: Any = None,
    ) -> io.NodeOutput:
        keys = parse_timeline(timeline, frame_count / fps)
        texts = [key.text for key in keys]
        weights = key_weights(keys, frame_count, fps, cross_fade, ease)
        gain, notes = _loudness(audio, frame_count, fps, from_loudness)
        null, *encoded = same_length(host.encode_texts(text_encoder, ["", *texts]))
        tokens = timeline_tokens(keys, weights, encoded, null, gain)
        strength = frame_strength(keys, weights) * (1 if gain is None else gain)
        every = max(1, len(weights) // _DRAWN)
        curves = curve_picture(weights.dense(every), strength[::every], texts, fps / every)
        picture = torch.from_numpy(curves)
        return with_notes(cls, EmotionTimeline(tokens), picture[None], notes=notes)


def _loudness(
    audio: Any, frame_count: int, fps: float, amount: float
) -> tuple[np.ndarray | None, Sequence[str]]:
    """The gain of the emotion from the loudness of every frame [T], None where loudness is not used; notes on
    the recording.
    """
    if amount == 0:
        return None, ()
    recording = audio_of(
        audio, advice="from_loudness needs the speech: connect audio, or set from_loudness to 0"
    )
    speech = to_mono_16k(recording.waveform, recording.rate)
    return speech_gain(speech, RATE, frame_count, fps, amount), recording.notes
