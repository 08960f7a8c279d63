"""A face, or an emotion label, to a caption and structured data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from comfy_api.latest import io

from ..eadnet.captions import template
from ..eadnet.captions.base import Captioned, Captioner
from ..eadnet.captions.endpoint import EndpointCaptioner, endpoint_url
from ..eadnet.captions.frames import spread
from ..eadnet.captions.local_vlm import LONGEST_REPLY, LocalCaptioner
from ..eadnet.captions.measured import MeasuredCaptioner, from_face_landmarks
from ..eadnet.captions.schema import EMOTIONS
from ..eadnet.captions.words import sentence
from ..eadnet.errors import InputError
from . import host
from .checks import checked, problems, widgets_problem
from .node import Node
from .sockets import image_of
from .types import FaceLandmarks, FileChoice, schema

BACKENDS = ["template", "measured", "local model", "endpoint"]
PHRASINGS = ["written anew", "as it came"]


class EADNetEmotionCaption(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetEmotionCaption",
            display_name="EAD-Net Caption Emotion",
            description="Describes a facial expression as text and JSON: by a vision-language model, by "
            "MediaPipe's measurements, or from an emotion and an intensity.",
            search_aliases=[
                "expression",
                "describe face",
                "action units",
                "VLM",
                "Ollama",
                "emotion caption",
            ],
            inputs=[
                io.Combo.Input(
                    "backend",
                    options=BACKENDS,
                    default="template",
                    tooltip="template: from emotion and intensity below. measured: MediaPipe blend shapes. "
                    "local model: a vision-language model in models/LLM. endpoint: your own server, such as "
                    "Ollama.",
                ),
                io.Combo.Input(
                    "emotion",
                    options=list(EMOTIONS),
                    default="happy",
                    tooltip="For template: the emotion to describe.",
                ),
                io.Float.Input(
                    "intensity",
                    default=0.7,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="For template: 0 is a neutral face, 1 the full expression.",
                ),
                io.Int.Input(
                    "features",
                    default=3,
                    min=0,
                    max=10,
                    tooltip="Largest number of facial movements (brows, eyes, cheeks, mouth) that the "
                    "caption names.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=2**31 - 1,
                    control_after_generate=True,
                    tooltip="Chooses among synonyms. The same seed gives the same caption.",
                ),
                io.Combo.Input(
                    "phrasing",
                    options=PHRASINGS,
                    default="written anew",
                    tooltip="written anew: a caption made from the JSON, in the vocabulary that mini was "
                    "trained on. as it came: the language model's own caption, if there is one.",
                ),
                io.Int.Input(
                    "frame_count",
                    default=4,
                    min=1,
                    max=64,
                    tooltip="Number of frames, evenly spaced over the clip, that are analysed. Each costs a "
                    "language model memory and time.",
                ),
                FileChoice(
                    "model",
                    options=host.captioner_names(),
                    default=host.NONE,
                    tooltip="For local model: a folder in models/LLM or models/eadnet/captioner with a "
                    "vision-language model (Qwen2.5-VL, SmolVLM2, ...) in safetensors.",
                ),
                io.String.Input(
                    "url",
                    default="",
                    placeholder="http://localhost:11434/v1",
                    tooltip="For endpoint: address of an OpenAI-compatible server. Empty uses the "
                    "environment variable EADNET_CAPTION_URL; an API key is read from EADNET_CAPTION_KEY "
                    "only.",
                ),
                io.String.Input(
                    "url_model",
                    default="",
                    placeholder="qwen2.5vl:7b",
                    tooltip="For endpoint: the model's name on the server.",
                ),
                io.Float.Input(
                    "timeout",
                    default=120.0,
                    min=1.0,
                    max=3600.0,
                    step=1.0,
                    tooltip="For endpoint: seconds to wait for one answer. A failed request is repeated "
                    "twice where that can help.",
                ),
                io.Image.Input(
                    "images",
                    optional=True,
                    tooltip="An image or the frames of a video with one face. Not needed for template.",
                ),
                FaceLandmarks.Input(
                    "face_landmarks",
                    optional=True,
                    tooltip="For measured: the output of ComfyUI's own face landmark node (newer versions), "
                    "instead of images and the face landmarker's file.",
                ),
            ],
            outputs=[
                io.String.Output(
                    display_name="caption",
                    tooltip="The caption, for EAD-Net Encode Emotion or any text node.",
                ),
                io.String.Output(
                    display_name="description",
                    tooltip="The same as JSON: emotion, intensity, valence, arousal, action units, head, "
                    "gaze, caption.",
                ),
                io.String.Output(
                    display_name="report",
                    tooltip="The model's reply word for word, and what had to be corrected in it.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def fingerprint_inputs(cls, model: str = host.NONE, **inputs: Any) -> str:
        return "" if model == host.NONE else host.captioner_fingerprint(model)

    @classmethod
    def validate_inputs(cls, backend: str | None, url: str | None) -> bool | str:
        problem = widgets_problem(cls, backend=backend, url=url)
        if problem is None and backend == "endpoint" and url is not None:
            problem = problems([lambda: endpoint_url(url)])
        return problem or True

    @classmethod
    @checked
    def execute(
        cls,
        backend: str,
        emotion: str,
        intensity: float,
        features: int,
        seed: int,
        phrasing: str,
        frame_count: int,
        model: str,
        url: str,
        url_model: str,
        timeout: float,
        images: torch.Tensor | None = None,
        face_landmarks: dict[str, Any] | None = None,
    ) -> io.NodeOutput:
        if backend == "template":
            made = Captioned(template.describe(emotion, intensity, seed, features), "template")
        elif backend == "measured" and face_landmarks is not None:
            made = from_face_landmarks(face_landmarks)
        else:
            frames = _frames(images, frame_count, backend)
            progress = host.NodeProgress(LONGEST_REPLY, cls.hidden.unique_id)
            made = _captioner(backend, model, url, url_model, timeout, progress).describe(frames, seed)
        described = made.description
        if phrasing == "written anew" or not described.caption:
            described = replace(described, caption=sentence(described, seed, features))
        return io.NodeOutput(described.caption, described.to_json(), made.report())


def _captioner(
    backend: str, model: str, url: str, url_model: str, timeout: float, progress: host.NodeProgress
) -> Captioner:
    if backend == "measured":
        return MeasuredCaptioner(host.face_task_path())
    if backend == "endpoint":
        return EndpointCaptioner(url, url_model, timeout=timeout, pause=host.sleep, waiting=host.sleep)
    return LocalCaptioner(host.local_captioner(model), on_token=progress.update)


def _frames(images: torch.Tensor | None, count: int, backend: str) -> list[np.ndarray]:
    """Some frames of a clip [B, H, W, C] as bytes."""
    if images is None:
        raise InputError(
            f"The backend '{backend}' needs a face: connect an image or the frames of a video to images."
        )
    images = image_of(images)
    chosen = images[spread(len(images), count)][..., :3].float().nan_to_num(0).clamp(0, 1)
    chosen = chosen.expand(*chosen.shape[:3], 3)
    return list((chosen * 255).round().to(torch.uint8).cpu().numpy())
