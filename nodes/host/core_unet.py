"""The U-Net as ComfyUI's samplers call networks: frames along the batch, conditions by name.

Core puts the frames of a clip, and its conditionings one behind the other, into one batch [k * T, ...]; the
U-Net wants clips [k, C, T, h, w]. Called as the library calls it, it is the library's own.
"""

from __future__ import annotations

from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from ...eadnet.errors import InputError
from ...eadnet.modules.unet import DeepFeatures, EADUNet


class CoreUNet(EADUNet):
    """``dtype`` is that of the stored weights, by the name that core asks for."""

    dtype: torch.dtype = torch.float32

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor | float,
        audio: Tensor | None = None,
        emotion: Tensor | None = None,
        deep: DeepFeatures | None = None,
        *,
        transformer_options: dict[str, Any] | None = None,
        **conditions: Any,
    ) -> Tensor:
        """As `EADUNet.forward`; with ``transformer_options`` as core calls it (see `_frames`)."""
        if transformer_options is None:
            assert audio is not None
            return super().forward(sample, timestep, audio, emotion, deep)
        assert isinstance(timestep, Tensor)
        return self._frames(sample, timestep, emotion, transformer_options, **conditions)

    def _frames(
        self,
        x: Tensor,
        timestep: Tensor,
        emotion: Tensor | None,
        options: dict[str, Any],
        *,
        planes: Tensor,
        frame_tokens: Tensor,
        **unused: Any,
    ) -> Tensor:
        """One evaluation for k conditionings of T frames.

        Args:
            x: [k * T, 4, h, w] noisy latents.
            timestep: [k * T].
            emotion: [k * T, L, De], or [k, L, De] where it does not change, or None.
            planes: [k * T, 9, h, w] mask, masked latents, reference latents.
            frame_tokens: [k * T, N, D] audio tokens.

        Conditions may be those of the whole clip where core's context windows do not cut them.
        """
        clips = len(options.get("cond_or_uncond") or [0])
        frames = len(x) // clips
        window = options.get("context_window")

        def of_clips(value: Tensor) -> Tensor:
            value = value.unflatten(0, (clips, -1))
            if value.shape[1] in (1, frames) or window is None:
                return value
            return value[:, window.index_list]

        self.check_window(frames)
        sample = torch.cat([x, of_clips(planes).flatten(0, 1).to(x)], dim=1)
        feeling = None if emotion is None else of_clips(emotion)
        result = super().forward(
            rearrange(sample, "(k t) c h w -> k c t h w", k=clips),
            timestep.unflatten(0, (clips, frames))[:, 0],
            of_clips(frame_tokens),
            feeling[:, 0] if feeling is not None and feeling.shape[1] == 1 else feeling,
        )
        return rearrange(result, "k c t h w -> (k t) c h w")

    def check_window(self, frames: int) -> None:
        """Raise InputError for more frames at once than the position table has."""
        if self.frame_limit is not None and frames > self.frame_limit:
            raise InputError(
                f"This model sees at most {self.frame_limit} frames at once, not {frames}: set a "
                f"context_length of {self.frame_limit} or fewer (in EAD-Net to MODEL, or in Context Windows "
                "(Manual) with dim 0)."
            )
