"""Model files: where they lie, what they are called, whether they can be read, when they change."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import folder_paths

from ...eadnet.checkpoints import bundled_mini, read_info
from ...eadnet.converted import SUFFIXES, converted
from ...eadnet.errors import CheckpointError, InputError
from ...eadnet.faces.detectors import DETECTORS
from ...eadnet.faces.landmarker import missing
from ...eadnet.printable import printable
from ...eadnet.published import check_impostors
from .progress import NodeProgress

FOLDER = "eadnet"
FACES_SUBFOLDER = "faces"
BUNDLED = "mini.safetensors"
NONE = "none"

_SHOWN = 200  # letters of a file's name in a message: three may be wrong at once
_ASSETS = Path(__file__).parents[2] / "eadnet" / "assets"


def register_model_folder() -> None:
    """Make `models/eadnet` (and whatever extra_model_paths.yaml adds) and the bundled checkpoint known."""
    folder_paths.add_model_folder_path(FOLDER, str(Path(folder_paths.models_dir) / FOLDER), is_default=True)
    folder_paths.add_model_folder_path(FOLDER, str(_ASSETS))
    paths, _ = folder_paths.folder_names_and_paths[FOLDER]
    folder_paths.folder_names_and_paths[FOLDER] = (paths, {".safetensors", *SUFFIXES})


def checkpoint_names() -> list[str]:
    """The bundled checkpoint, then the user's files; without those that find faces."""
    names = folder_paths.get_filename_list(FOLDER)
    return [BUNDLED] + [n for n in names if n != BUNDLED and _is_model(n) and n.endswith(".safetensors")]


def user_file_names(hint: str) -> list[str]:
    """The user's files, those with `hint` in their name first, so that the first choice is a likely one."""
    names = [name for name in checkpoint_names() if not (_ASSETS / name).is_file()]
    return sorted(names, key=lambda name: (hint not in name.lower(), name))


def weights_names(hints: Sequence[str], advice: str) -> list[str]:
    """The user's checkpoints and published files as they were downloaded, those with one of the ``hints`` in
    the file's own name first; the ``advice`` before them where there are none of those.
    """
    names = [name for name in checkpoint_names() if name != BUNDLED]
    names += [n for n in folder_paths.get_filename_list(FOLDER) if _is_model(n) and n.endswith(SUFFIXES)]
    likely = [name for name in names if any(hint in Path(name).name.lower() for hint in hints)]
    return [*(likely or [advice]), *(name for name in names if name not in likely)]


def _is_model(name: str) -> bool:
    return Path(name).parts[0] != FACES_SUBFOLDER


def weights_path(name: str, preset: str | None, node_id: str | None) -> Path:
    """Where the checkpoint of this name is; of a published file the one that it becomes, which is made now
    unless it was before, with progress in the node.
    """
    path = checkpoint_path(name)
    if path.suffix not in SUFFIXES:
        return path
    progress: list[NodeProgress] = []

    def on_tensor(done: int, total: int) -> None:
        progress[:] = progress or [NodeProgress(total, node_id)]
        progress[0].update(done)

    return converted(path, _user_folders(), preset, on_tensor)


def checkpoint_path(name: str) -> Path:
    """Where a file of the model folder is; CheckpointError when it is not there."""
    path = folder_paths.get_full_path(FOLDER, name)
    if path is None and name == BUNDLED:
        return bundled_mini()
    if path is None:
        folders = " or ".join(map(str, _user_folders()))
        raise CheckpointError(
            f"There is no '{printable(name, _SHOWN)}' in {folders}: put the file there, then refresh the "
            "node (R)."
        )
    return Path(path)


def _user_folders() -> list[Path]:
    return [Path(p) for p in folder_paths.get_folder_paths(FOLDER) if p != str(_ASSETS)]


def face_folders() -> list[Path]:
    """Where the files of face detectors are looked for, the place to put them first: `faces/` of every model
    folder, then the folders themselves.
    """
    folders = _user_folders()
    return [*(folder / FACES_SUBFOLDER for folder in folders), *folders]


def face_task_path() -> Path:
    """The file of the face landmarker; InputError without one."""
    folders, kind = face_folders(), DETECTORS["landmarks"]
    path = kind.find(folders)
    if path is None:
        raise InputError(missing(folders[0] / kind.files[0]))
    return path


def file_problem(what: str, name: Any) -> str | None:
    """Why the file chosen at the widget ``what`` cannot be an EAD-Net checkpoint, from its header alone, or
    a published file, from its first bytes; None when it can, or when its name comes by a link and is not
    known yet.
    """
    if name is None:
        return None
    if not isinstance(name, str):
        return f"{what} is a {type(name).__name__}: choose a file."
    try:
        path = checkpoint_path(name)
        if path.suffix in SUFFIXES:
            check_impostors(path)
        else:
            read_info(path)
    except CheckpointError as error:
        return str(error)
    return None


def fingerprint(name: Any) -> str:
    """Changes when another file takes this one's place under the same name."""
    if not isinstance(name, str):
        return "no name"
    try:
        path = checkpoint_path(name)
    except CheckpointError:
        return "missing"
    stat = path.stat()
    return f"{path} {stat.st_size} {stat.st_mtime_ns}"
