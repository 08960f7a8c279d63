"""What the sampling nodes share: widgets, guidance, progress."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ..eadnet.rendering import StageProgress
from ..eadnet.sampling import SCHEDULERS
from . import host
from .live import Decode, LiveView
from .types import DiffusionModel, EmotionTokens, ModelInfo

AUTO = "auto"  # the sampler that the checkpoint is usually sampled with
MOST_FRAMES = 64  # in a window


def chosen_sampler(scheduler: str) -> str | None:
    """What the widget says, as `RenderSettings` takes it."""
    return None if scheduler == AUTO else scheduler


def sampling_widgets() -> list[Any]:
    """Seed, steps, guidances, scheduler, window and overlap, in the order of saved workflows."""
    return [
        io.Int.Input(
            "seed",
            default=0,
            min=0,
            max=0xFFFFFFFFFFFFFFFF,
            control_after_generate=True,
            tooltip="Random seed of the noise. The same seed gives the same video on every device.",
        ),
        io.Int.Input(
            "steps",
            default=0,
            min=0,
            max=200,
            tooltip="0 takes the checkpoint's own number: 1 for mini; for LatentSync 4 with sampler_name "
            "auto, else 20. More steps give finer images and take longer.",
        ),
        io.Float.Input(
            "audio_guidance",
            display_name="audio_cfg",
            default=1.5,
            min=0.0,
            max=20.0,
            step=0.1,
            tooltip="cfg for the audio: how strictly the lips follow it. 1 is no guidance, 1.5 is usual, "
            "above 3 exaggerates.",
        ),
        io.Float.Input(
            "emotion_guidance",
            display_name="emotion_cfg",
            default=1.5,
            min=0.0,
            max=20.0,
            step=0.1,
            tooltip="cfg for the emotion text: 0 ignores it, 1 is no guidance, 1.5 is usual for mini, above "
            "3 exaggerates. Equal values for audio and emotion save a third of the time.",
        ),
        io.Combo.Input(
            "scheduler",
            display_name="sampler_name",
            options=[*SCHEDULERS, AUTO],
            default=AUTO,
            tooltip="The sampler (sampler_name in core's KSampler). auto is the checkpoint's own: unipc in 4 "
            "steps for LatentSync, else ddim. ddim in 20 steps is what LatentSync was published with; lcm is "
            "for models distilled to a few steps.",
        ),
        io.Int.Input(
            "window",
            display_name="context_length",
            default=16,
            min=1,
            max=MOST_FRAMES,
            tooltip="Frames per context window (context_length in core's Context Windows). The models were "
            "trained on 16 and support up to 24. Fewer need less memory.",
        ),
        io.Int.Input(
            "overlap",
            display_name="context_overlap",
            default=4,
            min=0,
            max=MOST_FRAMES - 1,
            tooltip="Frames shared by neighbouring context windows and blended (context_overlap in core's "
            "Context Windows). More is smoother and slower.",
        ),
    ]


def window_problem(window: Any, overlap: Any) -> str | None:
    """Why frames cannot be denoised in such windows; None when they can, or when one of the numbers comes by
    a link and is not known yet, or is none: ComfyUI hands on what it was sent, and the node refuses that.
    """
    if not isinstance(window, int) or not isinstance(overlap, int):
        return None
    if not 1 <= window <= MOST_FRAMES:
        return f"window (context_length) is {window} frames: use 1 to {MOST_FRAMES}."
    if not 0 <= overlap < window:
        return (
            f"overlap (context_overlap) is {overlap} frames: use 0 to {window - 1} for a window of {window}."
        )
    return None


def emotion_scale(feeling: EmotionTokens | None, audio_guidance: float, emotion_guidance: float) -> float:
    """The emotion's guidance scale. With the null text both branches are equal, so the audio's scale gives
    the same result and saves one evaluation of the network.
    """
    return audio_guidance if feeling is not None and feeling.is_null() else emotion_guidance


def small_decoder(model: DiffusionModel) -> Decode:
    """Latents of a model's scale [n, 4, h, w] to pictures in -1..1: its own decoder, where it has one, on
    whatever device that is (fetching it could push the U-Net out); else approximate colours.
    """
    scale, decoder = model.info.latent_scale, model.decoder
    if decoder is None:
        colours = host.latent_colours(model.info.latent_rgb)
        return lambda latents: colours(latents / scale)

    def decode(latents: Tensor) -> Tensor:
        parameter = next(decoder.parameters())
        pictures: Tensor = decoder.decode((latents / scale).to(parameter.device, parameter.dtype))
        return pictures

    return decode


class Watcher:
    """Progress for every window, a preview after every finished one, and Cancel."""

    def __init__(self, info: ModelInfo, node_id: str | None, live: LiveView) -> None:
        self._node_id, self._live = node_id, live
        self._preview = host.latent_previewer(info.latent_rgb)
        self._progress: host.NodeProgress | None = None

    def __call__(self, done: int, total: int, denoised: Tensor | None) -> None:
        """``done`` of ``total`` windows' steps; clean latents [n, 4, h, w] where a window is finished."""
        if self._progress is None or done == 1:
            self._progress = host.NodeProgress(total, self._node_id)
        self._progress.update(done, None if denoised is None else self._preview(denoised))
        self._live.progress(done, total)
        if denoised is not None:
            self._live.latents(denoised)

    def stage(self, now: StageProgress) -> None:
        """The same of a whole render; what comes after the last window has no bar of its own."""
        if now.sampling is None:
            host.check_cancelled()
            what = {"follow": "Following the face", "finish": "Writing the video"}.get(now.stage, now.stage)
            self._live.say(f"{what}: {now.done} of {now.total} frames")
        else:
            self(now.done, now.total, now.sampling.denoised)
