"""What is said of a clip's face: by its data set's labels, by a captioner that ran before, or measured."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from ..captions.measured import describe_shapes, mean_shapes
from ..captions.schema import Description
from ..captions.template import describe
from .clip import Clip

if TYPE_CHECKING:
    from .tools import Tools

# MEAD's three levels as intensities: those that the captions' words for weak, plain and strong begin at.
INTENSITIES = {1: 0.4, 2: 0.7, 3: 1.0}


def caption(clip: Clip, tools: Tools) -> dict[str, Any]:
    """The caption, where it comes from, and the emotion, for the manifest.

    The words vary with the clip's id: the same clip always gets the same ones.
    """
    source, seed = clip.source, zlib.crc32(clip.id.encode())
    if (known := tools.captions.get(source.name)) is not None:
        return _facts(known, "captioner")
    if source.emotion:
        return _facts(describe(source.emotion, INTENSITIES[source.level or 2], seed), "labels")
    shapes = mean_shapes([None if face is None else face.blendshapes for face in clip.faces])
    return _facts(describe_shapes(shapes, seed=seed), "measured")


def _facts(description: Description, source: str) -> dict[str, Any]:
    return {
        "caption": description.caption,
        "caption_source": source,
        "emotion": description.emotion,
        "intensity": description.intensity,
    }
