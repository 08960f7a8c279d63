"""A stand-in for the optional package MediaPipe."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest


@dataclass
class Answers:
    """What the stand-in says, picture by picture: the faces' points, and their blend shapes if asked for."""

    points: list[list[np.ndarray]] = field(default_factory=list)
    shapes: list[list[dict[str, float]]] = field(default_factory=list)
    options: SimpleNamespace | None = None  # what the landmarker was made with
    closed: bool = False


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Puts a stand-in in MediaPipe's place that takes `b"a good file"` for a task."""
    waiting = Answers()

    class Landmarker:
        @classmethod
        def create_from_options(cls, options: SimpleNamespace) -> Landmarker:
            if options.base_options.model_asset_buffer != b"a good file":
                raise RuntimeError("not a task")
            waiting.options = options
            return cls()

        def detect(self, picture: SimpleNamespace) -> SimpleNamespace:
            assert picture.data.flags["C_CONTIGUOUS"] and picture.data.dtype == np.uint8
            found = [[SimpleNamespace(x=x, y=y) for x, y in points] for points in waiting.points.pop(0)]
            assert waiting.options is not None
            shapes = waiting.shapes.pop(0) if waiting.options.output_face_blendshapes else []
            return SimpleNamespace(
                face_landmarks=found,
                face_blendshapes=[
                    [SimpleNamespace(category_name=name, score=score) for name, score in face.items()]
                    for face in shapes
                ],
            )

        def close(self) -> None:
            waiting.closed = True

    vision: Any = ModuleType("mediapipe.tasks.python.vision")
    vision.FaceLandmarker, vision.FaceLandmarkerOptions = Landmarker, SimpleNamespace
    python: Any = ModuleType("mediapipe.tasks.python")
    python.BaseOptions, python.vision = SimpleNamespace, vision
    package: Any = ModuleType("mediapipe")
    package.Image, package.ImageFormat = SimpleNamespace, SimpleNamespace(SRGB=1)
    for name, module in (
        ("mediapipe", package),
        ("mediapipe.tasks", ModuleType("mediapipe.tasks")),
        ("mediapipe.tasks.python", python),
    ):
        monkeypatch.setitem(sys.modules, name, module)
    return waiting


def mesh(x: float, y: float, side: float) -> np.ndarray:
    """478 points spread over a square, [478, 2] as shares of the picture."""
    return np.random.default_rng(0).random((478, 2)) * side + [x, y]
