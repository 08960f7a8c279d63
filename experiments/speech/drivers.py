"""Drivers that are compared: each makes how far a mouth is open from a sound."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from eadnet.checkpoints import load_checkpoint
from eadnet.driving.idle import Idle
from eadnet.driving.speech import track_from_speech
from eadnet.errors import CheckpointError
from eadnet.faces.bundled import bundled_face
from eadnet.media.images import read_image
from eadnet.modules.mini_audio import MiniAudioEncoder
from eadnet.rendering import RenderSettings, load_model
from eadnet.rig.rig import Rig
from eadnet.rig.track import Track
from eadnet.synthetic.visemes import MOUTH, opening_of
from experiments.paths import ASSETS
from experiments.speech.measures import Curve, Driver

_SILENCE_BEHIND = 4000  # samples: what the encoder looks at beyond the end


def portrait() -> Rig:
    """The bundled portrait, to see how far a track opens its lips."""
    picture = np.asarray(read_image(ASSETS / "portrait.png"))
    if picture.dtype != np.uint8:
        picture = (picture * 255).round().astype(np.uint8)
    face = bundled_face(picture)
    if face is None:
        raise CheckpointError("The bundled portrait's face is missing: reinstall the package.")
    return Rig.build(torch.from_numpy(picture), torch.from_numpy(face.points), shapes=face.blendshapes)


def by_track(make: Callable[[torch.Tensor, int], Track], rig: Rig) -> Driver:
    """From a sound [S] and T frames to a track, and from it to the distance of a rigged portrait's lips."""

    def drive(waveform: Curve, frames: int) -> Curve:
        track = make(torch.from_numpy(np.asarray(waveform, np.float32)), frames)
        return rig.gap(track.values).numpy()

    return drive


def mini_driver(rig: Rig, steps: int | None = None) -> Driver:
    """What the bundled `mini` performs, read off its face; neutral, without head and blinks."""
    model, settings = load_model(), RenderSettings(steps=steps)

    def make(waveform: torch.Tensor, frames: int) -> Track:
        still = Idle(blinks=0, gaze=0, head=0)
        return track_from_speech(waveform, "", model=model, settings=settings, frames=frames, idle=still)

    return by_track(make, rig)


class FrontEnd:
    """An audio encoder with the linear head that it was taught by (`eadnet.training.recipes.front_end`)."""

    def __init__(self, file: Path) -> None:
        """Raises CheckpointError for a file that holds no such encoder."""
        found = load_checkpoint(file)
        encoder, head = found.component("audio_encoder"), found.component("mouth_head")
        if not isinstance(encoder, MiniAudioEncoder):
            raise CheckpointError(f"{file.name} holds no audio encoder of this kind: choose another file.")
        self.encoder, self.head = encoder.float().eval(), head.float().eval()

    @torch.no_grad()
    def mouth(self, waveform: Curve, frames: int) -> Curve:
        """The columns `MOUTH` of every frame, [T, 9]."""
        sound = torch.from_numpy(np.pad(np.asarray(waveform, np.float32), (0, _SILENCE_BEHIND)))
        tokens = self.encoder.encode_windows(self.encoder.log_mel(sound)[None], 25.0, frames)
        return self.head(tokens.flatten(2))[0, :, : len(MOUTH)].numpy()

    def __call__(self, waveform: Curve, frames: int) -> Curve:
        return opening_of(self.mouth(waveform, frames).clip(0, 1))
