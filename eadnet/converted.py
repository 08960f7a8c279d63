"""A published file as it was downloaded, in our form: converted the first time, found again afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from .checkpoints import read_info
from .convert import OnTensor, convert, default_name, latentsync_preset
from .errors import CheckpointError
from .published import detect

SUFFIXES = (".pt", ".pth")
"""Of published files, as far as they are offered beside checkpoints."""


def converted(
    source: Path,
    others: Iterable[Path] = (),
    preset: str | None = None,
    on_tensor: OnTensor | None = None,
) -> Path:
    """The checkpoint that a published file becomes, beside it, or in the first of ``others`` that can be
    written to where its own folder cannot.

    ``preset`` is that of a LatentSync U-Net whose name does not say it. Code in the file is refused and never
    run. Raises CheckpointError, one sentence, for whatever is wrong with the file or the folders.
    """
    folders = [source.parent, *others]
    for folder in folders:
        if (found := _made_before(source, folder, preset)) is not None:
            return found
    published = detect(source)
    chosen = latentsync_preset(published.path, preset) if published.kind == "latentsync_unet" else None
    for folder in folders:
        target = folder / default_name(published, chosen)
        if not _is_free(target, source):
            raise CheckpointError(
                f"{source.name} would be converted to {target}, which is another file: move one of the two."
            )
        if not os.access(folder, os.W_OK):
            continue
        try:
            return convert(published, target, preset=chosen.name if chosen else None, on_tensor=on_tensor)
        except OSError as error:
            raise CheckpointError(
                f"{source.name} cannot be converted to {target} ({error.strerror or error}): free space."
            ) from error
    raise CheckpointError(
        f"{source.name} must be converted once, and nothing can be written to {source.parent}: allow it, or "
        "move the file."
    )


def _made_before(source: Path, folder: Path, preset: str | None) -> Path | None:
    for path in sorted(folder.glob("*.safetensors")):
        info = _info(path)
        fits = info.get("converted_from") == source.name and preset in (None, info.get("preset"))
        if fits and path.stat().st_mtime_ns >= source.stat().st_mtime_ns:
            return path
    return None


def _is_free(target: Path, source: Path) -> bool:
    return not target.exists() or _info(target).get("converted_from") == source.name


def _info(path: Path) -> dict[str, object]:
    try:
        return read_info(path)
    except (CheckpointError, OSError):
        return {}
