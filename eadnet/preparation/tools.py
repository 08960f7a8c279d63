"""What the stages work with, loaded once by each process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from ..captions.dataset import load_captions
from ..captions.schema import Description
from ..faces.landmarker import FaceLandmarker
from .features import Features
from .settings import Settings
from .sync import SyncModel, make_sync_model

_MOST_FACES = 4


@dataclass(frozen=True)
class Tools:
    """Networks and tables: see `Settings`."""

    settings: Settings
    landmarker: FaceLandmarker
    sync_model: SyncModel
    captions: Mapping[str, Description] = field(default_factory=dict)
    features: Features | None = None

    @classmethod
    def load(cls, settings: Settings) -> Tools:
        """Raises InputError and CheckpointError, a sentence each, for files that are missing or others."""
        return cls(
            settings,
            FaceLandmarker(
                settings.faces, _MOST_FACES, blendshapes=True, search=True, device=settings.device
            ),
            make_sync_model(settings.sync_model, settings.device),
            load_captions(settings.captions) if settings.captions else {},
            Features.load(settings.cache, settings.device) if settings.cache else None,
        )


def one_thread() -> None:
    """The last bits of a sum depend on how many threads share it: each process has one."""
    torch.set_num_threads(1)
