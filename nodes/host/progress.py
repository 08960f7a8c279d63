"""Progress, previews of latents, Cancel."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import comfy.latent_formats
import comfy.utils
import latent_preview
import numpy as np
import torch
from comfy import model_management
from PIL import Image
from torch import Tensor, nn

from ...eadnet.modules.operations import placement


def check_cancelled() -> None:
    """Raises when the user has pressed Cancel."""
    model_management.throw_exception_if_processing_interrupted()


@contextmanager
def cancellable(*networks: Any) -> Iterator[None]:
    """Answers Cancel within networks, too: before each of their layers, where they run on the processor and
    once through them takes seconds.
    """
    with ExitStack() as hooks:
        for network in networks:
            if isinstance(network, nn.Module) and placement(network)[0].type == "cpu":
                for layer in network.modules():
                    if next(layer.children(), None) is None:
                        hooks.callback(layer.register_forward_pre_hook(_check_before).remove)
        yield


def _check_before(layer: nn.Module, inputs: Any) -> None:
    check_cancelled()


class NodeProgress:
    """A node's progress bar. Every update raises when the user has pressed Cancel."""

    def __init__(self, total: int, node_id: str | None) -> None:
        self._bar = comfy.utils.ProgressBar(total, node_id=node_id)

    def update(self, done: int, preview: Any = None) -> None:
        check_cancelled()
        self._bar.update_absolute(done, preview=preview)


class _LatentFormat(comfy.latent_formats.LatentFormat):
    """Our latents' approximate colours in the form of ComfyUI's previewer: -1..1, bias apart."""

    def __init__(self, latent_rgb: Sequence[Sequence[float]]) -> None:
        *factors, bias = [[2 * value for value in row] for row in latent_rgb]
        self.latent_rgb_factors = factors
        self.latent_rgb_factors_bias = [value - 1 for value in bias]


def latent_format(latent_rgb: Sequence[Sequence[float]] | None, scale: float = 1.0) -> Any:
    """ComfyUI's description of our latents: their colours (Stable Diffusion 1.5's without any of our own),
    and the factor from the graph's latents to the U-Net's.
    """
    own: Any = comfy.latent_formats.SD15() if latent_rgb is None else _LatentFormat(latent_rgb)
    own.scale_factor = scale
    return own


def latent_previewer(latent_rgb: Sequence[Sequence[float]] | None) -> Callable[[Tensor], Any]:
    """Turns latents [T, 4, h, w] into a preview of their middle frame, or None where previews are off.

    Without colours of our own, Stable Diffusion 1.5's apply.
    """
    device = model_management.get_torch_device()
    previewer = latent_preview.get_previewer(device, latent_format(latent_rgb))
    if previewer is None:
        return lambda latents: None
    return lambda latents: previewer.decode_latent_to_preview_image(
        "JPEG", latents[len(latents) // 2][None].float()
    )


def latent_colours(latent_rgb: Sequence[Sequence[float]] | None) -> Callable[[Tensor], Tensor]:
    """Turns latents [n, 4, h, w] into their approximate colours [n, 3, h, w] in -1..1, one pixel each.

    Without colours of our own, Stable Diffusion 1.5's apply.
    """
    own = latent_format(latent_rgb)
    factors = torch.tensor(own.latent_rgb_factors)
    bias = torch.tensor(own.latent_rgb_factors_bias or [0.0] * 3)

    def colours(latents: Tensor) -> Tensor:
        return (latents.float().cpu().movedim(1, -1) @ factors + bias).movedim(-1, 1).clamp(-1, 1)

    return colours


def sleep(seconds: float) -> None:
    """Wait, but not when the user has pressed Cancel."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        check_cancelled()
        time.sleep(min(left, 0.1))


def show_picture(picture: np.ndarray, node_id: str | None) -> None:
    """Show a picture uint8 [H, W, 3] in a node, as a preview of what it works on."""
    comfy.utils.ProgressBar(1, node_id=node_id).update_absolute(
        0, preview=("JPEG", Image.fromarray(picture), None)
    )
