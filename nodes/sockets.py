"""The one door for AUDIO, IMAGE, LATENT and MASK: whatever other packs send, as we use it, or a sentence that
names the input. Frames that may be a VIDEO have theirs in `footage.py`, widgets in `checks.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..eadnet.errors import InputError
from ..eadnet.faces.crops import check_frames
from ..eadnet.finite import all_finite
from ..eadnet.media.recording import Recording, recording_of
from ..eadnet.media.tensors import NO_NUMBERS, tensor_of
from . import host


def audio_of(value: Any, name: str = "audio", advice: str = "connect the speech") -> Recording:
    """An AUDIO as [C, S] samples and a rate (see `recording_of`)."""
    return recording_of(value, name, advice)


def image_of(value: Any, name: str = "images") -> Tensor:
    """An IMAGE [B, H, W, 1..4], all of it checked, with a look at Cancel before each picture; one picture
    without a batch is a batch of one.
    """
    if value is None:
        raise InputError(f"The {name} input is empty: connect an IMAGE.")
    try:
        image = tensor_of(value)
    except NO_NUMBERS as error:
        raise InputError(
            f"The {name} input is a {type(value).__name__} and no IMAGE: connect one."
        ) from error
    image = image[None] if image.ndim == 3 and image.shape[-1] <= 4 else image
    check_frames(image, f"{name} input", host.check_cancelled)
    return image


def latents_of(value: Any, name: str = "samples") -> Tensor:
    """The samples [T, 4, h, w] of a LATENT, floating point and finite."""
    if not isinstance(value, Mapping) or value.get("samples") is None:
        raise InputError(f"The {name} input is a {type(value).__name__} and no LATENT: connect one.")
    try:
        samples = tensor_of(value["samples"])
    except NO_NUMBERS as error:
        raise InputError(f"The LATENT at {name} holds no numbers: check the node that made it.") from error
    if samples.ndim != 4 or 0 in samples.shape or samples.shape[1] != 4 or not samples.is_floating_point():
        raise InputError(
            f"The LATENT at {name} has {samples.dtype} samples of the shape {list(samples.shape)}, where "
            "floating point [frames, 4, height, width] is needed: connect frames of the model's own VAE."
        )
    if not all_finite(samples):
        raise InputError(
            f"The latents at {name} contain values that are not finite: check the node that made them."
        )
    return samples


def mask_of(value: Any, name: str = "mask") -> Tensor:
    """A MASK as [B, H, W] floating point in 0..1, from [H, W], [B, H, W], [B, 1, H, W] or [B, H, W, 1] of any
    type of number: bytes are 0 to 255, other integers and truth values 0 and 1.
    """
    try:
        mask = tensor_of(value)
    except NO_NUMBERS as error:
        raise InputError(f"The {name} input is a {type(value).__name__} and no MASK: connect one.") from error
    if mask.ndim == 4 and mask.shape[-1] == 1 and mask.shape[1] != 1:
        mask = mask[..., 0]
    if mask.ndim == 4 and mask.shape[1] == 1:
        mask = mask[:, 0]
    if mask.ndim == 2:
        mask = mask[None]
    if mask.ndim != 3 or 0 in mask.shape or mask.is_complex():
        raise InputError(
            f"The {name} input has the shape {list(mask.shape)}: a MASK has [batch, height, width] and at "
            "least one pixel."
        )
    mask = mask.float() / 255 if mask.dtype == torch.uint8 else mask.float()
    if not torch.isfinite(mask).all():
        raise InputError(f"The {name} input has values that are not finite: check the node that made it.")
    return mask.clamp(0, 1)
