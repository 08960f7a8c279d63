"""Which face detector the options ask for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..faces.face import FaceDetector


def face_detector(file: Path | None, by_hand: str | None) -> FaceDetector | None:
    """What finds the face in a video; None leaves the centred square."""
    from ..faces.detectors import detector_from_file, make_detector

    if by_hand is not None:
        return make_detector("manual", [], by_hand)
    return None if file is None else detector_from_file(file)
