"""The driver of a rig as people get it, but for what is drawn by rule."""

from __future__ import annotations

from eadnet.driving.closures import with_heard_closures
from eadnet.driving.motion import MotionModel, motion_track
from eadnet.media.speech import Speech
from eadnet.rendering import RenderSettings
from eadnet.rig.track import Track


def shipped_track(
    speech: Speech,
    emotion: str,
    frames: int,
    *,
    model: MotionModel,
    settings: RenderSettings | None = None,
) -> Track:
    """What `driving.speech.track_from_speech` makes (explained openings, TFRM, the listener's closures), with
    the model's own blinks, gaze and head.
    """
    return with_heard_closures(motion_track(speech, emotion, frames, model=model, settings=settings), speech)
