"""What a node has to say beside its result: in the node, where the user looks, and in the log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from comfy_api.latest import io, ui

from ..eadnet.printable import get_logger
from . import host

logger = get_logger(__name__)


def with_notes(
    node: type[io.ComfyNode], *outputs: Any, notes: Iterable[str] = (), shown: ui._UIOutput | None = None
) -> io.NodeOutput:
    """The outputs of a node, with notes (sentences, each said once) shown in it and logged as warnings.

    ``shown`` is what the node shows besides, for instance a `ui.PreviewVideo`. The node's schema needs
    ``hidden=[io.Hidden.unique_id]``, or the notes are in the log and in the history alone.
    """
    # What UTF-8 cannot encode (half of an emoji) would break the page's connection.
    said = [note.encode("utf-8", "backslashreplace").decode() for note in dict.fromkeys(notes) if note]
    if not said:
        return io.NodeOutput(*outputs, ui=shown)
    for note in said:
        logger.warning("%s: %s", node.define_schema().display_name, note)
    text = "\n".join(said)
    host.show_text(text, node.hidden.unique_id)
    both = {} if shown is None else shown.as_dict()
    return io.NodeOutput(*outputs, ui={**both, **ui.PreviewText(text).as_dict()})
