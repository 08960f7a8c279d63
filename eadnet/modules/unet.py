"""The U-Net: LatentSync's latent video U-Net with EAD-Net's parts beside it.

Without the `ead` section of its configuration this is LatentSync's U-Net (arXiv 2412.09262) key by key and
number by number. The `ead` section adds emotion cross-attention, a global emotion signal and STDA; all of
them start as exact identities, so a LatentSync checkpoint keeps its outputs until they are trained. Where
they sit in the network is our reconstruction of EAD-Net (arXiv 2604.23325).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import InputError
from .attention import Context, group_norm
from .blocks import BlockSpec, DownBlock, MidBlock, UpBlock, clip_norm
from .embeddings import EmotionEmbedding, TimestepEmbedding, timestep_embedding
from .in_place import silu
from .operations import TORCH, Operations

# Settings of the published configuration that have one supported value.
_FIXED: dict[str, Any] = {
    "act_fn": "silu",
    "add_audio_layer": True,
    "center_input_sample": False,
    "mid_block_scale_factor": 1,
    "mid_block_type": "UNetMidBlock3DCrossAttn",
    "motion_module_type": "Vanilla",
    "resnet_time_scale_shift": "default",
    "use_inflated_groupnorm": False,
}
_FIXED_MOTION: dict[str, Any] = {"temporal_attention_dim_div": 1, "temporal_position_encoding": True}
_DOWN_TYPES = ("CrossAttnDownBlock3D", "DownBlock3D")
_UP_TYPES = ("CrossAttnUpBlock3D", "UpBlock3D")
_EAD_KEYS = ("emotion_attention", "emotion_dim", "emotion_global", "stda")
_DEFAULT_STDA_HEADS = 6
_DEFAULT_EMOTION_DIM = 768

SHALLOW_LAYERS = 1
"""How many of the outermost layers run where deep features are used again."""


@dataclass
class DeepFeatures:
    """What all but the outermost layers made of an input, [B*T, C, h, w]; None until a call has filled it in.

    Handed to a later call for a neighbouring step, it stands for these layers (DeepCache, arXiv 2312.00858).
    """

    features: Tensor | None = None


class EADUNet(nn.Module):
    """Predicts the noise (or velocity) in the latents of a clip, given audio and emotion.

    Attributes:
        config: the full configuration, JSON-able.
        frame_limit: most frames one call can take, or None without motion modules.
        emotion_dim: width of the emotion tokens, or None when the network takes no emotion.
        channels_last: its activations are. With weights in another layout, every convolution would copy
            them at every call, so whoever loads weights stores them that way.
        compute_dtype: the type of the activations, or None for that of the weights.
        compute_device: where it runs, or None for where the weights are.
    """

    config: dict[str, Any]
    channels_last = True
    compute_dtype: torch.dtype | None = None
    compute_device: torch.device | None = None

    def __init__(self, config: Mapping[str, Any], operations: Operations = TORCH) -> None:
        super().__init__()
        self.config = copy.deepcopy(dict(config))
        _check_config(self.config)
        widths = list(config["block_out_channels"])
        levels = len(widths)
        layers = config["layers_per_block"]
        embedding_dim = 4 * widths[0]
        ead = config.get("ead") or {}
        specs = _Specs(self.config, embedding_dim, operations)
        takes_emotion = ead.get("emotion_attention") or ead.get("emotion_global")
        self.emotion_dim: int | None = specs.emotion_dim if takes_emotion else None
        self.frame_limit: int | None = specs.frame_limit

        self.conv_in = operations.Conv2d(config["in_channels"], widths[0], kernel_size=3, padding=1)
        self.time_embedding = TimestepEmbedding(widths[0], embedding_dim, operations)
        self.emotion_embedding = (
            EmotionEmbedding(specs.emotion_dim, embedding_dim, operations)
            if ead.get("emotion_global")
            else None
        )

        skips = [widths[0]]
        self.down_blocks = nn.ModuleList()
        for level, width in enumerate(widths):
            last = level == levels - 1
            padding = None if last else config["downsample_padding"]
            spec = specs.down(level)
            self.down_blocks.append(DownBlock(widths[max(level - 1, 0)], width, layers, spec, padding))
            skips += [width] * (layers if last else layers + 1)

        self.mid_block = MidBlock(widths[-1], specs.mid())

        self.up_blocks = nn.ModuleList()
        below = widths[-1]
        for level in reversed(range(levels)):
            used = [skips.pop() for _ in range(layers + 1)]
            self.up_blocks.append(UpBlock(below, widths[level], used, specs.up(level), upsample=level > 0))
            below = widths[level]

        self.conv_norm_out = group_norm(widths[0], config["norm_num_groups"], config["norm_eps"], operations)
        self.conv_out = operations.Conv2d(widths[0], config["out_channels"], kernel_size=3, padding=1)

    @classmethod
    def from_config(cls, config: Mapping[str, Any], operations: Operations = TORCH) -> EADUNet:
        """Build from LatentSync's configuration keys plus an optional `ead` section.

        The `ead` section is {"emotion_attention": bool, "emotion_dim": int, "emotion_global": bool,
        "stda": None or keyword arguments of `STDA`}; every part may be left out. ``operations`` are the
        layers it is built of.

        Raises:
            InputError: a setting this network does not support.
        """
        return cls(config, operations)

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor | float,
        audio: Tensor,
        emotion: Tensor | None = None,
        deep: DeepFeatures | None = None,
    ) -> Tensor:
        """One denoising evaluation.

        Args:
            sample: [B, Cin, T, h, w] noisy latents with the conditioning channels behind them.
            timestep: a number, a 0-d tensor, or [B].
            audio: [B, T, N, D] audio tokens of each frame; zeros mean no audio.
            emotion: [B, L, De] for the whole clip or [B, T, L, De] per frame; None skips the emotion parts.
            deep: filled in when it is empty; else the deep layers are left out and it is used in their place.

        Returns:
            [B, Cout, T, h, w].

        Raises:
            InputError: shapes that do not fit the network or each other.
        """
        self._check_inputs(sample, audio, emotion)
        dtype = self.compute_dtype or self.conv_in.weight.dtype
        batch, _, frames = sample.shape[:3]
        if emotion is not None:
            emotion = emotion.to(dtype)
        context = Context(
            frames=frames,
            embedding=F.silu(self._embedding(timestep, emotion, sample, dtype)),
            audio=rearrange(audio.to(dtype), "b t n d -> (b t) n d"),
            emotion=rearrange(emotion, "b t l d -> (b t) l d")
            if emotion is not None and emotion.ndim == 4
            else emotion,
        )
        # Channels-last: convolutions run faster and the tokens of the transformers become views.
        x = rearrange(sample.to(dtype), "b c t h w -> (b t) c h w")
        x = x.contiguous(memory_format=torch.channels_last)
        x = self.conv_in(x)
        kept = [x]
        outermost = cast(UpBlock, self.up_blocks[-1])
        first = len(outermost.resnets) - SHALLOW_LAYERS
        if deep is None or deep.features is None:
            for block in self.down_blocks:
                x, activations = block(x, context)
                kept += activations
            kept.append(self.mid_block(x, context))
            del x
            for block in self.up_blocks[:-1]:
                block(kept, context)
            outermost.layers(kept, context, 0, first)
            if deep is not None:
                deep.features = kept[-1]
        else:
            for index in range(SHALLOW_LAYERS - 1):
                x = cast(DownBlock, self.down_blocks[0]).layer(index, x, context)
                kept.append(x)
            kept.append(deep.features)
        outermost.layers(kept, context, first)
        x = kept.pop()
        x = self.conv_out(silu(clip_norm(self.conv_norm_out, x, frames)))
        return rearrange(x, "(b t) c h w -> b c t h w", b=batch).contiguous()

    def _embedding(
        self, timestep: Tensor | float, emotion: Tensor | None, sample: Tensor, dtype: torch.dtype
    ) -> Tensor:
        """Time embedding plus the global emotion: [B*T, E].

        It is spread over the frames in every case, so that results do not depend on whether an (untrained)
        emotion is present even in the last bit.
        """
        batch, _, frames = sample.shape[:3]
        timesteps = torch.as_tensor(timestep, device=sample.device).reshape(-1).expand(batch)
        waves = timestep_embedding(
            timesteps,
            self.config["block_out_channels"][0],
            cos_first=self.config["flip_sin_to_cos"],
            freq_shift=self.config["freq_shift"],
        )
        embedding = self.time_embedding(waves.to(dtype))[:, None].expand(-1, frames, -1)
        if emotion is not None and self.emotion_embedding is not None:
            shift = self.emotion_embedding(emotion)
            embedding = embedding + (shift if shift.ndim == 3 else shift[:, None])
        return rearrange(embedding, "b t e -> (b t) e")

    def _check_inputs(self, sample: Tensor, audio: Tensor, emotion: Tensor | None) -> None:
        channels = self.config["in_channels"]
        if sample.ndim != 5 or sample.shape[1] != channels:
            raise InputError(
                f"The U-Net takes latents of shape [batch, {channels}, frames, height, width], not "
                f"{list(sample.shape)}."
            )
        batch, _, frames = sample.shape[:3]
        if self.frame_limit is not None and frames > self.frame_limit:
            raise InputError(
                f"This model takes at most {self.frame_limit} frames at once, not {frames}: use a window "
                f"(context_length) of {self.frame_limit} frames or fewer."
            )
        if audio.ndim != 4 or tuple(audio.shape[:2]) != (batch, frames):
            raise InputError(
                f"Audio features must have shape [batch {batch}, frames {frames}, tokens, width]; they have "
                f"{list(audio.shape)}: encode the audio for the same number of frames."
            )
        width = self.config["cross_attention_dim"]
        if audio.shape[-1] != width:
            raise InputError(
                f"This model takes audio features of width {width}, not {audio.shape[-1]}: use the audio "
                "encoder of the same loader."
            )
        if emotion is not None:
            self._check_emotion(emotion, batch, frames)

    def _check_emotion(self, emotion: Tensor, batch: int, frames: int) -> None:
        if self.emotion_dim is None:
            raise InputError(
                "This model has no emotion attention: leave emotion unconnected, or load an EAD-Net model or "
                "adapter."
            )
        if emotion.shape[-1] != self.emotion_dim:
            raise InputError(
                f"This model takes emotion tokens of width {self.emotion_dim}, not {emotion.shape[-1]}: use "
                "the text encoder of the same loader."
            )
        leading = tuple(emotion.shape[:-2])
        if leading not in ((batch,), (batch, frames)):
            raise InputError(
                f"Emotion tokens must have shape [batch {batch}, tokens, width] or "
                f"[batch {batch}, frames {frames}, tokens, width]; they have {list(emotion.shape)}."
            )


class _Specs:
    """Reads the configuration into the specification of each stage."""

    def __init__(self, config: Mapping[str, Any], embedding_dim: int, operations: Operations) -> None:
        self._config = config
        self._operations = operations
        self._embedding_dim = embedding_dim
        self._levels = len(config["block_out_channels"])
        ead = config.get("ead") or {}
        self.emotion_dim = int(ead.get("emotion_dim", _DEFAULT_EMOTION_DIM))
        self._emotion_attention = bool(ead.get("emotion_attention"))
        stda = ead.get("stda")
        self._stda = None if stda is None else {"heads": _DEFAULT_STDA_HEADS, **stda}
        self._motion = config["motion_module_kwargs"] if config["use_motion_module"] else None

    @property
    def frame_limit(self) -> int | None:
        return None if self._motion is None else self._motion["temporal_position_encoding_max_len"]

    def down(self, level: int) -> BlockSpec:
        in_encoder = not self._config["motion_module_decoder_only"]
        attends = self._config["down_block_types"][level] == _DOWN_TYPES[0]
        return self._spec(level, attends, in_encoder and self._moves(level))

    def mid(self) -> BlockSpec:
        return self._spec(self._levels - 1, True, self._config["motion_module_mid_block"])

    def up(self, level: int) -> BlockSpec:
        attends = self._config["up_block_types"][self._levels - 1 - level] == _UP_TYPES[0]
        return self._spec(level, attends, self._moves(level))

    def _moves(self, level: int) -> bool:
        return 2**level in self._config["motion_module_resolutions"]

    def _spec(self, level: int, attends: bool, moves: bool) -> BlockSpec:
        heads = self._config["attention_head_dim"]
        return BlockSpec(
            embedding_dim=self._embedding_dim,
            norm_groups=self._config["norm_num_groups"],
            norm_eps=self._config["norm_eps"],
            # The published key is misnamed: its value is the number of heads, not their width.
            heads=(heads if isinstance(heads, int) else heads[level]) if attends else None,
            audio_dim=self._config["cross_attention_dim"],
            emotion_dim=self.emotion_dim if self._emotion_attention else None,
            motion=self._motion if moves else None,
            stda=self._stda,
            operations=self._operations,
        )


def _check_config(config: Mapping[str, Any]) -> None:
    unknown = set(config.get("ead") or {}) - set(_EAD_KEYS)
    if unknown:
        raise InputError(
            f"The U-Net's ead section has no setting {min(unknown)!r}; it has {', '.join(_EAD_KEYS)}."
        )
    levels = len(config["block_out_channels"])
    for key, allowed in (("down_block_types", _DOWN_TYPES), ("up_block_types", _UP_TYPES)):
        kinds = config[key]
        if len(kinds) != levels or any(kind not in allowed for kind in kinds):
            raise InputError(
                f"The U-Net setting {key} must name {levels} of {' or '.join(allowed)}; it is {list(kinds)}."
            )
    motion = config["motion_module_kwargs"] if config["use_motion_module"] else {}
    for settings, fixed in ((config, _FIXED), (motion, _FIXED_MOTION)):
        for key, value in fixed.items():
            if settings.get(key, value) != value:
                raise InputError(
                    f"The U-Net setting {key} = {settings[key]!r} is not supported; it must be {value!r}."
                )
