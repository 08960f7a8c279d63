"""Blend shapes of the face in a picture, by Google's MediaPipe: an optional package (the extra `mediapipe`)
and its `face_landmarker_v2_with_blendshapes.task`, which the user downloads. Imported late, here and
nowhere else."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CheckpointError, InputError

logger = logging.getLogger(__name__)

TASK_FILE = "face_landmarker_v2_with_blendshapes.task"


def blendshapes(frames: Iterable[np.ndarray], task: str | os.PathLike[str]) -> list[dict[str, float] | None]:
    """ARKit's 52 blend shapes 0..1 of the largest face in every frame uint8 [H, W, 3]; None without a face.

    Raises InputError without the package, CheckpointError without a usable task file.
    """
    vision, image_type, image_format = _vision()
    task = Path(task)
    if not task.is_file():
        raise CheckpointError(f"There is no {task.name}: download MediaPipe's face landmarker ({TASK_FILE}).")
    try:
        landmarker = vision.FaceLandmarker.create_from_options(_options(vision, task))
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"{task.name} is not MediaPipe's face landmarker: download {TASK_FILE}."
        ) from error
    found: list[dict[str, float] | None] = []
    with landmarker:
        for frame in frames:
            picture = image_type(image_format=image_format.SRGB, data=np.ascontiguousarray(frame))
            result = landmarker.detect(picture)
            shapes = result.face_blendshapes
            found.append({s.category_name: float(s.score) for s in shapes[0]} if shapes else None)
    return found


def _options(vision: Any, task: Path) -> Any:
    from mediapipe.tasks.python import BaseOptions

    return vision.FaceLandmarkerOptions(
        # As bytes: MediaPipe takes relative paths and some Windows paths for its own folder's.
        base_options=BaseOptions(model_asset_buffer=task.read_bytes()),
        output_face_blendshapes=True,
        num_faces=1,
    )


def _vision() -> tuple[Any, Any, Any]:
    try:
        import mediapipe
        from mediapipe.tasks.python import vision
    except ImportError as error:
        raise InputError(
            "Measuring needs the package mediapipe (pip install mediapipe), or ComfyUI's own face landmarks: "
            "install it or choose another backend."
        ) from error
    return vision, mediapipe.Image, mediapipe.ImageFormat
