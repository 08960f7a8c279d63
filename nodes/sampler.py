"""Noise to talking latents."""

from __future__ import annotations

import logging
from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ..eadnet.errors import InputError
from ..eadnet.sampling import SCHEDULERS, Conditions, SamplingProgress, sample
from . import host
from .types import (
    MASK,
    MASKED_SAMPLES,
    Audio,
    AudioTokens,
    Denoiser,
    Emotion,
    EmotionTokens,
    Model,
    ModelInfo,
    schema,
)

logger = logging.getLogger(__name__)

_MAX_WINDOW = 64
_SMALLEST_WINDOW = 4


class EADNetSampler(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetSampler",
            display_name="EAD-Net Sampler",
            description="Generates the hidden part of every frame so that the mouth says the recording and "
            "the face shows the emotion. Clips of any length: windows of frames overlap and are blended.",
            search_aliases=["talking head", "lip sync", "lipsync", "STDA denoiser", "ksampler"],
            inputs=[
                Model.Input("model", tooltip="The denoiser, from a loader."),
                Audio.Input("audio", tooltip="From EAD-Net Encode Audio."),
                io.Latent.Input("latents", tooltip="From EAD-Net Prepare, for the same number of frames."),
                io.MultiType.Input(
                    "emotion",
                    types=[Emotion, io.Conditioning],
                    optional=True,
                    tooltip="From EAD-Net Encode Emotion or EAD-Net Emotion Timeline, or a conditioning. "
                    "Unconnected means none; LatentSync models have no ear for it.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=True,
                    tooltip="Another seed, another take. The same seed gives the same clip on every device.",
                ),
                io.Int.Input(
                    "steps",
                    default=20,
                    min=1,
                    max=200,
                    tooltip="More steps, finer pictures, more time. mini is good with 12, LatentSync with "
                    "20.",
                ),
                io.Float.Input(
                    "audio_guidance",
                    default=1.5,
                    min=0.0,
                    max=20.0,
                    step=0.1,
                    tooltip="How strictly the mouth follows the sound. 1 is no guidance, 1.5 usual, above "
                    "3 exaggerates.",
                ),
                io.Float.Input(
                    "emotion_guidance",
                    default=1.5,
                    min=0.0,
                    max=20.0,
                    step=0.1,
                    tooltip="How strongly the sentence shows. 0 ignores it, 1 is no guidance, above 3 "
                    "exaggerates. The same value for both guidances saves a third of the time.",
                ),
                io.Combo.Input(
                    "scheduler",
                    options=list(SCHEDULERS),
                    default=SCHEDULERS[0],
                    tooltip="ddim is what the models were measured with; dpmpp_2m and euler need fewer "
                    "steps; lcm is for models distilled to a few steps.",
                ),
                io.Int.Input(
                    "window",
                    default=16,
                    min=1,
                    max=_MAX_WINDOW,
                    tooltip="Frames denoised together. The models were trained on 16 and know at most 24. "
                    "Fewer need less memory.",
                ),
                io.Int.Input(
                    "overlap",
                    default=4,
                    min=0,
                    max=_MAX_WINDOW - 1,
                    tooltip="Frames that neighbouring windows share and blend. More is smoother and slower.",
                ),
            ],
            outputs=[
                io.Latent.Output(
                    display_name="latent",
                    tooltip="The generated frames: EAD-Net TFRM Smoother or VAE Decode.",
                )
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, window: int, overlap: int) -> bool | str:
        if not 1 <= window <= _MAX_WINDOW:
            return f"The window is {window} frames: use 1 to {_MAX_WINDOW}."
        if not 0 <= overlap < window:
            return f"The overlap is {overlap} frames: use 0 to {window - 1} for a window of {window}."
        return True

    @classmethod
    def execute(
        cls,
        model: Denoiser,
        audio: AudioTokens,
        latents: dict[str, Any],
        seed: int,
        steps: int,
        audio_guidance: float,
        emotion_guidance: float,
        scheduler: str,
        window: int,
        overlap: int,
        emotion: Any = None,
    ) -> io.NodeOutput:
        info = model.info
        feeling = None if emotion is None else EmotionTokens.of(emotion)
        conditions = _conditions(info, audio, latents, feeling)
        conditions.check()
        if feeling is not None and feeling.is_null():
            # The empty sentence guides nowhere; equal scales spare the evaluation that would find that out.
            emotion_guidance = audio_guidance
        frames = min(window, conditions.num_frames)
        unet = model.network.use(lambda module: host.unet_memory(module, frames, info.resolution // 8))
        callback = _Watcher(info, cls.hidden.unique_id)

        def run(size: int) -> Tensor:
            return sample(
                unet,
                conditions,
                scheduler=scheduler,
                scheduler_config=info.scheduler_config,
                steps=steps,
                audio_guidance=audio_guidance,
                emotion_guidance=emotion_guidance,
                seed=seed,
                window=size,
                overlap=min(overlap, size - 1),
                shared_noise=info.shared_noise,
                callback=callback,
            )

        result = host.with_less(run, window, _SMALLEST_WINDOW, "frames in a window")
        return io.NodeOutput({"samples": (result / info.latent_scale).to(host.result_device())})


class _Watcher:
    """The sampler's callback: progress for every window, a preview after every step, and Cancel."""

    def __init__(self, info: ModelInfo, node_id: str | None) -> None:
        self._node_id = node_id
        self._preview = host.latent_previewer(info.latent_rgb)
        self._progress: host.Progress | None = None

    def __call__(self, now: SamplingProgress) -> None:
        if self._progress is None or now.done == 1:
            self._progress = host.Progress(now.total, self._node_id)
        self._progress.update(now.done, None if now.denoised is None else self._preview(now.denoised))


def _conditions(
    info: ModelInfo, audio: AudioTokens, latents: dict[str, Any], emotion: EmotionTokens | None
) -> Conditions:
    """The conditions in the denoiser's scale; InputError when parts are missing or of another model."""
    if MASK not in latents or MASKED_SAMPLES not in latents:
        raise InputError("These latents have no mask: connect EAD-Net Prepare Face straight to the sampler.")
    samples, masked = latents["samples"], latents[MASKED_SAMPLES]
    side = info.resolution // 8
    if tuple(samples.shape[1:]) != (4, side, side):
        raise InputError(
            f"The latents are {list(samples.shape[1:])} and the model {info.preset} works on "
            f"{[4, side, side]}: prepare the picture with the same model."
        )
    return Conditions(
        masked_latents=masked * info.latent_scale,
        mask=latents[MASK],
        reference_latents=samples * info.latent_scale,
        audio=audio.tokens,
        emotion=None if emotion is None else emotion.tokens,
        null_emotion=None if emotion is None else emotion.null,
    )
