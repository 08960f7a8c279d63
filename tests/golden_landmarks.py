"""What MediaPipe itself says of the bundled, drawn portrait: the numbers that our landmarker is held against.

`python tests/golden_landmarks.py face_landmarker.task` writes them anew, with the package mediapipe (any
environment that has it, NumPy, Pillow and safetensors).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
GOLDEN = HERE / "golden" / "face_landmarker.safetensors"
PORTRAIT = HERE.parent / "eadnet" / "assets" / "portrait.png"


def views() -> dict[str, np.ndarray]:
    """Pictures uint8 [H, W, 3]: the portrait; turned and off the middle of a wide one; large and cut off."""
    portrait = np.asarray(Image.open(PORTRAIT).convert("RGB"))
    return {
        "portrait": portrait,
        "turned": _seen(portrait, (760, 420), 25.0, 1.4, (250.0, 190.0)),
        "cut": _seen(portrait, (500, 900), -8.0, 0.55, (150.0, 520.0)),
    }


def _seen(
    picture: np.ndarray, size: tuple[int, int], degrees: float, step: float, middle: tuple[float, float]
) -> np.ndarray:
    """The picture turned, ``step`` of its pixels to one of these, its middle at ``middle``; grey beyond."""
    y, x = np.mgrid[: size[1], : size[0]] - np.array([middle[1], middle[0]])[:, None, None]
    angle = np.deg2rad(degrees)
    from_x = (np.cos(angle) * x + np.sin(angle) * y) * step + picture.shape[1] / 2
    from_y = (np.cos(angle) * y - np.sin(angle) * x) * step + picture.shape[0] / 2
    column, row = from_x.round().astype(int), from_y.round().astype(int)
    inside = (column >= 0) & (row >= 0) & (column < picture.shape[1]) & (row < picture.shape[0])
    seen = picture[row.clip(0, picture.shape[0] - 1), column.clip(0, picture.shape[1] - 1)]
    return np.where(inside[..., None], seen, np.uint8(90)).astype(np.uint8)


def main(task: str) -> None:
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision
    from safetensors.numpy import save_file

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_buffer=Path(task).read_bytes()), output_face_blendshapes=True
    )
    answers: dict[str, np.ndarray] = {}
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        for name, picture in views().items():
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=picture)
            seen = landmarker.detect(image)
            size = np.array([picture.shape[1], picture.shape[0], picture.shape[1]])
            points = np.array([[point.x, point.y, point.z] for point in seen.face_landmarks[0]]) * size
            answers[f"{name}.points"] = (points - [0.5, 0.5, 0.0]).astype(np.float32)
            answers[f"{name}.blendshapes"] = np.array(
                [shape.score for shape in seen.face_blendshapes[0]], np.float32
            )
    save_file(answers, GOLDEN, {"made with": f"mediapipe {mediapipe.__version__}"})


if __name__ == "__main__":
    main(sys.argv[1])
