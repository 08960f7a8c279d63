"""What a node has to say beside its result: in the node, where the user looks, and in the log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from comfy_api.latest import io, ui
from torch import Tensor

from ..eadnet.media.notes import Logged
from ..eadnet.printable import get_logger
from . import host

logger = get_logger(__name__)
WIDE = 4 / 3
"""Width by height of a picture in a node. Nodes 2.0 of frontend 1.32 draws pictures as wide as the node,
however high that is: a square one of a face would lie over the node below.
"""


def with_notes(
    node: type[io.ComfyNode], *outputs: Any, notes: Iterable[str] = (), shown: ui._UIOutput | None = None
) -> io.NodeOutput:
    """The outputs of a node, with notes (sentences, each said once) shown in it and logged as warnings where
    they are not in the log yet. Without notes, those that an earlier run left in the node go.

    ``shown`` is what the node shows besides, for instance a `ui.PreviewVideo`. The node's schema needs
    ``hidden=[io.Hidden.unique_id]``, or the notes are in the log and in the history alone.
    """
    # What UTF-8 cannot encode (half of an emoji) would break the page's connection.
    distinct = [note for note in dict.fromkeys(notes) if note]
    said = [note.encode("utf-8", "backslashreplace").decode() for note in distinct]
    text = "\n".join(said)
    host.show_note(text, node.hidden.unique_id)
    if not said:
        return io.NodeOutput(*outputs, ui=shown)
    for note, line in zip(distinct, said, strict=True):
        if not isinstance(note, Logged):
            logger.warning("%s: %s", node.define_schema().display_name, line)
    both = {} if shown is None else shown.as_dict()
    return io.NodeOutput(*outputs, ui={**both, **ui.PreviewText(text).as_dict()})


def picture(images: Tensor, node: type[io.ComfyNode]) -> ui.PreviewImage:
    """Images [n, H, W, 3] in 0..1 as a node shows them: higher ones get transparent margins (see `WIDE`)."""
    height, width = images.shape[1:3]
    spare = max(0, round(WIDE * height) - width)
    if spare:
        opaque = torch.cat([images, torch.ones_like(images[..., :1])], -1)
        images = F.pad(opaque, (0, 0, spare // 2, spare - spare // 2))
    return ui.PreviewImage(images, cls=node)
