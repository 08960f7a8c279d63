"""The sampler: from noise to the latents of a talking face."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ..eadnet.errors import InputError
from ..eadnet.memory import with_less
from ..eadnet.rendering import SMALLEST_WINDOW, RenderSettings
from ..eadnet.rendering.memory import branches, deep_memory, unet_memory
from ..eadnet.sampling import Conditions, sample
from . import host
from .checks import checked
from .live import LiveView
from .node import Node
from .sampling import (
    Watcher,
    chosen_sampler,
    emotion_scale,
    sampling_widgets,
    small_decoder,
    window_problem,
)
from .sockets import latents_of
from .types import (
    MASK,
    MASKED_SAMPLES,
    Audio,
    AudioTokens,
    DiffusionModel,
    Emotion,
    EmotionTokens,
    Model,
    ModelInfo,
    schema,
)


class EADNetSampler(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetSampler",
            display_name="EAD-Net Lip Sync Sampler",
            description="Denoises the masked region of every frame so that the lips follow the audio and the "
            "face shows the emotion. Any length: overlapping context windows are blended.",
            search_aliases=["lipsync", "talking head", "audio to lips", "STDA denoiser", "ksampler"],
            advanced=("scheduler", "window", "overlap"),
            inputs=[
                Model.Input("model", tooltip="From EAD-Net Load Checkpoint or EAD-Net Load LatentSync."),
                Audio.Input("audio", tooltip="From EAD-Net Encode Audio."),
                io.Latent.Input(
                    "latents", tooltip="From EAD-Net Prepare Face, with the same number of frames."
                ),
                io.MultiType.Input(
                    "emotion",
                    types=[Emotion, io.Conditioning],
                    optional=True,
                    tooltip="From EAD-Net Encode Emotion or EAD-Net Emotion Timeline, or a CONDITIONING. "
                    "Leave it unconnected for LatentSync without an adapter, which has no emotion input.",
                ),
                *sampling_widgets(),
            ],
            outputs=[
                io.Latent.Output(
                    display_name="latent",
                    tooltip="The generated frames, for EAD-Net TFRM Smoother or VAE Decode.",
                )
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, window: int | None, overlap: int | None) -> bool | str:
        return window_problem(window, overlap) or True

    @classmethod
    @checked
    def execute(
        cls,
        model: DiffusionModel,
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
        if problem := window_problem(window, overlap):
            raise InputError(problem)
        info = model.drawing()
        feeling = None if emotion is None else EmotionTokens.of(emotion)
        conditions = conditions_of(info, audio, latents, feeling)
        conditions.check()
        frames = min(window, conditions.num_frames)
        live = LiveView(cls.hidden.unique_id, conditions.num_frames, audio.fps, small_decoder(model))
        watcher = Watcher(info, cls.hidden.unique_id, live)
        settings = RenderSettings(
            seed=seed,
            steps=steps,
            audio_guidance=audio_guidance,
            emotion_guidance=emotion_scale(feeling, audio_guidance, emotion_guidance),
            scheduler=chosen_sampler(scheduler),
            window=window,
            overlap=overlap,
            window_mode=model.window_mode,
            savings=model.savings,
        )
        sampling = settings.sampling(info)
        side = info.resolution // 8
        unet = model.network.use(
            lambda module: (
                unet_memory(module, frames, side, branches=branches(sampling))
                + deep_memory(module, sampling, frames, side, conditions.num_frames)
            )
        )

        def run(size: int) -> Tensor:
            return sample(
                unet,
                conditions,
                sampling.with_window(size),
                callback=lambda now: watcher(now.done, now.total, now.denoised),
            )

        with host.cancellable(unet):
            result = with_less(run, window, SMALLEST_WINDOW, "frames in a window")
        return io.NodeOutput({"samples": (result / info.latent_scale).to(host.result_device())})


def conditions_of(
    info: ModelInfo, audio: AudioTokens, latents: dict[str, Any], emotion: EmotionTokens | None
) -> Conditions:
    """The conditions in the U-Net's latent scale; InputError for missing parts or those of another model."""
    samples = latents_of(latents, "latents")
    if MASK not in latents or MASKED_SAMPLES not in latents:
        raise InputError(
            "These latents have no mask: connect EAD-Net Prepare Face directly to EAD-Net Lip Sync Sampler."
        )
    masked = latents[MASKED_SAMPLES]
    side = info.resolution // 8
    if tuple(samples.shape[1:]) != (4, side, side):
        raise InputError(
            f"The latents are {list(samples.shape[1:])} and the model {info.preset} works on "
            f"{[4, side, side]}: connect the same model to EAD-Net Prepare Face."
        )
    return Conditions(
        masked_latents=masked * info.latent_scale,
        mask=latents[MASK],
        reference_latents=samples * info.latent_scale,
        audio=audio.tokens,
        emotion=None if emotion is None else emotion.to_sample(),
        null_emotion=None if emotion is None else emotion.null,
    )
