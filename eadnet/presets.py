"""The named models: architecture, resolution, mask and noise schedule of each.

`latentsync-1.5` and `latentsync-1.6` are one network trained on crops of different size, which its tensors
do not tell; therefore the resolution is a property of the preset and travels in a checkpoint's header.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import CheckpointError, no_such
from .sampling.auto_sampler import AutoSampler
from .sampling.schedulers import LATENTSYNC_DDIM
from .sampling.unipc import LOG_SNR

LATENTSYNC_UNET: dict[str, Any] = {
    "act_fn": "silu",
    "add_audio_layer": True,
    "attention_head_dim": 8,
    "block_out_channels": [320, 640, 1280, 1280],
    "center_input_sample": False,
    "cross_attention_dim": 384,
    "down_block_types": [
        "CrossAttnDownBlock3D",
        "CrossAttnDownBlock3D",
        "CrossAttnDownBlock3D",
        "DownBlock3D",
    ],
    "mid_block_type": "UNetMidBlock3DCrossAttn",
    "up_block_types": ["UpBlock3D", "CrossAttnUpBlock3D", "CrossAttnUpBlock3D", "CrossAttnUpBlock3D"],
    "downsample_padding": 1,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "in_channels": 13,
    "layers_per_block": 2,
    "mid_block_scale_factor": 1,
    "norm_eps": 1e-5,
    "norm_num_groups": 32,
    "out_channels": 4,
    "sample_size": 64,
    "resnet_time_scale_shift": "default",
    "use_motion_module": True,
    "motion_module_resolutions": [1, 2, 4, 8],
    "motion_module_mid_block": False,
    "motion_module_decoder_only": False,
    "motion_module_type": "Vanilla",
    "motion_module_kwargs": {
        "num_attention_heads": 8,
        "num_transformer_block": 1,
        "attention_block_types": ["Temporal_Self", "Temporal_Self"],
        "temporal_position_encoding": True,
        "temporal_position_encoding_max_len": 24,
        "temporal_attention_dim_div": 1,
        "zero_initialize": True,
    },
}
"""The published U-Net (`configs/unet/stage2*.yaml` of LatentSync 1.5 and 1.6)."""

WHISPER_TINY: dict[str, Any] = {
    "n_mels": 80,
    "n_audio_ctx": 1500,
    "n_audio_state": 384,
    "n_audio_head": 6,
    "n_audio_layer": 4,
}

STABLE_SYNCNET: dict[str, Any] = {
    "audio_encoder": {
        "in_channels": 1,
        "block_out_channels": [32, 64, 128, 256, 512, 1024, 2048],
        "downsample_factors": [[2, 1], 2, 2, 1, 2, 2, [2, 3]],
        "attn_blocks": [0, 0, 0, 1, 1, 0, 0],
        "dropout": 0.0,
    },
    "visual_encoder": {
        "in_channels": 48,
        "block_out_channels": [64, 128, 256, 256, 512, 1024, 2048, 2048],
        "downsample_factors": [[1, 2], 2, 2, 2, 2, 2, 2, 2],
        "attn_blocks": [0, 0, 0, 0, 1, 1, 0, 0],
        "dropout": 0.0,
    },
}
"""The published SyncNet of LatentSync (`configs/syncnet/syncnet_16_pixel_attn.yaml`)."""

_CLIP_WIDTH = 768  # ViT-L/14's text width

_EAD_PARTS: dict[str, Any] = {"emotion_attention": True, "emotion_dim": _CLIP_WIDTH, "stda": {}}

_MINI_TEXT_WIDTH = 96

_MINI_UNET: dict[str, Any] = {
    **LATENTSYNC_UNET,
    "attention_head_dim": 4,
    # Attention and temporal modules only below the full 16 x 16 grid: training has two processor cores.
    "block_out_channels": [48, 96, 128],
    "cross_attention_dim": 64,
    "down_block_types": ["DownBlock3D", "CrossAttnDownBlock3D", "CrossAttnDownBlock3D"],
    "up_block_types": ["CrossAttnUpBlock3D", "CrossAttnUpBlock3D", "UpBlock3D"],
    "layers_per_block": 1,
    "norm_num_groups": 16,
    "sample_size": 16,
    "motion_module_resolutions": [2, 4],
    "motion_module_kwargs": {**LATENTSYNC_UNET["motion_module_kwargs"], "num_attention_heads": 4},
    "ead": {
        "emotion_attention": True,
        "emotion_dim": _MINI_TEXT_WIDTH,
        "emotion_global": True,
        "stda": {"heads": 6, "strip": 2},
    },
}


# A map of motion has 8 x 4 places: two levels, attention at the lower one, long windows.
_MOTION_UNET: dict[str, Any] = {
    **_MINI_UNET,
    "block_out_channels": [32, 64],
    "down_block_types": ["DownBlock3D", "CrossAttnDownBlock3D"],
    "up_block_types": ["CrossAttnUpBlock3D", "UpBlock3D"],
    "sample_size": 8,
    "motion_module_resolutions": [2],
    "motion_module_kwargs": {
        **_MINI_UNET["motion_module_kwargs"],
        "temporal_position_encoding_max_len": 64,
    },
    "ead": {**_MINI_UNET["ead"], "stda": {"heads": 3, "strip": 2}},
}


@dataclass(frozen=True)
class Preset:
    """A model by name. Configurations are those of the classes in `eadnet.modules`; empty when there is
    none. ``auto_sampler`` is what it is sampled with where no sampler was chosen; with one that was, it takes
    the steps of its ``defaults``.
    """

    name: str
    resolution: int
    mask_region: str
    unet_config: dict[str, Any]
    scheduler_config: dict[str, Any]
    defaults: dict[str, Any]
    audio_config: dict[str, Any] = field(default_factory=dict)
    text_config: dict[str, Any] = field(default_factory=dict)
    tfrm_config: dict[str, Any] = field(default_factory=dict)
    fps: int = 25
    framing: str = "latentsync"
    auto_sampler: AutoSampler = AutoSampler()

    def info(self) -> dict[str, Any]:
        """The header entries of a checkpoint of this preset, without its components."""
        return copy.deepcopy(
            {
                "preset": self.name,
                "resolution": self.resolution,
                "fps": self.fps,
                "mask_region": self.mask_region,
                "framing": self.framing,
                "scheduler": self.scheduler_config,
                "defaults": self.defaults,
            }
        )


# A fifth of the work of DDIM in 20 steps and two thirds of the published command's, which caches. On a
# trained network it has fewer seams and less jitter than the command and comes as near to 50 steps, since its
# steps lie where they count (`docs/results/fewer-evaluations.md`).
_UNIPC = AutoSampler("unipc", steps=4, spacing=LOG_SNR)


def _latentsync(name: str, resolution: int) -> Preset:
    return Preset(
        name=name,
        resolution=resolution,
        mask_region="lower_face",
        unet_config=LATENTSYNC_UNET,
        scheduler_config=LATENTSYNC_DDIM,
        defaults={"steps": 20, "audio_guidance": 1.5, "emotion_guidance": 1.0, "shared_noise": 1.0},
        audio_config=WHISPER_TINY,
        auto_sampler=_UNIPC,
    )


def _ead(name: str, resolution: int) -> Preset:
    """LatentSync's network with EAD-Net's parts. Reconstruction: the expression needs the whole face
    generated.
    """
    return Preset(
        name=name,
        resolution=resolution,
        mask_region="face",
        unet_config={**LATENTSYNC_UNET, "ead": _EAD_PARTS},
        scheduler_config=LATENTSYNC_DDIM,
        defaults={"steps": 20, "audio_guidance": 1.5, "emotion_guidance": 2.0, "shared_noise": 1.0},
        audio_config=WHISPER_TINY,
        auto_sampler=_UNIPC,
    )


# Velocity prediction, first step at the noisiest level and last step at none: right for any number of steps.
_VELOCITY_DDIM: dict[str, Any] = {
    **LATENTSYNC_DDIM,
    "prediction_type": "v_prediction",
    "timestep_spacing": "trailing",
    "set_alpha_to_one": True,
}

_MINI = Preset(
    name="mini",
    resolution=128,
    mask_region="face",
    unet_config=_MINI_UNET,
    scheduler_config=_VELOCITY_DDIM,
    defaults={"steps": 1, "audio_guidance": 1.5, "emotion_guidance": 1.5, "shared_noise": 1.0},
    audio_config={
        "n_mels": 80,
        "width": 192,
        "dim": 64,
        "dilations": [1, 2, 4, 8, 16, 1, 2, 1, 2],
        "groups": 12,
    },
    text_config={"dim": _MINI_TEXT_WIDTH},
    tfrm_config={"local": True},
    framing="portrait",
)

_MOTION = Preset(
    name="motion",
    resolution=64,  # of no picture: the header's rule is eight pixels for each of the map's eight rows
    mask_region="face",
    unet_config=_MOTION_UNET,
    # Every parameter has several cells and moves slowly, so signal shows through much noise: more of it than
    # pixels get (as arXiv 2301.11093 does at high resolutions), and at the noisiest level nothing else.
    scheduler_config={
        **_VELOCITY_DDIM,
        "beta_start": 0.0014,
        "beta_end": 0.022,
        "rescale_betas_zero_snr": True,
    },
    # Frames share no noise. One step gives what is to be expected of sound and sentence: mouth and expression
    # of two without their jitter (`docs/results/fewer-evaluations.md`). What neither decides, blinks, glances
    # and the head, is drawn by rule (`driving/idle.py`).
    defaults={
        "steps": 1,
        "audio_guidance": 1.6,
        "emotion_guidance": 1.6,
        "shared_noise": 0.0,
        "window": 48,
        "overlap": 8,
    },
    audio_config=_MINI.audio_config,
    text_config=_MINI.text_config,
    tfrm_config={"local": True},
    framing="portrait",
)

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        _MINI,
        _MOTION,
        _latentsync("latentsync-1.5", 256),
        _latentsync("latentsync-1.6", 512),
        _ead("ead-256", 256),
        _ead("ead-512", 512),
    )
}


# The default settings that files of these presets carry if they were written before one step was found to be
# as good as two.
_FORMER_DEFAULTS = {preset.name: {**preset.defaults, "steps": 2} for preset in (_MINI, _MOTION)}


def current_defaults(preset: str, written: Mapping[str, Any]) -> dict[str, Any]:
    """The default settings of a file of this preset that says ``written``: today's where it says what the
    preset had before, else its own.
    """
    former = _FORMER_DEFAULTS.get(preset)
    return dict(PRESETS[preset].defaults if former is not None and written == former else written)


def auto_sampler_of(preset: str, written: Mapping[str, Any]) -> AutoSampler:
    """How a file of this preset that says ``written`` as its default settings is sampled where no sampler was
    chosen: with the preset's own, or with DDIM where the file has settings of its own.
    """
    known = PRESETS.get(preset)
    return (
        known.auto_sampler
        if known is not None and current_defaults(preset, written) == known.defaults
        else AutoSampler()
    )


def find_preset(name: str) -> Preset:
    """A preset by name. Raises CheckpointError that names the nearest, and all."""
    if name not in PRESETS:
        raise CheckpointError(no_such("preset", name, PRESETS))
    return PRESETS[name]
