"""Building blocks of the U-Net: residual blocks, resampling, and the down, middle and up stages.

Activations are [B*T, C, h, w] throughout: convolutions and norms see one frame at a time, and only the
motion modules and STDA look across frames. Key names are those of the published LatentSync U-Net.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from .attention import Context, SpatialTransformer, group_norm
from .convolution import convolved
from .in_place import added, silu
from .motion import MotionModule
from .operations import TORCH, Operations
from .stda import STDA


@dataclass(frozen=True)
class BlockSpec:
    """How one stage of the U-Net is built.

    Attributes:
        embedding_dim: width of the time embedding.
        norm_groups: groups of every GroupNorm.
        norm_eps: epsilon of the residual blocks' GroupNorms.
        heads: heads of the spatial attention, or None for a stage without transformers.
        audio_dim: width of the audio tokens.
        emotion_dim: width of the emotion tokens, or None for a stage without emotion attention.
        motion: LatentSync's `motion_module_kwargs`, or None for a stage without motion modules.
        stda: keyword arguments of STDA, or None for a stage without it.
        operations: the layers it is built of.
    """

    embedding_dim: int
    norm_groups: int
    norm_eps: float
    heads: int | None
    audio_dim: int
    emotion_dim: int | None
    motion: Mapping[str, Any] | None
    stda: Mapping[str, Any] | None
    operations: Operations = TORCH

    def resnet(self, in_channels: int, out_channels: int) -> ResnetBlock:
        return ResnetBlock(
            in_channels,
            out_channels,
            self.embedding_dim,
            self.norm_groups,
            self.norm_eps,
            self.operations,
        )

    def attentions(self, channels: int, count: int) -> nn.ModuleList:
        if self.heads is None:
            return nn.ModuleList()
        return nn.ModuleList(
            SpatialTransformer(
                channels, self.heads, self.audio_dim, self.emotion_dim, self.norm_groups, self.operations
            )
            for _ in range(count)
        )

    def motion_modules(self, channels: int, count: int) -> nn.ModuleList:
        if self.motion is None:
            return nn.ModuleList()
        return nn.ModuleList(
            MotionModule(channels, self.norm_groups, dict(self.motion), self.operations) for _ in range(count)
        )

    def directional(self, channels: int) -> STDA | None:
        return None if self.stda is None else STDA(channels, **self.stda, operations=self.operations)


def clip_norm(norm: nn.GroupNorm, x: Tensor, frames: int) -> Tensor:
    """GroupNorm of [B*T, C, h, w] with statistics over all frames of a clip, as in the published network."""
    clip = rearrange(x, "(b t) c h w -> b c t h w", t=frames)
    return rearrange(norm(clip), "b c t h w -> (b t) c h w")


class ResnetBlock(nn.Module):
    """Two convolutions with the time embedding added between them: [N, Cin, h, w] -> [N, Cout, h, w]."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        embedding_dim: int,
        norm_groups: int,
        norm_eps: float,
        operations: Operations = TORCH,
    ) -> None:
        super().__init__()
        self._operations = operations
        self.norm1 = group_norm(in_channels, norm_groups, norm_eps, operations)
        self.conv1 = operations.Conv2d(in_channels, out_channels, kernel_size=3, padding=1)
        self.time_emb_proj = operations.Linear(embedding_dim, out_channels)
        self.norm2 = group_norm(out_channels, norm_groups, norm_eps, operations)
        self.conv2 = operations.Conv2d(out_channels, out_channels, kernel_size=3, padding=1)
        self.conv_shortcut = (
            operations.Conv2d(in_channels, out_channels, kernel_size=1)
            if in_channels != out_channels
            else None
        )

    def forward(self, x: Tensor, context: Context) -> Tensor:
        h = convolved(self.conv1, silu(clip_norm(self.norm1, x, context.frames)), self._operations)
        h = added(self.time_emb_proj(context.embedding)[:, :, None, None], h)
        h = convolved(self.conv2, silu(clip_norm(self.norm2, h, context.frames)), self._operations)
        return added(
            x if self.conv_shortcut is None else convolved(self.conv_shortcut, x, self._operations), h
        )


