"""Captions from a vision-language model in a local folder, through transformers' auto classes (imported
late).

Whatever `AutoModelForImageTextToText` loads will do: Qwen2.5-VL, Qwen3-VL, SmolVLM2, LLaVA. Nothing is
downloaded, weights are read from safetensors only, and no code from the folder is run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ..errors import CheckpointError, InputError
from ..network_config import check_model_config
from ..weights import finite
from . import prompts
from .base import Captioned
from .frames import check_frames, shrink
from .parse import parse_reply

_PROCESSORS = ("processor_config.json", "preprocessor_config.json")
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "tokenizer_config.json")
LONGEST_REPLY = 600
"""Tokens a reply may have."""


def folder_problem(folder: str | os.PathLike[str]) -> str | None:
    """Why a folder cannot hold a vision-language model, from its file names alone; None when it can."""
    folder = Path(folder)
    if not folder.is_dir():
        return f"There is no folder {folder.name}: put the model's files there."
    names = {path.name for path in folder.iterdir() if path.is_file()}
    if "config.json" not in names:
        return f"{folder.name} has no config.json: download the model's whole folder."
    if not names & set(_PROCESSORS):
        return (
            f"{folder.name} has no processor (preprocessor_config.json): it is not a vision-language model, "
            "or incomplete."
        )
    if not names & set(_TOKENIZERS):
        return f"{folder.name} has no tokenizer (tokenizer.json): download the model's whole folder."
    if not any(name.endswith(".safetensors") for name in names):
        return f"{folder.name} has no .safetensors weights: download the model in that format."
    return None


class LocalVLM(nn.Module):
    """A vision-language model with its processor. A module, so that a host can move and account for it."""

    def __init__(self, model: nn.Module, processor: Any, name: str) -> None:
        super().__init__()
        self.model: Any = model
        self.processor = processor
        self.name = name

    @classmethod
    def from_folder(cls, folder: str | os.PathLike[str], dtype: torch.dtype | None = None) -> LocalVLM:
        """Load from a folder, on the CPU, in ``dtype`` or the weights' own.

        Raises CheckpointError for folders that lack something, hold something else, or need code of their
        own.
        """
        folder = Path(folder)
        if problem := folder_problem(folder):
            raise CheckpointError(problem)
        check_model_config(folder / "config.json")
        import transformers

        loaders = (transformers.AutoProcessor, transformers.AutoModelForImageTextToText)
        options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        try:
            processor = loaders[0].from_pretrained(folder, **options)
            model = loaders[1].from_pretrained(
                folder, use_safetensors=True, **{_dtype_option(): dtype or "auto"}, **options
            )
        except Exception as error:  # every kind: what lies in the folder decides which
            raise CheckpointError(
                f"{folder.name} cannot be loaded as a vision-language model ({str(error)[:160]}): "
                "download it again, "
                "or choose one that the installed transformers supports."
            ) from error
        if not hasattr(processor, "image_processor") or not hasattr(processor, "tokenizer"):
            raise CheckpointError(
                f"{folder.name} does not take both images and text: choose a vision-language model."
            )
        for name, weight in model.named_parameters():
            finite(weight, f"{name} in {folder.name}")
        return cls(model.eval().requires_grad_(False), processor, folder.name)

    def _inputs(self, frames: Sequence[np.ndarray], text: str) -> Any:
        from PIL import Image

        pictures = [Image.fromarray(shrink(frame)) for frame in frames]
        content = [{"type": "image"} for _ in pictures] + [{"type": "text", "text": text}]
        if getattr(self.processor, "chat_template", None):
            prompt = self.processor.apply_chat_template(
                [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
            )
        else:
            prompt = (
                str(getattr(self.processor, "image_token", "<image>")) * len(pictures) + "\n" + text + "\n"
            )
        return self.processor(text=[prompt], images=[pictures], return_tensors="pt")

    @torch.no_grad()
    def reply(
        self,
        frames: Sequence[np.ndarray],
        text: str,
        seed: int = 0,
        on_token: Callable[[int], None] | None = None,
    ) -> str:
        """What the model says about frames uint8 [H, W, 3]; the likeliest words, the seed only breaks ties.

        ``on_token`` gets the number of tokens so far; to cancel, raise inside it.
        """
        check_frames(frames)
        parameter = next(self.model.parameters())
        inputs = self._inputs(frames, text).to(parameter.device)
        for name, value in inputs.items():
            if isinstance(value, torch.Tensor) and value.is_floating_point():
                inputs[name] = value.to(parameter.dtype)
        before = inputs["input_ids"].shape[1]
        devices = [parameter.device] if parameter.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed % 2**63)
            output = self.model.generate(
                **inputs,
                max_new_tokens=LONGEST_REPLY,
                do_sample=False,
                stopping_criteria=[_Watch(before, on_token)] if on_token else None,
            )
        new = output[:, before:] if output.shape[1] > before else output
        return self.processor.tokenizer.batch_decode(new, skip_special_tokens=True)[0]


class _Watch:
    """Reports every token; never stops the generation itself."""

    def __init__(self, before: int, on_token: Callable[[int], None]) -> None:
        self.before, self.on_token = before, on_token

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        self.on_token(input_ids.shape[1] - self.before)
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


def _dtype_option() -> str:
    """transformers renamed `torch_dtype` to `dtype` in 4.56."""
    import transformers

    major, minor = (int(part) for part in transformers.__version__.split(".")[:2])
    return "dtype" if (major, minor) >= (4, 56) else "torch_dtype"


class LocalCaptioner:
    """Asks a local model about frames."""

    def __init__(
        self, model: LocalVLM, prompt: str = prompts.LATEST, on_token: Callable[[int], None] | None = None
    ) -> None:
        self.model, self.prompt, self.on_token = model, prompt, on_token
        self.text = prompts.load(prompt)

    def describe(self, frames: Sequence[np.ndarray], seed: int = 0) -> Captioned:
        """See `Captioner`. Raises InputError when the reply cannot be understood; it is quoted."""
        raw = self.model.reply(frames, self.text, seed, self.on_token)
        try:
            description, notes = parse_reply(raw)
        except InputError as error:
            raise InputError(f"{self.model.name}: {error}") from error
        return Captioned(description, self.model.name, raw, self.prompt, notes)
