"""The example inputs that the templates refer to, put where Load Image, Load Audio and Load Video look."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import folder_paths

from ...eadnet.printable import get_logger

# Not in a folder of ours: frontends offer only the files of the input folder itself, and the newest says of a
# template whose file is in a subfolder that it lacks its inputs.
EXAMPLES = {
    "ead-net-portrait.png": "portrait.png",
    "ead-net-speech.wav": "speech.wav",
    "ead-net-talking.mp4": "talking_late.mp4",
}

_log = get_logger(__name__)
_ASSETS = Path(__file__).parents[2] / "eadnet" / "assets"


def offer_examples() -> None:
    """Put the examples among ComfyUI's inputs. A file that is there already stays as it is, whatever is in
    it; a folder that cannot be written to costs one line in the log.
    """
    folder = Path(folder_paths.get_input_directory())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, asset in EXAMPLES.items():
            if not os.path.lexists(folder / name):
                _copied(_ASSETS / asset, folder / name)
    except OSError as error:
        _log.warning(
            "EAD-Net: the templates' example inputs could not be put into %s (%s). Choose files of your own.",
            folder,
            error.strerror or error,
        )


def _copied(source: Path, target: Path) -> None:
    """Whole or not at all: another process may start at the same time, or this one may end."""
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        shutil.copyfile(source, part)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