class Downsample(nn.Module):
    """Halve height and width with a strided convolution."""

    def __init__(self, channels: int, padding: int, operations: Operations = TORCH) -> None:
        super().__init__()
        self._operations = operations
        self.conv = operations.Conv2d(channels, channels, kernel_size=3, stride=2, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        return convolved(self.conv, x, self._operations)


class Upsample(nn.Module):
    """Enlarge to a given height and width by nearest neighbour, then convolve."""

    def __init__(self, channels: int, operations: Operations = TORCH) -> None:
        super().__init__()
        self._operations = operations
        self.conv = operations.Conv2d(channels, channels, kernel_size=3, padding=1)

    def forward(self, x: Tensor, size: torch.Size) -> Tensor:
        if x.device.type not in ("cpu", "cuda"):  # on mps it gives black frames in half precision
            return self.conv(F.interpolate(x.float(), size=size, mode="nearest").to(x.dtype))
        return convolved(self.conv, F.interpolate(x, size=size, mode="nearest"), self._operations)


class _Stage(nn.Module):
    """Layers of one resolution: residual block, spatial transformer, motion module; STDA after the last.

    With `checkpointing`, training keeps what enters a layer and computes the rest again on the way back.
    """

    checkpointing = False

    def __init__(self, channels: int, inputs: list[int], spec: BlockSpec) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(spec.resnet(width, channels) for width in inputs)
        self.attentions = spec.attentions(channels, len(inputs))
        self.motion_modules = spec.motion_modules(channels, len(inputs))
        self.stda = spec.directional(channels)

    @property
    def layer(self) -> Callable[[int, Tensor, Context], Tensor]:
        """What runs a layer: (its index, x, the context). No frame of Python's in between holds x, so its
        memory is free once the layer is done with it.
        """
        return self._checkpointed if self.checkpointing and torch.is_grad_enabled() else self._layer

    def _checkpointed(self, index: int, x: Tensor, context: Context) -> Tensor:
        kept: Tensor = checkpoint(self._layer, index, x, context, use_reentrant=False)
        return kept

    def _layer(self, index: int, x: Tensor, context: Context) -> Tensor:
        x = self.resnets[index](x, context)
        if self.attentions:
            x = self.attentions[index](x, context)
        if self.motion_modules:
            x = self.motion_modules[index](x, context.frames)
        if self.stda is not None and index == len(self.resnets) - 1:
            x = apply_stda(self.stda, x, context.frames)
        return x


def checkpoint_stages(network: nn.Module, on: bool) -> None:
    """Switch `checkpointing` of all stages on or off: a step then takes less memory and more time."""
    for module in network.modules():
        if isinstance(module, _Stage):
            module.checkpointing = on


class DownBlock(_Stage):
    """One stage on the way down; returns its output and the activations kept for the way up."""

    def __init__(
        self, in_channels: int, channels: int, layers: int, spec: BlockSpec, downsample_padding: int | None
    ) -> None:
        super().__init__(channels, [in_channels] + [channels] * (layers - 1), spec)
        self.downsamplers = (
            None
            if downsample_padding is None
            else nn.ModuleList([Downsample(channels, downsample_padding, spec.operations)])
        )

    def forward(self, x: Tensor, context: Context) -> tuple[Tensor, list[Tensor]]:
        kept = []
        for index in range(len(self.resnets)):
            x = self.layer(index, x, context)
            kept.append(x)
        if self.downsamplers is not None:
            x = self.downsamplers[0](x)
            kept.append(x)
        return x, kept


class UpBlock(_Stage):
    """One stage on the way up; `skips` are the widths of the kept activations in the order they are used."""

    def __init__(
        self, in_channels: int, channels: int, skips: list[int], spec: BlockSpec, upsample: bool
    ) -> None:
        widths = [in_channels] + [channels] * (len(skips) - 1)
        super().__init__(channels, [a + b for a, b in zip(widths, skips, strict=True)], spec)
        self.upsamplers = nn.ModuleList([Upsample(channels, spec.operations)]) if upsample else None

    def forward(self, kept: list[Tensor], context: Context) -> None:
        """Takes its input and its share of the activations from the end of `kept` and puts its result there,
        which has the size of what is then before it. (A list, so that nobody else holds what is used up.)
        """
        self.layers(kept, context)
        if self.upsamplers is not None:
            kept.append(self.upsamplers[0](kept.pop(), kept[-1].shape[-2:]))

    def layers(self, kept: list[Tensor], context: Context, first: int = 0, stop: int | None = None) -> None:
        """Some of the layers, without the upsampling behind them."""
        for index in range(len(self.resnets))[first:stop]:
            kept.append(self.layer(index, torch.cat((kept.pop(), kept.pop()), dim=1), context))


class MidBlock(nn.Module):
    """Residual block, then transformer, motion module and residual block; STDA at the end."""

    def __init__(self, channels: int, spec: BlockSpec) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(spec.resnet(channels, channels) for _ in range(2))
        self.attentions = spec.attentions(channels, 1)
        self.motion_modules = spec.motion_modules(channels, 1)
        self.stda = spec.directional(channels)

    def forward(self, x: Tensor, context: Context) -> Tensor:
        x = self.resnets[0](x, context)
        x = self.attentions[0](x, context)
        if self.motion_modules:
            x = self.motion_modules[0](x, context.frames)
        x = self.resnets[1](x, context)
        return x if self.stda is None else apply_stda(self.stda, x, context.frames)


def apply_stda(stda: STDA, x: Tensor, frames: int) -> Tensor:
    """Run STDA on activations [B*T, C, h, w]."""
    clip = rearrange(x, "(b t) c h w -> b c t h w", t=frames)
    return rearrange(stda(clip), "b c t h w -> (b t) c h w")
