"""Which face detector the options ask for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..faces.face import FaceDetector


def face_detector(file: Path | None, by_hand: str | None) -> FaceDetector | None:
    """What finds the face in a video; None leaves the centred square."""
    from ..faces.detectors.manual import ManualDetector, parse_face
    from ..faces.detectors.mediapipe import MediaPipe
    from ..faces.detectors.yunet import YuNet

    if by_hand is not None:
        return ManualDetector(parse_face(by_hand))
    if file is None:
        return None
    return MediaPipe(file) if file.suffix == ".task" else YuNet(file)
