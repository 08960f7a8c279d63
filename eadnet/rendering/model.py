"""A checkpoint's networks, for rendering without ComfyUI."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..adapters import apply_adapter
from ..checkpoints import Checkpoint, load_checkpoint, named_checkpoint
from ..errors import CheckpointError
from ..finite import TEXT_ADVICE, check_result
from ..modules.joined import lay_out_projections
from ..modules.tfrm import TFRM
from ..printable import get_logger
from .finite_vae import Coder, FiniteVAE
from .networks import Networks

logger = get_logger(__name__)


@dataclass(frozen=True)
class Model:
    """The networks of one talking face. ``text_encoder`` and ``tfrm`` are None where the checkpoint has
    none.
    """

    checkpoint: Checkpoint
    unet: nn.Module
    vae: Any
    audio_encoder: Any
    text_encoder: Any
    tfrm: TFRM | None

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Model:
        """Move the networks; ``dtype`` applies to the heavy ones, U-Net and VAE (which goes over to float32
        where a result is not finite, see `FiniteVAE`).
        """
        for module in (self.unet, self.vae, self.audio_encoder, self.text_encoder, self.tfrm):
            if module is not None:
                module.to(device)
        if dtype is not None:
            self.unet.to(dtype)
            self.vae.to(dtype)
        lay_out_projections(self.unet)
        return self

    def networks(self) -> Networks:
        """The networks as a render uses them."""
        vae = FiniteVAE(_coder(self.vae), lambda: _in_float32(self.vae))
        return Networks(
            unet=self.unet,
            audio_encoder=self.audio_encoder,
            tfrm=self.tfrm,
            encode=vae.encode,
            decode=vae.decode,
            vae=vae,
            identity=(self.unet, self.vae, self.audio_encoder),
        )

    @torch.no_grad()
    def encode_emotion(self, emotion: str | Tensor) -> tuple[Tensor | None, Tensor | None]:
        """(emotion, null emotion): tokens [L, D] of a text (None for an empty one) or those given, [L, D] or
        [T, L, D]; and those of the empty sentence. Both are None for a model that takes no emotion.
        """
        encoder = self.text_encoder
        if encoder is None:
            if not isinstance(emotion, str) or emotion.strip():
                logger.warning("This model has no emotion attention: the emotion text is not used.")
            return None, None
        null = check_result(encoder.encode([""])[0], "text encoder", TEXT_ADVICE)
        if not isinstance(emotion, str):
            return emotion, null
        if not emotion.strip():
            return None, null
        return check_result(encoder.encode([emotion])[0], "text encoder", TEXT_ADVICE), null


def _coder(vae: Any) -> Coder:
    """Both ways through a VAE module, from and to float32 on the processor."""

    def on_device(run: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        def way(batch: Tensor) -> Tensor:
            weights = next(vae.parameters())
            return run(batch.to(weights.device, weights.dtype)).float().cpu()

        return way

    return Coder(on_device(vae.encode), on_device(vae.decode))


def _in_float32(vae: nn.Module) -> Coder | None:
    """Through a copy of a VAE in float32; None where it computes in float32 already."""
    if next(vae.parameters()).dtype == torch.float32:
        return None
    return _coder(copy.deepcopy(vae).float())


def load_model(
    checkpoint: str | os.PathLike[str] | None = None,
    *,
    audio_encoder: str | os.PathLike[str] | None = None,
    vae: str | os.PathLike[str] | None = None,
    text_encoder: str | os.PathLike[str] | None = None,
    adapter: str | os.PathLike[str] | None = None,
) -> Model:
    """Load a checkpoint ("mini" or None: the bundled one) and the parts it lacks from files of their own.

    ``audio_encoder`` is a converted Whisper, ``vae`` a Stable Diffusion VAE, ``text_encoder`` a folder of
    CLIP ViT-L/14; ``adapter`` is what `eadnet train adapter` made. Raises CheckpointError when a needed part
    is missing or does not fit.
    """
    path = named_checkpoint(checkpoint or "mini")
    main = load_checkpoint(path)
    parts: dict[str, Any] = dict(main.components)
    if "codec" in parts:  # its latents are no pictures
        raise CheckpointError(
            f"{main.path.name} moves portraits and draws no face: leave --method pixels out, or choose "
            "another checkpoint."
        )
    if adapter is not None:
        if "unet" not in parts:
            raise CheckpointError(f"{main.path.name} has no unet for an adapter: give one with --checkpoint.")
        parts["unet"] = apply_adapter(parts["unet"], adapter, main.info)
    if audio_encoder is not None:
        parts["audio_encoder"] = load_checkpoint(audio_encoder, only=["audio_encoder"]).component(
            "audio_encoder"
        )
    if vae is not None:
        from ..modules.vae import SDAutoencoder

        parts["vae"] = SDAutoencoder.from_file(vae)
    if text_encoder is not None:
        from ..modules.clip_text import CLIPTextEncoder

        parts["text_encoder"] = CLIPTextEncoder.from_files(text_encoder)
    for name, option in (("unet", "--checkpoint"), ("audio_encoder", "--audio-encoder"), ("vae", "--vae")):
        if name not in parts:
            raise CheckpointError(f"{main.path.name} has no {name}: give one with {option}.")
    return Model(
        checkpoint=main,
        unet=parts["unet"],
        vae=parts["vae"],
        audio_encoder=parts["audio_encoder"],
        text_encoder=parts.get("text_encoder"),
        tfrm=parts.get("tfrm"),
    )
