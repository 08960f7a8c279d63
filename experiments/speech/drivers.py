"""Drivers that are compared: each makes how far a mouth is open from a sound."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from eadnet.driving.idle import Idle
from eadnet.driving.motion import MotionModel
from eadnet.driving.speech import track_from_speech
from eadnet.errors import CheckpointError
from eadnet.faces.bundled import bundled_face
from eadnet.media.images import read_image
from eadnet.media.speech import SpeechInMemory
from eadnet.rendering import RenderSettings, load_model
from eadnet.rig.rig import Rig
from eadnet.rig.track import Track
from eadnet.training.regressors.front_end import FrontEnd
from experiments.as_shipped import shipped_track
from experiments.motion.measures import opening
from experiments.paths import ASSETS
from experiments.speech.measures import Curve, Driver


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


def motion_drivers(rig: Rig) -> dict[str, Driver]:
    """What the bundled `motion` makes of the sound as it ships, without a sentence: as its jaw and its lips'
    closing say, and as a rigged portrait's lips are apart.
    """
    model = MotionModel.load()

    def make(waveform: torch.Tensor, frames: int) -> Track:
        return shipped_track(SpeechInMemory(waveform), "", frames, model=model)

    def drive(waveform: Curve, frames: int) -> Curve:
        track = make(torch.from_numpy(np.asarray(waveform, np.float32)), frames)
        return opening(track.values.double().numpy())

    return {"motion, jaw and closure": drive, "motion, the rig's gap": by_track(make, rig)}


def front_driver(front: FrontEnd) -> Driver:
    """The mouth that an audio front end hears, by its own column for the opening."""

    def drive(waveform: Curve, frames: int) -> Curve:
        return front.hear(torch.from_numpy(np.asarray(waveform, np.float32)), frames)[0][:, -1].numpy()

    return drive
