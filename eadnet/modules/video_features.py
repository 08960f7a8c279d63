"""Features of clips for FVD, by a VideoMAE in a local folder (transformers' layout, safetensors)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from ..errors import CheckpointError
from ..finite import SCORE_ADVICE, check_result
from ..network_config import check_model_config
from ..weights import finite, open_weights

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class VideoMAEFeatures:
    """Mean of the encoder's last tokens.

    Attributes:
        frames: of one clip.
        dim: D.
    """

    def __init__(self, network: Any, name: str) -> None:
        self.network = network.eval()
        self.name = name
        self.frames = int(network.config.num_frames)
        self.dim = int(network.config.hidden_size)
        self._side = int(network.config.image_size)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> VideoMAEFeatures:
        """The network in a folder with `config.json` and `model.safetensors`; nothing is downloaded.

        Raises:
            CheckpointError: a folder without these, another kind of network, or weights that are not whole.
        """
        folder = Path(folder)
        for needed in ("config.json", "model.safetensors"):
            if not (folder / needed).is_file():
                raise CheckpointError(
                    f"{folder} has no {needed}: put a VideoMAE in the layout of transformers there."
                )
        check_model_config(folder / "config.json")
        with open_weights(folder / "model.safetensors"):
            pass  # judged by its header
        from transformers import VideoMAEModel

        try:
            loaded: Any = VideoMAEModel.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
        except Exception as error:  # every kind: what lies in the folder decides which
            raise CheckpointError(
                f"{folder} contains no readable VideoMAE ({error}): download it again."
            ) from error
        network, report = loaded
        if report["missing_keys"] or report.get("mismatched_keys"):
            missing = min([*report["missing_keys"], "of another shape"])
            raise CheckpointError(
                f"{folder} is an incomplete VideoMAE encoder (missing: {missing}): download it again."
            )
        for name, weight in network.named_parameters():
            finite(weight, f"{name} in {folder.name}/model.safetensors")
        return cls(network, f"VideoMAE ({folder.name})")

    @torch.no_grad()
    def __call__(self, clips: Tensor) -> Tensor:
        """[B, 3, frames, H, W] in 0..1 -> [B, dim] on the CPU."""
        return check_result(self.embed(clips).cpu(), self.name, SCORE_ADVICE)

    def embed(self, clips: Tensor) -> Tensor:
        """The same where the network is, differentiable."""
        flat = rearrange(clips, "b c t h w -> (b t) c h w").to(next(self.network.parameters()))
        size = (self._side, self._side)
        if tuple(flat.shape[-2:]) != size:
            flat = F.interpolate(flat, size, mode="bilinear", antialias=True)
        mean, deviation = (flat.new_tensor(v)[:, None, None] for v in (_MEAN, _DEVIATION))
        pixels = rearrange((flat - mean) / deviation, "(b t) c h w -> b t c h w", b=len(clips))
        features: Tensor = self.network(pixel_values=pixels).last_hidden_state.mean(1).float()
        return features
