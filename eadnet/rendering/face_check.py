"""Before a face is generated in the centred square: is one there, and where the model expects it?

Otherwise a face would be painted where none is: a ghost on a chest, a mouth on a wall.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from ..errors import InputError
from ..faces.crops import prepare_portrait, to_pictures
from ..faces.face import FaceDetector
from ..faces.framing import FRAMINGS
from ..faces.placement import SMALLEST_CROP, Placement, placed_face

_LOOKS = 3  # frames of a video that are looked at

_BY_HAND = (
    "connect EAD-Net Track Face (on the command line: --face) with the face {numbers}by hand. If this is a "
    "face all the same, switch check_face off (--no-face-check)."
)


class NoFaceInPlace(InputError):
    """No face is where the model expects one.

    crop: the square that would have been animated, uint8 [R, R, 3].
    """

    def __init__(self, message: str, crop: np.ndarray) -> None:
        super().__init__(message)
        self.crop = crop


def check_face_in_place(
    picture: Callable[[int], np.ndarray],
    numbers: Sequence[int],
    framing: str,
    resolution: int,
    detector: FaceDetector | None = None,
) -> None:
    """Raise `NoFaceInPlace` unless a face sits in the centred square where a model of this framing expects
    it.

    Of several frames three are looked at, and most of those that show a face have to show it in place.
    Crops below 64 pixels show too little to say anything.

    Args:
        picture: a frame uint8 [H, W, 3] by its number.
        numbers: those of the frames that are used, in order.
        framing, resolution: of the model.
        detector: is asked where our own eyes, for upright faces that look at the camera, see none in place.
    """
    if resolution < SMALLEST_CROP or framing not in FRAMINGS:
        return
    looks = sorted({round(at) for at in np.linspace(0, len(numbers) - 1, min(_LOOKS, len(numbers)))})
    seen: list[tuple[int, Placement]] = []
    for look in looks:
        place = placed_face(picture(numbers[look]), framing, detector)
        if place is not None:
            seen.append((numbers[look], place))
    wrong = [(number, place) for number, place in seen if not place.fits]
    if seen and 2 * len(wrong) <= len(seen):
        return
    number, place = wrong[0] if wrong else (numbers[0], None)
    frame = picture(number)
    raise NoFaceInPlace(_sentence(place, number, len(numbers)), centred_crop(frame, resolution))


def centred_crop(frame: np.ndarray, resolution: int) -> np.ndarray:
    """The centred square of a picture uint8 [H, W, 3], as the model gets it: uint8 [R, R, 3]."""
    crop = to_pictures(prepare_portrait(torch.from_numpy(frame)[None].float() / 255, resolution))[0]
    return (crop * 255).round().to(torch.uint8).numpy()


def _sentence(place: Placement | None, number: int, count: int) -> str:
    where = f"frame {number}" if count > 1 else "the picture"
    if place is None:
        return (
            f"No face was found in {where}: nothing is generated. The model takes the picture's centred "
            "square and expects a face there that looks at the camera: choose another picture, or "
            + _BY_HAND.format(numbers="entered ")
        )
    return (
        f"The face in {where} is {place.words() or 'not in its place'} for the model, which takes the "
        "picture's centred square: nothing is generated. Crop the picture around the head, or "
        + _BY_HAND.format(numbers=f"'{', '.join(map(str, place.box()))}' entered ")
    )
