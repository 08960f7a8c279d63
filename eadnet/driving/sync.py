"""A SyncNet for real faces: the mouth that `motion` expects of a sound beside the one the landmarks see.

No network was trained for it. The landmarker (MediaPipe's) says how far apart and how wide the lips are
and how low the chin is in every frame. The model of motion, asked once at the level that is nothing but
noise, answers with the mean of all mouths that fit the sound: the best guess there is, where its samples
are some of them. An embedding is how these three run around a frame, without their means: people differ
in how they hold the mouth, and agree in when it moves. How well it tells true from shifted sound is in
docs/results/sync.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import InputError
from ..faces.landmarker import FaceLandmarker, LandmarkedFace
from ..media.audio import RATE
from ..media.clips import Frames, pieces
from ..media.speech import SpeechInMemory
from ..metrics.speech_fit import filled
from ..rendering import RenderSettings
from ..rig.expression import INDEX
from .motion import FPS, MotionModel, motion_sampling, sample_motion

_INNER_LIPS = ((13, 14), (312, 317), (82, 87))
_CORNERS, _NOSE, _CHIN = (61, 291), 1, 152
_EYE_CORNERS = (33, 263)
_WEIGHTS = (1.0, 0.5, 0.5)  # of apart, wide, low
_AROUND = 12  # frames to each side that an embedding holds
_LEAST_SEEN = 0.5  # share of frames


class MotionSyncNet(nn.Module):
    """What `metrics.sync` needs of a SyncNet.

    Args:
        model: of motion; its networks are taken, not copied.
        landmarker: gives the landmarker's file when frames are looked at; InputError where there is none.
    """

    name = "motion"
    num_frames = 1
    silence_beyond_ends = False
    # Others' sound reaches it in 1 % of parts of 5 s of real recordings: docs/results/sync.md.
    confident = 0.35
    crop = "any picture in which the face landmarker finds the face"

    def __init__(self, model: MotionModel, landmarker: Callable[[], str | os.PathLike[str]]) -> None:
        super().__init__()
        self.unet, self.codec, self.audio_encoder = model.unet, model.codec, model.audio_encoder
        self.register_buffer("nothing_said", model.encode_emotion("")[1], persistent=False)
        self.nothing_said: Tensor
        self._sampling = replace(motion_sampling(RenderSettings(), model.checkpoint), steps=1)
        self._landmarker = landmarker
        self.eval()

    def embed(self, frames: Frames, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """One embedding for each frame of the mouth that is seen and of the one that is expected, [N, D].

        Args:
            frames: [T, 3, H, W], values 0..1 or uint8, at 25 per second.
            waveform: [S], mono, 16 kHz.

        Raises:
            InputError: less than a frame, no landmarker, or a face in less than half of the frames.
        """
        count = min(frames.shape[0], round(waveform.numel() / RATE * FPS))
        if count < 1:
            raise InputError("There is less than a frame to compare: use a longer clip.")
        seen = mouths(list(self._faces(frames, count)))
        found = int(np.isfinite(seen[:, 0]).sum())
        if found < _LEAST_SEEN * count:
            raise InputError(
                f"A face is seen in {found} of the {count} frames only: use a clip that shows one all along."
            )
        bridged = torch.stack([filled(column) for column in torch.from_numpy(seen).unbind(1)], 1)
        return embedding(bridged), embedding(self.expected(waveform, count))

    def expected(self, waveform: Tensor, frames: int) -> Tensor:
        """How far apart, wide and low a mouth would be at a sound [S], each in its own unit, [frames, 3]."""
        track = sample_motion(
            self.unet,
            self.codec,
            self.audio_encoder,
            SpeechInMemory(waveform),
            frames,
            self._sampling,
            emotion=self.nothing_said,
            null_emotion=self.nothing_said,
        )
        jaw, pucker = (track.values[:, INDEX[name]] for name in ("jaw_open", "lip_pucker"))
        return torch.stack([jaw, -pucker, jaw], 1)

    def _faces(self, frames: Frames, count: int) -> Iterator[LandmarkedFace | None]:
        landmarker = FaceLandmarker(self._landmarker(), device=self.codec.mean.device)
        shown = (frame.movedim(0, -1) for piece in pieces(frames) for frame in piece)
        return landmarker.follow(islice(shown, count))


def mouths(faces: list[LandmarkedFace | None]) -> np.ndarray:
    """[T, 3]: how far the inner lips and the corners of the mouth are apart, and the chin from the nose, in
    distances of the outer corners of the eyes; NaN without a face.
    """
    found = np.full((len(faces), 3), np.nan)
    for number, face in enumerate(faces):
        if face is not None:
            points = face.points[:, :2]

            def apart(pair: tuple[int, int], points: np.ndarray = points) -> float:
                return float(np.linalg.norm(points[pair[0]] - points[pair[1]]))

            lips = float(np.mean([apart(pair) for pair in _INNER_LIPS]))
            seen = (lips, apart(_CORNERS), apart((_NOSE, _CHIN)))
            found[number] = np.array(seen) / max(1e-6, apart(_EYE_CORNERS))
    return found


def embedding(mouth: Tensor) -> Tensor:
    """How a mouth [T, 3] moves around each frame, of length 1 on average: [T, 75]."""
    padded = F.pad(mouth.double().T[None], (_AROUND, _AROUND), mode="replicate")[0]
    around = padded.unfold(1, 2 * _AROUND + 1, 1)  # [3, T, 25]
    around = around - around.mean(2, keepdim=True)
    around = around / around.square().sum(2, keepdim=True).mean(1, keepdim=True).sqrt().clamp(min=1e-6)
    weights = torch.tensor(_WEIGHTS, dtype=torch.float64, device=mouth.device)
    return (around * (weights / weights.norm())[:, None, None]).transpose(0, 1).flatten(1)
