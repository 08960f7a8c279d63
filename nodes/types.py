"""The custom socket types of the EAD-Net nodes, and the values that they carry.

Images, audio, latents and the VAE use ComfyUI's own types.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from comfy_api.latest import io
from torch import Tensor

from ..eadnet.checkpoints import Checkpoint
from ..eadnet.errors import InputError
from ..eadnet.faces.face_track import FaceTrack
from ..eadnet.mixed_tokens import MixedTokens
from ..eadnet.sampling import MODES, AutoSampler, Savings
from .host import Network

CATEGORY = "EAD-Net"
# Where nodes stand in the menu, in the order in which a graph uses them.
_STAGES = {
    "1 Load": ("CheckpointLoader", "LatentSyncLoader"),
    "2 Speech and emotion": ("AudioEncode", "EmotionEncode", "EmotionTimeline", "EmotionCaption"),
    "3 Face": ("FaceTrack", "FaceTrackPreview", "Prepare"),
    "4 Talking head": ("RenderVideo", "Sampler", "SpeedUp", "TFRMSmoother", "FaceComposite"),
    "5 Portrait rig": (
        "FaceRig",
        "ExpressionFromSpeech",
        "ExpressionFromVideo",
        "EditExpression",
        "RenderRig",
        "ReEmote",
    ),
    "6 Scores": ("SyncScore", "VideoMetrics"),
    "7 Core sampling": ("ToModel", "Conditioning", "CustomSampling"),
}
CATEGORIES = {f"EADNet{name}": f"{CATEGORY}/{stage}" for stage, names in _STAGES.items() for name in names}

Model = io.Custom("EADNET_MODEL")
AudioEncoder = io.Custom("EADNET_AUDIO_ENCODER")
TextEncoder = io.Custom("EADNET_TEXT_ENCODER")
Smoother = io.Custom("EADNET_TFRM")
SyncNet = io.Custom("EADNET_SYNCNET")
Audio = io.Custom("EADNET_AUDIO")
Emotion = io.Custom("EADNET_EMOTION")
FaceTrackSocket = io.Custom("EADNET_FACE_TRACK")
FaceRig = io.Custom("EADNET_RIG")
Expression = io.Custom("EADNET_EXPRESSION")
# ComfyUI's own, in versions that have it; here it is only read.
FaceLandmarks = io.Custom("FACE_LANDMARKS")


class FileChoice(io.Combo.Input):
    """A choice of files, which come and go while a page shows the list it once got."""


# Keys of our own in a LATENT dictionary, beside ComfyUI's "samples".
MASK = "eadnet_mask"
MASKED_SAMPLES = "eadnet_masked_samples"

# Our key in the options of a CONDITIONING.
NULL = "eadnet_null_emotion"

# Stable Diffusion 1.5's factor between what its VAE gives and what its U-Nets were trained on.
SD_LATENT_SCALE = 0.18215

_SCHEMA_FIELDS = {field.name for field in fields(io.Schema)}


def schema(advanced: Sequence[str] = (), **settings: Any) -> io.Schema:
    """An `io.Schema` at its place in the menu, without the settings that this ComfyUI does not know yet.

    The widgets named in ``advanced`` are shown when a person asks for them, by "Show advanced" at the node's
    foot; where the page has none, `web/js/advanced.js` adds it.
    """
    for part in settings.get("inputs", ()):
        if part.id in advanced:
            part.extra_dict = {**part.extra_dict, "advanced": True}
    settings = {"category": CATEGORIES.get(settings.get("node_id", ""), CATEGORY), **settings}
    return io.Schema(**{name: value for name, value in settings.items() if name in _SCHEMA_FIELDS})


@dataclass(frozen=True)
class ModelInfo:
    """What a checkpoint's header says about using its U-Net.

    defaults: its default sampling settings: steps, guidances, shared noise.
    auto_sampler: how it is sampled where no sampler was chosen.
    latent_scale: factor from the latents in the graph (as the VAE gives them, so that ComfyUI's VAE nodes
        fit) to those the U-Net was trained on: 1 for checkpoints that bring their own VAE, 0.18215
        for Stable Diffusion 1.5's.
    latent_rgb: five rows (four latent channels and a constant) of red, green, blue in 0..1, or None.
    codec: of a model of motion, whose latents are maps of facial parameters; and its tokens [L, D] of the
        empty sentence, which it is never without.
    """

    preset: str
    resolution: int
    mask_region: str
    framing: str
    scheduler_config: dict[str, Any]
    latent_scale: float
    defaults: dict[str, Any]
    auto_sampler: AutoSampler
    latent_rgb: Sequence[Sequence[float]] | None
    codec: Any = None
    null_emotion: Tensor | None = None

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> ModelInfo:
        info = checkpoint.info
        own_autoencoder = "vae" in info["components"]
        # A file with a SyncNet alone says nothing about denoising.
        denoises = "unet" in info["components"] or "resolution" in info
        codec, text = (checkpoint.components.get(name) for name in ("codec", "text_encoder"))
        says_nothing = None if codec is None or text is None else _empty_sentence(text)
        return cls(
            preset=checkpoint.preset,
            resolution=checkpoint.resolution if denoises else 0,
            mask_region=checkpoint.mask_region,
            framing=checkpoint.framing if denoises else "",
            scheduler_config=checkpoint.scheduler_config if denoises else {},
            latent_scale=float(info.get("latent_scale", 1.0 if own_autoencoder else SD_LATENT_SCALE)),
            defaults=checkpoint.defaults,
            auto_sampler=checkpoint.auto_sampler,
            latent_rgb=info.get("latent_rgb"),
            codec=codec,
            null_emotion=says_nothing,
        )


@torch.no_grad()
def _empty_sentence(text_encoder: Any) -> Tensor:
    tokens: Tensor = text_encoder.encode([""])[0]
    return tokens


@dataclass(frozen=True)
class DiffusionModel:
    """EADNET_MODEL: the U-Net, and the settings that it was trained with; ``decoder`` shows what it makes,
    where its checkpoint has one. ``window_mode`` and ``savings`` are what EAD-Net Speed Up asks for.
    """

    network: Network
    info: ModelInfo
    decoder: Any = None
    window_mode: str = MODES[0]
    savings: Savings = Savings()

    def drawing(self) -> ModelInfo:
        """The settings of a model of pictures. Raises InputError for one that moves a rig."""
        if self.info.codec is not None:
            raise InputError(
                f"The model {self.info.preset} moves a rigged portrait and draws no face: connect it to "
                "EAD-Net Expression from Speech, or load mini here."
            )
        return self.info

    def get_ram_usage(self) -> int:
        return self.network.get_ram_usage()


@dataclass(frozen=True)
class GraphSmoother:
    """EADNET_TFRM: the module and the scale of the latents it was trained on (see `ModelInfo`)."""

    network: Network
    latent_scale: float

    def get_ram_usage(self) -> int:
        return self.network.get_ram_usage()


@dataclass(frozen=True)
class AudioTokens:
    """EADNET_AUDIO: audio tokens [T, N, D], N for each of T frames."""

    tokens: Tensor
    fps: float


@dataclass(frozen=True)
class EmotionTokens:
    """EADNET_EMOTION: tokens [L, D], or [T, L, D] when they change over time; the null text's [L, D].

    ``null`` is None for a CONDITIONING from elsewhere: guidance then compares with the U-Net run without
    emotion tokens.
    """

    tokens: Tensor
    null: Tensor | None

    def to_sample(self) -> Tensor | MixedTokens:
        """The tokens as the sampler takes them."""
        return self.tokens

    def is_null(self) -> bool:
        """Whether it is the null text throughout."""
        return self.null is not None and bool((self.tokens == self.null).all())

    def conditioning(self) -> list[list[Any]]:
        """ComfyUI's CONDITIONING with the same tokens; the null text's are in its options."""
        return [[self.tokens[None], {NULL: self.null}]]

    @classmethod
    def of(cls, value: Any) -> EmotionTokens:
        """From either socket. Raises InputError for a CONDITIONING without tokens."""
        if isinstance(value, cls):
            return value
        if not value or not isinstance(value[0][0], Tensor) or value[0][0].ndim != 3:
            raise InputError("The emotion input is an empty CONDITIONING: connect EAD-Net Encode Emotion.")
        tokens, options = value[0][0], value[0][1]
        return cls(tokens[0], options.get(NULL))


class EmotionTimeline(EmotionTokens):
    """EMOTION of a timeline. Its tokens are mixed from those of the sentences when a piece of the clip is
    sampled; ``tokens`` mixes those of the whole clip, for other packs that read them.
    """

    def __init__(self, mixed: MixedTokens) -> None:
        vars(self).update(null=mixed.null, _mixed=mixed)

    @property
    def tokens(self) -> Tensor:
        return self.to_sample().mixed()

    def to_sample(self) -> MixedTokens:
        mixed: MixedTokens = vars(self)["_mixed"]
        return mixed

    def is_null(self) -> bool:
        return self.to_sample().is_null()


@dataclass(frozen=True)
class TrackAndRegion:
    """EADNET_FACE_TRACK: where the face is in every frame, and which part of it the model generates."""

    track: FaceTrack
    mask_region: str
