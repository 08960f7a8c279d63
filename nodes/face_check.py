"""The look at the square that is about to be animated, and the picture of it in the node."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from comfy_api.latest import io

from ..eadnet.errors import CheckpointError, InputError
from ..eadnet.faces.detectors import AUTO, find_detector_file, make_detector
from ..eadnet.faces.face import Face, FaceDetector
from ..eadnet.printable import get_logger
from ..eadnet.rendering import NoFaceInPlace
from . import host

logger = get_logger(__name__)


def check_face_widget() -> io.Input:
    """The switch; the last input of its nodes, which workflows saved before it existed lack."""
    return io.Boolean.Input(
        "check_face",
        default=True,
        optional=True,
        tooltip="Refuse images without a face where the model expects it. Switch it off for faces that "
        "nothing recognises, for instance unusual drawings, if the crop is right all the same.",
    )


@contextmanager
def crop_shown_on_refusal(node: type[io.ComfyNode]) -> Iterator[None]:
    """Within it a face that is not in its place is refused with a picture of the crop in the node."""
    try:
        yield
    except NoFaceInPlace as refused:
        host.show_picture(refused.crop, node.hidden.unique_id)
        raise


class InstalledDetector:
    """The face detector that is installed, made when it is first asked; sees nothing where there is none."""

    def __init__(self) -> None:
        self._detector: FaceDetector | None = None
        self._tried = False

    def detect(self, frame: np.ndarray) -> list[Face]:
        if not self._tried:
            self._tried = True
            try:
                if find_detector_file(host.face_folders()) is not None:
                    self._detector = make_detector(AUTO, host.face_folders())
            except (InputError, CheckpointError) as error:
                logger.info("The installed face detector cannot be used: %s", error)
        return [] if self._detector is None else self._detector.detect(frame)
