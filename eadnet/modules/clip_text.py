"""The text encoder of the large presets: CLIP ViT-L/14 through transformers (imported late), local files
only.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import CheckpointError
from ..printable import get_logger
from ..weights import open_weights

logger = get_logger(__name__)

CLIP_L: dict[str, Any] = {
    "vocab_size": 49408,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "max_position_embeddings": 77,
    "hidden_act": "quick_gelu",
    "projection_dim": 768,
}
_PREFIXES = ("cond_stage_model.transformer.", "text_encoder.", "transformer.")


class CLIPTextEncoder(nn.Module):
    """Sentences to the 77 tokens of CLIP's last layer, [B, 77, 768], as Stable Diffusion 1.x uses them."""

    def __init__(self, model: nn.Module, tokenizer: Any) -> None:
        super().__init__()
        self.model: Any = model
        self.tokenizer = tokenizer

    @property
    def dim(self) -> int:
        return self.model.config.hidden_size

    @classmethod
    def from_files(cls, path: str | os.PathLike[str], **config: Any) -> CLIPTextEncoder:
        """Load from a folder or a .safetensors file; `vocab.json` and `merges.txt` lie beside the weights.

        ``config`` overrides ViT-L/14's sizes. Nothing is downloaded.
        Raises CheckpointError for missing, truncated or foreign files.
        """
        path = Path(path)
        if not path.exists():
            raise CheckpointError(
                f"There is no {path}: choose the folder with CLIP ViT-L/14's model.safetensors, vocab.json "
                "and merges.txt."
            )
        weights = path / "model.safetensors" if path.is_dir() else path
        folder = weights.parent
        absent = [p.name for p in (weights, folder / "vocab.json", folder / "merges.txt") if not p.is_file()]
        if absent:
            place = path if path.is_dir() else f"The folder of {path}"
            raise CheckpointError(
                f"{place} lacks {' and '.join(absent)}: put the files of CLIP ViT-L/14 there."
            )
        return cls(_load_model(weights, {**CLIP_L, **config}).eval(), _load_tokenizer(folder))

    def tokenize(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """Token ids [B, 77]; longer texts are cut with a warning."""
        length = self.model.config.max_position_embeddings
        whole = self.tokenizer(list(texts))["input_ids"]
        if any(len(ids) > length for ids in whole):
            logger.warning("The emotion text is longer than CLIP's %d tokens; the rest is ignored.", length)
        batch = self.tokenizer(
            list(texts), padding="max_length", max_length=length, truncation=True, return_tensors="pt"
        )
        return {"input_ids": batch["input_ids"]}

    def forward(self, input_ids: Tensor) -> Tensor:
        """Token ids [B, L] to embeddings [B, L, 768]."""
        return self.model(input_ids=input_ids).last_hidden_state

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> Tensor:
        """[B, 77, 768]; the empty text is the null emotion."""
        device = next(self.model.parameters()).device
        return self(**{name: ids.to(device) for name, ids in self.tokenize(texts).items()})


def _load_tokenizer(folder: Path) -> Any:
    from transformers import CLIPTokenizer

    try:
        return CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"The tokenizer in {folder} cannot be read: download vocab.json and merges.txt of CLIP again."
        ) from error


def _load_model(path: Path, config: dict[str, Any]) -> nn.Module:
    from transformers import CLIPTextConfig, CLIPTextModel

    with open_weights(path) as file:
        tensors = file.tensors()
    model = CLIPTextModel(CLIPTextConfig(**config))
    try:
        missing, _ = model.load_state_dict(_model_keys(tensors, set(model.state_dict())), strict=False)
    except RuntimeError as error:  # other shapes
        raise CheckpointError(
            f"{path.name} is not CLIP ViT-L/14's text encoder, its tensors have other shapes: choose another."
        ) from error
    missing = [key for key in missing if not key.endswith("position_ids")]
    if missing:
        raise CheckpointError(
            f"{path.name} is not CLIP ViT-L/14's text encoder (it lacks {missing[0]}): choose another file."
        )
    return model


def _model_keys(tensors: dict[str, Tensor], wanted: set[str]) -> dict[str, Tensor]:
    """Names as the installed transformers has them: version 5 dropped the "text_model." in front."""
    renamed = {}
    for key, value in tensors.items():
        for prefix in _PREFIXES:
            key = key.removeprefix(prefix)
        bare = key.removeprefix("text_model.")
        renamed[next((name for name in (bare, f"text_model.{bare}") if name in wanted), key)] = value
    return {key: value for key, value in renamed.items() if key in wanted}
