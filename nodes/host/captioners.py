"""Local vision-language models: their folders by name, and a captioner that loads one at its first reply."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import folder_paths
import torch
from comfy import model_management

from ...eadnet.captions.local_vlm import LocalVLM
from ...eadnet.errors import InputError
from .files import FOLDER, NONE
from .memory import Held

LLM_FOLDER = "LLM"
CAPTIONER_SUBFOLDER = "captioner"


def _captioner_folders() -> dict[str, Path]:
    """Folders with a vision-language model by name: those in models/LLM, those in models/eadnet/captioner."""
    places = [Path(path) / CAPTIONER_SUBFOLDER for path in folder_paths.get_folder_paths(FOLDER)]
    if LLM_FOLDER in folder_paths.folder_names_and_paths:  # other packs and extra_model_paths.yaml add to it
        places += [Path(path) for path in folder_paths.get_folder_paths(LLM_FOLDER)]
    places.append(Path(folder_paths.models_dir) / LLM_FOLDER)
    found: dict[str, Path] = {}
    for place in places:
        for config in sorted([*place.glob("*/config.json"), *place.glob("*/*/config.json")]):
            found.setdefault(config.parent.relative_to(place).as_posix(), config.parent)
    return found


def captioner_names() -> list[str]:
    """Local vision-language models to choose from, "none" first."""
    return [NONE, *sorted(_captioner_folders())]


def captioner_path(name: str) -> Path:
    """The folder of a model by its name in the list; InputError for any other name, so paths stay inside."""
    path = _captioner_folders().get(name)
    if path is None:
        place = Path(folder_paths.models_dir) / LLM_FOLDER
        what = "No local model is chosen" if name == NONE else f"There is no model '{name}'"
        raise InputError(f"{what}: put the folder of a vision-language model into {place} and refresh (R).")
    return path


def captioner_fingerprint(name: str) -> str:
    """Changes when another model takes this one's place."""
    folder = _captioner_folders().get(name)
    return "missing" if folder is None else f"{folder} {(folder / 'config.json').stat().st_mtime_ns}"


class _HeldCaptioner:
    """A local model that is loaded at its first reply and managed by ComfyUI's memory manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = folder.name
        self._held: Held | None = None

    def reply(self, *arguments: Any) -> str:
        if self._held is None:
            model = LocalVLM.from_folder(self.folder, self._dtype())
            self._held = Held(model, model_management.text_encoder_offload_device())
        # A picture of 448 pixels is a few hundred tokens; a gigabyte is plenty for attention over some of
        # them.
        return self._held.use(lambda _: 1e9).reply(*arguments)

    @staticmethod
    def _dtype() -> torch.dtype:
        device = model_management.get_torch_device()
        if model_management.is_device_cpu(device):
            return torch.float32
        return torch.bfloat16 if model_management.should_use_bf16(device) else torch.float16


def local_captioner(name: str) -> Any:
    """A `LocalVLM` by name; it is loaded at the first reply and freed with the node that uses it."""
    return _HeldCaptioner(captioner_path(name))
