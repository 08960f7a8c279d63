"""The networks of a render, wherever they are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ..modules.tfrm import TFRM
from .finite_vae import FiniteVAE


@dataclass(frozen=True)
class Networks:
    """What a talking face is made with.

    encode     crops [n, 3, R, R] in [-1, 1] to latents [n, 4, R/8, R/8], scaled as the U-Net expects them
    decode     the other way
    identity   what changes with the weights: the modules themselves, VAE included, and factors
               between them (for `Scene.fingerprint`)
    vae        what is behind ``encode`` and ``decode``, where it may go over to float32 on the way
    smoother   the module behind ``tfrm``, where that is not it, for the same purpose
    """

    unet: nn.Module
    audio_encoder: Any
    tfrm: TFRM | None
    encode: Callable[[Tensor], Tensor]
    decode: Callable[[Tensor], Tensor]
    identity: tuple[Any, ...]
    vae: FiniteVAE | None = None
    smoother: Any = None

    @property
    def smoother_identity(self) -> Any:
        return self.tfrm if self.smoother is None else self.smoother
