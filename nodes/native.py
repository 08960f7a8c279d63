"""The talking head as core's MODEL, CONDITIONING, NOISE, SAMPLER and SIGMAS, for core's sampling nodes."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io
from torch import Tensor

from ..eadnet.errors import InputError
from ..eadnet.mixed_tokens import MixedTokens
from ..eadnet.rendering import RenderSettings
from ..eadnet.sampling import SCHEDULERS, Conditions
from . import host
from .checks import checked
from .node import Node
from .sampler import conditions_of
from .sampling import sampling_widgets, window_problem
from .types import Audio, AudioTokens, DiffusionModel, Emotion, EmotionTokens, Model, schema

_WIDGETS = {widget.id: widget for widget in sampling_widgets()}


class EADNetToModel(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetToModel",
            display_name="EAD-Net to MODEL",
            description="Gives the U-Net as ComfyUI's MODEL, for KSampler, SamplerCustomAdvanced, LoRA, "
            "TorchCompileModel, context windows and other model patches.",
            search_aliases=["native model", "ksampler", "lora", "convert model", "core sampler"],
            inputs=[
                Model.Input("model", tooltip="From EAD-Net Load Checkpoint or EAD-Net Load LatentSync."),
                _WIDGETS["window"],
                _WIDGETS["overlap"],
            ],
            outputs=[
                io.Model.Output(
                    display_name="model",
                    tooltip="For Load LoRA (Model only), DualCFGGuider, KSampler and other nodes that take a "
                    "MODEL. Context Windows (Manual), with dim 0, takes the place of the windows set here.",
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, window: int | None, overlap: int | None) -> bool | str:
        return window_problem(window, overlap) or True

    @classmethod
    @checked
    def execute(cls, model: DiffusionModel, window: int, overlap: int) -> io.NodeOutput:
        if problem := window_problem(window, overlap):
            raise InputError(problem)
        model.drawing()
        if not isinstance(model.network, host.HeldUNet):
            model.network.use()  # says what is missing
            raise InputError("This model has no U-Net of its own: connect that of an EAD-Net loader.")
        foreign = model.network.patcher.model.foreign
        if foreign is not None:
            raise InputError(
                f"This model was trained with {foreign}, which core's samplers do not know: use EAD-Net Lip "
                "Sync Sampler for it."
            )
        return io.NodeOutput(host.with_windows(model.network.patcher, window, overlap))


class EADNetConditioning(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetConditioning",
            display_name="EAD-Net Apply Conditioning",
            description="Turns the audio, the emotion and the prepared face into CONDITIONINGs and an empty "
            "LATENT for ComfyUI's own sampling nodes.",
            search_aliases=["conditioning", "dual cfg", "positive negative", "audio conditioning"],
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
                    tooltip="From EAD-Net Encode Emotion or EAD-Net Emotion Timeline, or a CONDITIONING.",
                ),
            ],
            outputs=[
                io.Conditioning.Output(
                    display_name="positive",
                    tooltip="Audio and emotion: cond1 of DualCFGGuider (its cfg_conds is emotion_cfg), "
                    "positive of KSampler.",
                ),
                io.Conditioning.Output(
                    display_name="audio_only",
                    tooltip="Audio without emotion: cond2 of DualCFGGuider (its cfg_cond2_negative is "
                    "audio_cfg).",
                ),
                io.Conditioning.Output(
                    display_name="negative", tooltip="Neither audio nor emotion: negative of either."
                ),
                io.Latent.Output(
                    display_name="latent",
                    tooltip="Empty frames to sample, all with one noise if the model was made for that.",
                ),
            ],
        )

    @classmethod
    @checked
    def execute(
        cls, model: DiffusionModel, audio: AudioTokens, latents: dict[str, Any], emotion: Any = None
    ) -> io.NodeOutput:
        info = model.drawing()
        conditions = conditions_of(
            info, audio, latents, None if emotion is None else EmotionTokens.of(emotion)
        )
        conditions.check()
        takes_emotion = getattr(model.network.use(), "emotion_dim", None) is not None
        feeling, null = _emotions(conditions) if takes_emotion else (None, None)
        silence = torch.zeros_like(conditions.audio)
        planes = torch.cat(
            [
                conditions.mask.expand(conditions.num_frames, -1, -1, -1),
                conditions.masked_latents,
                conditions.reference_latents,
            ],
            dim=1,
        )
        latent: dict[str, Any] = {"samples": torch.zeros_like(latents["samples"])}
        if info.defaults.get("shared_noise") == 1:
            latent["batch_index"] = [0] * conditions.num_frames
        return io.NodeOutput(
            _conditioning(conditions.audio, planes, feeling),
            _conditioning(conditions.audio, planes, null),
            _conditioning(silence, planes, null),
            latent,
        )


def _conditioning(tokens: Tensor, planes: Tensor, emotion: Tensor | None) -> list[list[Any]]:
    return [[tokens, {host.FACES: {"planes": planes, "emotion": emotion}}]]


def _emotions(conditions: Conditions) -> tuple[Tensor | None, Tensor | None]:
    """The emotion and the null emotion, [1, L, De] each, or [T, L, De] where one changes over time."""
    feeling, null = conditions.emotion, conditions.null_emotion
    if isinstance(feeling, MixedTokens):
        feeling = feeling.mixed()
    if feeling is None:
        return null if null is None else null[None], null if null is None else null[None]
    if feeling.ndim == 2:
        return feeling[None], null if null is None else null[None]
    return feeling, null if null is None else null.expand(len(feeling), -1, -1)


class EADNetCustomSampling(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetCustomSampling",
            display_name="EAD-Net Custom Sampling",
            description="The noise, the sampler and the steps of EAD-Net Lip Sync Sampler, for "
            "SamplerCustomAdvanced: the same settings give the same frames. The sampler's auto is not "
            "among them.",
            search_aliases=["sigmas", "noise", "sampler select", "scheduler", "SamplerCustomAdvanced"],
            inputs=[
                Model.Input("model", tooltip="From EAD-Net Load Checkpoint or EAD-Net Load LatentSync."),
                _WIDGETS["seed"],
                _WIDGETS["steps"],
                # Without the sampler's auto: core takes steps and sampler from here, whatever the model.
                io.Combo.Input(
                    "scheduler",
                    display_name="sampler_name",
                    options=list(SCHEDULERS),
                    default=SCHEDULERS[0],
                    tooltip="The sampler (sampler_name in core's KSampler). ddim is the default; dpmpp_2m "
                    "and euler need fewer steps; lcm is for models distilled to a few steps.",
                ),
            ],
            outputs=[
                io.Noise.Output(display_name="noise", tooltip="Or RandomNoise, for other frames."),
                io.Sampler.Output(
                    display_name="sampler", tooltip="Works with the sigmas beside it. Or KSamplerSelect."
                ),
                io.Sigmas.Output(
                    display_name="sigmas", tooltip="The steps, for any sampler. Or BasicScheduler."
                ),
            ],
        )

    @classmethod
    @checked
    def execute(cls, model: DiffusionModel, seed: int, steps: int, scheduler: str) -> io.NodeOutput:
        info = model.drawing()
        sampling = RenderSettings(seed=seed, steps=steps, scheduler=scheduler).sampling(info)
        solver = host.Solver(scheduler, sampling.scheduler_config)
        noise = host.ClipNoise(seed, sampling.shared_noise)
        return io.NodeOutput(noise, solver, solver.sigmas(sampling.steps))
