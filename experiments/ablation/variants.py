"""The model and the parts that are taken from it one at a time."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Literal

from eadnet.training.data.latents import LatentSet

Texts = Literal["descriptions", "labels", "none"]


@dataclass(frozen=True)
class Variant:
    """What is there. `texts`: whole descriptions, the emotion's name alone, or no emotion branch at all."""

    name: str
    stda: bool = True
    tfrm: bool = True
    sync: bool = True
    trepa: bool = True
    texts: Texts = "descriptions"


VARIANTS: tuple[Variant, ...] = (
    Variant("full"),
    Variant("without STDA", stda=False),
    Variant("without TFRM", tfrm=False),
    Variant("without SyncNet loss", sync=False),
    Variant("without TREPA", trepa=False),
    Variant("labels, not descriptions", texts="labels"),
    Variant("no emotion branch", texts="none"),
)
FULL = VARIANTS[0]


def text_for(variant: Variant, description: str, emotion: str) -> str:
    """What the variant's text encoder reads of a clip, in training and afterwards."""
    return {"descriptions": description, "labels": emotion, "none": ""}[variant.texts]


def as_read_by(variant: Variant, data: LatentSet) -> LatentSet:
    """The data set with the texts that the variant reads; the arrays are shared."""
    if variant.texts == "descriptions":
        return data
    other = copy.copy(data)
    other.texts = [
        {**entry, "text": text_for(variant, entry["text"], entry["emotion"])} for entry in data.texts
    ]
    return other
