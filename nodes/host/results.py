"""Finished videos: where they go, what the page shows of them, and whether they are still there."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import folder_paths
from comfy_api.latest import io, ui

from ...eadnet.errors import InputError
from ...eadnet.media.places import Numbered
from ...eadnet.rendering.unfinished import FOLDER

_LONGEST_NAME = 200  # bytes; file systems allow 255, and the number follows
_RECORDS = "eadnet_results"  # in the temporary folder, which lasts as long as the server and its cache


def check_prefix(what: str, prefix: str) -> None:
    """InputError, which says ``what``, for a path and name that lead out of the output folder, or that no
    file can have. Nothing is made yet: this is for the time before a render.
    """
    parts = prefix.replace("\\", "/").split("/")
    # Links are not followed: a subfolder may be one to another disk, as core allows.
    root = Path(os.path.abspath(folder_paths.get_output_directory()))
    if not Path(os.path.abspath(root / "/".join(parts))).is_relative_to(root):
        raise InputError(f"{what} is '{prefix}', outside the output folder: use a path and name inside it.")
    if max(len(part.encode("utf-8", "replace")) for part in parts) > _LONGEST_NAME:
        raise InputError(f"{what} has a name of more than {_LONGEST_NAME} bytes: use a shorter one.")


def output_place(prefix: str, width: int, height: int) -> Numbered:
    """The next free number in the output folder, as Save Video counts, with the date and time of now where
    the prefix asks for them. Raises InputError for a prefix that leads nowhere.
    """
    try:
        folder, name, counter, *_ = folder_paths.get_save_image_path(
            prefix, folder_paths.get_output_directory(), width, height
        )
        return Numbered(Path(folder), name, counter)
    except Exception as error:  # it raises nothing more special for a place outside the output folder
        said = str(error).strip("* \n").partition("\n")[0]
        raise InputError(
            f"filename_prefix cannot be used ({said}): give the name of a file in the output folder."
        ) from error


def unfinished_folder() -> Path:
    """Where unfinished videos lie, whatever the prefix."""
    return Path(folder_paths.get_output_directory()) / FOLDER


def saved_result(path: Path) -> ui.SavedResult:
    """What the page shows of a video in the output folder."""
    subfolder = os.path.relpath(path.parent, folder_paths.get_output_directory())
    return ui.SavedResult(path.name, "" if subfolder == "." else subfolder, io.FolderType.output)


def note_result(node: type[io.ComfyNode], path: Path) -> None:
    """Keep in mind which video came out of a node, for `vanished_results`. The node asks for its id and the
    dynamic prompt among its hidden inputs.
    """
    prompt, node_id = node.hidden.dynprompt, node.hidden.unique_id
    if prompt is None or node_id is None:
        return
    known = {part.id for part in node.define_schema().inputs}
    inputs = prompt.get_node(node_id)["inputs"]
    record = _record({name: value for name, value in inputs.items() if name in known})
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        with record.open("a", encoding="utf-8") as file:
            file.write(json.dumps(str(path)) + "\n")
    except OSError:  # then a video that vanishes is not noticed
        pass


def vanished_results(inputs: Mapping[str, Any]) -> int:
    """How many videos that a node made from these widgets are no longer there: ComfyUI's cache would call
    them finished all the same.
    """
    try:
        lines = _record(inputs).read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    # A name may have been given again after its first video was gone.
    names = [json.loads(line) for line in lines]
    return len(names) - sum(Path(name).is_file() for name in set(names))


def _record(inputs: Mapping[str, Any]) -> Path:
    """The file that lists the videos of a node with these widgets. What arrives through links is unknown when
    the cache is asked, so that it does not count.
    """
    widgets = {name: value for name, value in inputs.items() if isinstance(value, (str, int, float, bool))}
    name = hashlib.sha256(json.dumps(widgets, sort_keys=True).encode()).hexdigest()[:32]
    return Path(folder_paths.get_temp_directory()) / _RECORDS / f"{name}.jsonl"
