"""What is rendered, and by what it is known again."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from torch import Tensor

from ..faces.face import FaceDetector
from ..fingerprints import fingerprint
from ..media.lengths import Length
from ..media.reader import Pictures
from ..media.sound import Sound
from ..media.speech import Speech
from ..mixed_tokens import MixedTokens
from ..sampling import Sampling
from .croppers import CentreCropper, Cropper
from .face_check import check_face_in_place
from .networks import Networks


@dataclass(frozen=True)
class Scene:
    """Pictures, speech, and how long.

    sources        what changes with pictures and sound: their files' paths, or arrays
    pictures       at ``fps``
    cropper        where the face is in them
    region         [1, R, R], 1 where pixels are generated
    sound          the recording as it was given, for the video's sound track; None for a video without
    speech         the same at 16 kHz
    emotion        tokens [L, D], or [T, L, D] (or what these are mixed from) when they change over time, or
                   None
    null_emotion   [L, D], those of the empty sentence; None is the model's path without emotion
    silence_gate   whether the mouth closes where the recording has a pause
    reference      a crop [3, R, R] in [-1, 1] that shows what the person looks like; None: every frame does
    """

    sources: tuple[Any, ...]
    pictures: Pictures
    cropper: Cropper
    region: Tensor
    sound: Sound | None
    speech: Speech
    fps: Fraction
    length: Length
    emotion: Tensor | MixedTokens | None = None
    null_emotion: Tensor | None = None
    silence_gate: bool = True
    reference: Tensor | None = None

    def first_crop(self) -> Tensor:
        """The face in the first frame, [1, 3, R, R] in [-1, 1]."""
        first = self.length.at(0)
        return self.cropper.crop(self.pictures.picture(first)[None], [first])

    def check_face(self, framing: str, detector: FaceDetector | None = None) -> None:
        """Raise `NoFaceInPlace` where the centred square is taken and no face sits in it as it should (see
        `check_face_in_place`). A face that was followed, or entered by hand, is taken as it is.
        """
        if isinstance(self.cropper, CentreCropper):
            used = range(min(self.length.frames, self.length.available))
            check_face_in_place(self.pictures.picture, used, framing, self.cropper.resolution, detector)

    def fingerprint(self, networks: Networks, sampling: Sampling, smoothing: float) -> str:
        """A short name that changes with whatever decides the frames of a render and their sound, and with
        nothing else.

        The one place where all of it is listed: what is left out here, an unfinished video would be continued
        without. Left out on purpose are the device; the window that memory allowed, if it was smaller than
        the one of ``sampling``; what has no effect, as the mode of a length that source and sound share, or a
        smoother of strength 0.
        """
        described = {name: value for name, value in vars(sampling).items() if name != "device"}
        smoother = networks.tfrm if smoothing > 0 else None
        return fingerprint(
            networks.identity,
            None if smoother is None else (smoothing, networks.smoother_identity),
            described,
            self.sources,
            self.cropper,
            self.region,
            self.fps,
            _shown(self.length),
            self.sound is None,
            self.emotion,
            self.null_emotion,
            self.silence_gate,
            self.reference,
        )


def _shown(length: Length) -> tuple[Any, ...]:
    """What decides which frames of the source are shown: nothing but their number where it has enough."""
    if length.frames <= length.available or length.available == 1:
        return (length.frames,)
    mode = {"silence": "bounce", "cut_off": "hold"}.get(length.mode, length.mode)
    return (length.frames, length.available, mode)
