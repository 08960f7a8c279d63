"""What a node has to say, on the page of who queued the prompt."""

from __future__ import annotations

import hashlib
from pathlib import Path

import folder_paths

from .server import running_server

_RECORDS = "eadnet_notes"  # in the temporary folder, which lasts as long as the server
_NOTHING = " "  # the page takes no notice of an empty text


def show_note(text: str, node_id: str | None) -> None:
    """Write a text into a node, as core's Get Image Size does; an empty one takes away what an earlier run of
    this server wrote there. Nothing happens where there is no such page, or no server.
    """
    instance = running_server()
    if instance is None or node_id is None or not hasattr(instance, "send_progress_text"):
        return
    name = hashlib.sha256(f"{instance.client_id} {node_id}".encode()).hexdigest()[:32]
    record = Path(folder_paths.get_temp_directory()) / _RECORDS / name
    if not text and not record.exists():
        return
    instance.send_progress_text(text or _NOTHING, node_id, instance.client_id)
    try:
        if text:
            record.parent.mkdir(parents=True, exist_ok=True)
            record.touch()
        else:
            record.unlink(missing_ok=True)
    except OSError:  # then a note stays until the page is loaded again
        pass
