"""Lips that meet on p, b and m: what a listener hears of them, in place of what the model of motion shows.

The model was taught with an encoder of sound that hears mouths well and closures badly, and where it is not
sure it shows something in between. A closure is short, and people see at once where it is missing. So a small
network of its own listens for nothing else, and shuts the lips whatever the jaw does. Without its file the
model's own closures stay.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from ..checkpoints import load_checkpoint
from ..errors import CheckpointError
from ..media.speech import Speech
from ..modules.mini_audio import MiniAudioEncoder
from ..modules.slices import ROWS_BEFORE
from ..rig.expression import INDEX
from ..rig.track import Track

_FPS = 25.0
_FROM, _TO = 0.2, 0.6  # of the listener: below, lips are free; above, they are shut


@lru_cache(maxsize=1)
def bundled_listener() -> MiniAudioEncoder | None:
    """The listener that comes with the package; None where there is none. It stays on the processor."""
    path = Path(__file__).with_name("closures.safetensors")
    return load_listener(path) if path.is_file() else None


def load_listener(path: Path) -> MiniAudioEncoder:
    """Raises CheckpointError for a file that holds no listener."""
    listener = load_checkpoint(path, only=["closures"]).component("closures")
    if not isinstance(listener, MiniAudioEncoder) or listener.config["dim"] != 1:
        raise CheckpointError(f"{path.name} hears no closures: train one with eadnet.training closures.")
    return listener.float()


@torch.no_grad()
def heard_closures(listener: MiniAudioEncoder, speech: Speech, frames: int) -> Tensor:
    """How surely p, b or m holds the lips at the beginning, the middle or the end of every frame at 25 per
    second, 0..1 [frames].
    """
    rows = torch.cat(list(listener.stream_speech(speech, _FPS, frames)))
    return rows[:, ROWS_BEFORE : ROWS_BEFORE + 3, 0].amax(1).sigmoid().cpu()


def with_closures(track: Track, heard: Tensor) -> Track:
    """The track with lips that are shut where a closure was heard [T], and free elsewhere."""
    sure = ((heard - _FROM) / (_TO - _FROM)).clamp(0, 1)
    values = track.values.clone()
    values[:, INDEX["lip_close"]] = sure * sure * (3 - 2 * sure)
    return Track(values, track.fps)
