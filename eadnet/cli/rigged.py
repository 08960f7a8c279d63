"""``eadnet generate`` where a picture's own pixels move: a portrait, or the face in a video."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ..printable import get_logger
from .command import say

if TYPE_CHECKING:
    import torch

    from ..driving.motion import MotionModel
    from ..rendering import Model, RenderSettings, StageProgress
    from ..rig.rig import Rig

logger = get_logger(__name__)

METHODS = ("auto", "rig", "pixels")


def portrait_rig(options: argparse.Namespace, device: torch.device) -> Rig | None:
    """The portrait's rig; None where the model is to draw the face."""
    from ..pipeline import rig_portrait

    if options.method == "pixels" or (options.method == "auto" and _draws(options.checkpoint)):
        return None
    try:
        rig = rig_portrait(
            options.portrait,
            _landmarker(options),
            index=options.face_index or 0,
            order="largest" if options.face_index is None else "left-right",
            by_hand=options.face,
            device=device,
        )
    except InputError as error:
        if options.method == "rig":
            raise
        logger.warning("%s The model draws the face instead.", error)
        return None
    for note in rig.notes:
        logger.warning("%s", note)
    return rig


def _draws(checkpoint: str | None) -> bool:
    """Whether a checkpoint was asked for that is to draw the face: any but the two that move rigs."""
    from ..driving.motion import is_motion

    return checkpoint not in (None, "mini") and not is_motion(checkpoint)


def animate(
    options: argparse.Namespace,
    rig: Rig,
    settings: RenderSettings,
    model: Model | MotionModel,
    show: Callable[[StageProgress], None],
) -> None:
    """Make the portrait speak."""
    from ..driving.idle import Idle
    from ..pipeline import animate_file

    made = animate_file(
        options.out,
        rig,
        options.audio,
        options.emotion,
        model=model,
        idle=Idle(options.blinks, head=options.head_motion),
        strength=options.strength,
        resume=options.resume,
        on_progress=show,
        **vars(settings),
    )
    say(f"{options.out}: {made.frames} frames")


def re_emote(
    options: argparse.Namespace,
    settings: RenderSettings,
    model: Model | MotionModel,
    device: torch.device,
    show: Callable[[StageProgress], None],
) -> None:
    """Give the video another expression, and with --audio other lips."""
    from ..downloads import FACE_LANDMARKER, models_folder
    from ..faces.landmarker import missing
    from ..pipeline import re_emote_file

    if options.face:
        raise InputError("--face is one place, and the face in a video moves: leave it out.")
    file = _landmarker(options)
    if file is None:
        raise InputError(missing(models_folder() / FACE_LANDMARKER.folder / FACE_LANDMARKER.file))
    made = re_emote_file(
        options.out,
        options.video,
        options.emotion,
        audio=options.audio,
        landmarker=file,
        index=options.face_index,
        model=model,
        strength=options.strength,
        device=device,
        resume=options.resume,
        on_progress=show,
        **vars(settings),
    )
    say(f"{options.out}: {made.frames} frames")


def _landmarker(options: argparse.Namespace) -> Path | None:
    """The face landmarker's file: the one that was given, or that of 'eadnet fetch faces'."""
    from ..downloads import FACE_LANDMARKER, models_folder

    file: Path | None = options.face_detector
    if file is not None and file.suffix != ".onnx":  # YuNet sees five points of a face: too few
        return file
    fetched = models_folder() / FACE_LANDMARKER.folder / FACE_LANDMARKER.file
    return fetched if fetched.is_file() else None
