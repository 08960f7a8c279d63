"""Lips that meet on p, b and m: what a listener hears of them, beside what the model of motion shows.

The model was trained with an audio encoder that hears mouths well and closures badly, and where it is not
sure it shows the mean: lips half shut. A closure is short, and people see at once where it is missing. So a
small network of its own listens for nothing else, and what it is sure of shuts the lips whatever the jaw
does. Without its file the model's own closures stay. What it is worth: docs/results/motion.md.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ..checkpoints import load_checkpoint
from ..media.speech import Speech
from ..modules.mini_audio import MiniAudioEncoder
from ..modules.slices import ROWS_BEFORE
from ..rig.expression import INDEX
from ..rig.track import Track

_FPS = 25.0
_FROM, _TO = 0.3, 0.6  # of the listener: below, the track keeps its lips; above, they are shut
# People's lips take two to three frames to meet and part; a closure of one frame looks like a flicker. So the
# frames beside a heard one shut the lips this far.
_BESIDE = 0.45


@lru_cache(maxsize=1)
def bundled_listener() -> MiniAudioEncoder | None:
    """The listener that comes with the package; None where there is none."""
    path = Path(__file__).with_name("closures.safetensors")
    if not path.is_file():
        return None
    listener = load_checkpoint(path, only=["closures"]).component("closures")
    assert isinstance(listener, MiniAudioEncoder)
    return listener.float()


@torch.no_grad()
def heard_closures(listener: MiniAudioEncoder, speech: Speech, frames: int) -> Tensor:
    """How surely p, b or m holds the lips in the middle of every frame at 25 per second, 0..1 [frames]."""
    rows = torch.cat([block[:, ROWS_BEFORE + 1, 0] for block in listener.stream_speech(speech, _FPS, frames)])
    return rows.sigmoid().cpu()


def with_heard_closures(track: Track, speech: Speech) -> Track:
    """The track at 25 frames a second with what the bundled listener hears, if there is one."""
    listener = bundled_listener()
    if listener is None:
        return track
    return with_closures(track, heard_closures(listener, speech, len(track.values)))


def with_closures(track: Track, heard: Tensor) -> Track:
    """The track with lips shut where a closure was heard [T], and half shut in the frames beside it;
    elsewhere it stays as it is.
    """
    sure = ((heard - _FROM) / (_TO - _FROM)).clamp(0, 1)
    shut = sure * sure * (3 - 2 * sure)
    before, after = F.pad(shut, (0, 1))[1:], F.pad(shut, (1, 0))[:-1]
    shut = torch.maximum(shut, _BESIDE * torch.maximum(before, after))
    values = track.values.clone()
    column = INDEX["lip_close"]
    values[:, column] = torch.maximum(values[:, column], shut)
    return Track(values, track.fps)
