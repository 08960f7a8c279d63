"""What the nodes that sample have in common: widgets, guidance, progress."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ..eadnet.sampling import SCHEDULERS
from . import host
from .types import EmotionTokens, ModelInfo

MOST_FRAMES = 64  # in a window


def sampling_widgets() -> list[Any]:
    """Seed, steps, guidances, scheduler, window and overlap, in the order of saved workflows."""
    return [
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
            default=0,
            min=0,
            max=200,
            tooltip="0 takes the checkpoint's own number: 2 for mini, 20 for LatentSync. More steps, finer "
            "pictures, more time.",
        ),
        io.Float.Input(
            "audio_guidance",
            default=1.5,
            min=0.0,
            max=20.0,
            step=0.1,
            tooltip="How strictly the mouth follows the sound. 1 is no guidance; 1.5 is usual; above 3 "
            "exaggerates.",
        ),
        io.Float.Input(
            "emotion_guidance",
            default=1.5,
            min=0.0,
            max=20.0,
            step=0.1,
            tooltip="How strongly the sentence shows. 0 ignores it, 1 is no guidance, 1.5 is usual for mini; "
            "above 3 exaggerates. The same value for both guidances saves a third of the time.",
        ),
        io.Combo.Input(
            "scheduler",
            options=list(SCHEDULERS),
            default=SCHEDULERS[0],
            tooltip="ddim is what the models were measured with; dpmpp_2m and euler need fewer steps; lcm is "
            "for models distilled to a few steps.",
        ),
        io.Int.Input(
            "window",
            default=16,
            min=1,
            max=MOST_FRAMES,
            tooltip="Frames denoised together. The models were trained on 16 and know at most 24. Fewer need "
            "less memory; when it runs out, the window is halved.",
        ),
        io.Int.Input(
            "overlap",
            default=4,
            min=0,
            max=MOST_FRAMES - 1,
            tooltip="Frames that neighbouring windows share and blend. More is smoother and slower.",
        ),
    ]


def window_problem(window: int, overlap: int) -> str | None:
    """Why frames cannot be denoised in such windows; None when they can."""
    if not 1 <= window <= MOST_FRAMES:
        return f"The window is {window} frames: use 1 to {MOST_FRAMES}."
    if not 0 <= overlap < window:
        return f"The overlap is {overlap} frames: use 0 to {window - 1} for a window of {window}."
    return None


def emotion_scale(feeling: EmotionTokens | None, audio_guidance: float, emotion_guidance: float) -> float:
    """The emotion's guidance. The empty sentence guides nowhere: equal scales spare the evaluation of the
    network that would find that out.
    """
    return audio_guidance if feeling is not None and feeling.is_null() else emotion_guidance


class Watcher:
    """Progress for every window, a preview after every finished one, and Cancel."""

    def __init__(self, info: ModelInfo, node_id: str | None) -> None:
        self._node_id = node_id
        self._preview = host.latent_previewer(info.latent_rgb)
        self._progress: host.NodeProgress | None = None

    def __call__(self, done: int, total: int, denoised: Tensor | None) -> None:
        """``done`` of ``total`` windows' steps; clean latents [n, 4, h, w] where a window is finished."""
        if self._progress is None or done == 1:
            self._progress = host.NodeProgress(total, self._node_id)
        self._progress.update(done, None if denoised is None else self._preview(denoised))
