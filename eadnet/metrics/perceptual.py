"""LPIPS (Zhang et al., arXiv 1801.03924): distance of images in the features of a network of your choice.

The numbers of papers need their network (AlexNet or VGG) and its learned channel weights
(`eadnet.modules.lpips`); without them this is the same formula on other features, and must be called so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from ..errors import InputError
from ..finite import SCORE_ADVICE, check_result
from ..media.clips import Frames
from ..modules.lpips import feature_distance
from .pairs import frame_by_frame


class FeaturePyramid(Protocol):
    """A network that gives feature maps [B, C_l, H_l, W_l] of images [B, 3, H, W] in 0..1."""

    name: str

    def __call__(self, pictures: Tensor) -> Sequence[Tensor]: ...


def lpips(
    generated: Frames,
    reference: Frames,
    network: FeaturePyramid,
    weights: Sequence[Tensor] | None = None,
    chunk: int = 16,
) -> Tensor:
    """Perceptual distance of every shared frame; 0 for equal images, lower is better.

    Features are scaled to unit length per place; the squared differences are weighted per channel, averaged
    over places and added over levels.

    Args:
        generated, reference: [T, 3, H, W], 0..1 or uint8.
        network: where the features come from.
        weights: one tensor [C_l] per level, not negative; None averages over channels.
        chunk: frames at a time.

    Returns:
        [min(T)], float32.

    Raises:
        InputError: images of different size, weights that do not fit the network, or features that are not
            finite.
    """

    @torch.no_grad()
    def compare(a: Tensor, b: Tensor) -> Tensor:
        ours, theirs = network(a), network(b)
        if weights is not None and [len(w) for w in weights] != [f.shape[1] for f in ours]:
            raise InputError(
                f"the LPIPS weights do not fit the features of {network.name}: use the weights for that "
                "network."
            )
        for features in (*ours, *theirs):
            check_result(features, f"perceptual network {network.name}", SCORE_ADVICE)
        channels = weights or [x.new_full((x.shape[1],), 1.0 / x.shape[1]) for x in ours]
        return feature_distance(ours, theirs, channels).cpu()

    return frame_by_frame(compare, generated, reference, chunk)
