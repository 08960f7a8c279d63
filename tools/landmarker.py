"""The face landmarker's file, which finds the face in a portrait: brought by the user, or downloaded."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from .comfyui import ComfyUI
from .console import say
from .errors import SetupError
from .process import Command, run_in_foreground

ROOT = Path(__file__).resolve().parent.parent
NAME = "face_landmarker.task"
_WHAT = "To find the face in your portrait, MediaPipe's face landmarker is needed (3.8 MB, Apache-2.0)."


def provide_landmarker(installation: ComfyUI, given: str | None) -> None:
    """See that the installation has the file: it is there, ``given``, or downloaded after a yes.

    ``given``: a path, or the address of a server of one's own that has the file; naming it is the yes.

    Raises:
        SetupError: none of these.
    """
    folder = (installation.base or installation.tree) / "models" / "eadnet" / "faces"
    if given is not None and given.startswith(("http://", "https://")):
        _download(installation, folder, given)
        return
    if given is not None:
        path = Path(given)
        if not path.is_file():
            raise SetupError(f"{path} is not a file. Check --landmarker.")
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / NAME).exists() or not path.samefile(folder / NAME):
            shutil.copyfile(path, folder / NAME)
        return
    if any(folder.glob("face_landmarker*.task")):
        return
    say(_WHAT)
    if not _agreed():
        raise SetupError(
            f"Give the file with --landmarker FILE, or put it into {folder}; "
            "`eadnet fetch faces` downloads it, too."
        )
    _download(installation, folder)


def _download(installation: ComfyUI, folder: Path, url: str | None = None) -> None:
    """By `eadnet fetch faces`, which checks what comes, from where it is published or from ``url``."""
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); from eadnet.cli import main; "
        "sys.exit(main(sys.argv[1:]))"
    )
    command: Command = [installation.python, "-c", code, ROOT, "fetch", "faces", "--into", folder]
    if url is not None:
        command = [*command, "--url", url]
    if run_in_foreground(command, cwd=ROOT):
        raise SetupError("The download failed: give the file with --landmarker FILE.")


def _agreed() -> bool:
    """Whether somebody is there and says yes."""
    if not sys.stdin.isatty():
        return False
    return input("Download it now? [Y/n] ").strip().lower() in ("", "y", "yes")
