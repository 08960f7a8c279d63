"""What a set is made with, and where a clip has to be good enough to be in it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InputError, no_such

RESOLUTIONS = (256, 512)
LAYOUTS = ("folder", "hdtf", "mead")
OWN_SYNC_MODEL, NO_SYNC_MODEL = "own", "none"
# Of LatentSync's preparation (README: sync_conf_threshold 3, abs(offset) <= 6), on SyncNet v2's scale.
SYNCNET_CONFIDENCE, MOST_OFFSET = 3.0, 6

# Numbers of 0 or more, in the words of the command line.
_LIMITS = {
    "smallest_face": "smallest face",
    "most_turned": "turn",
    "most_beyond": "share beyond the edge",
    "least_sharp": "sharpness",
    "most_offset": "offset",
    "confidence": "confidence",
}


@dataclass(frozen=True)
class Cache:
    """Files of networks whose features are kept beside the crops, so that training need not compute them.

    preset  for whose U-Net they are; also a checkpoint that holds all three, such as "mini"
    vae     Stable Diffusion's autoencoder: "latents"
    whisper its encoder: "whisper"
    text    CLIP's text encoder: "tokens"
    """

    preset: str
    vae: Path | None = None
    whisper: Path | None = None
    text: Path | None = None


@dataclass(frozen=True)
class Settings:
    """What decides the result; two runs with the same ones on the same files give the same set.

    layout          one of `LAYOUTS`
    resolution      pixels of a crop's side
    longest         seconds of a segment; a longer shot is cut into equal parts of at least half of it
    shortest        seconds; what is left of a shot that is shorter is rejected
    smallest_face   pixels of the square as large as the face's box, median of the segment
    most_turned     degrees that nine tenths of the frames are not turned beyond, to either side
    most_beyond     share of the crop that may lie beyond the picture's edge
    least_sharp     variance of the Laplacian of the crop at 256 pixels, levels squared
    sync_model      `OWN_SYNC_MODEL`, `NO_SYNC_MODEL`, or the file of a SyncNet
    confidence      least confidence of the sync; None: the model's own mark
    most_offset     frames of 1/25 s that the sound may be early or late, and is then moved by
    faces           the face landmarker's file
    views           of MEAD, that are taken; none: all
    captions        what `eadnet caption` wrote about the same folder; None: labels, or measured
    cache           features to keep; None: none
    device          for the networks; it does not count as another setting
    """

    layout: str = "folder"
    resolution: int = 256
    longest: float = 10.0
    shortest: float = 2.0
    smallest_face: float = 96.0
    most_turned: float = 45.0
    most_beyond: float = 0.2
    least_sharp: float = 5.0
    sync_model: str | Path = OWN_SYNC_MODEL
    confidence: float | None = None
    most_offset: int = MOST_OFFSET
    faces: Path = Path("face_landmarker.task")
    views: tuple[str, ...] = ()
    captions: Path | None = None
    cache: Cache | None = None
    device: str = "cpu"
    samples_per_shard: int = 256
    bytes_per_shard: int = field(default=1 << 30)

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise InputError(no_such("layout", self.layout, LAYOUTS))
        if self.resolution not in RESOLUTIONS:
            raise InputError(
                f"The resolution is {self.resolution}: use {' or '.join(map(str, RESOLUTIONS))}."
            )
        if not 1 <= self.shortest <= self.longest / 2 or not self.longest <= 60:
            raise InputError(
                f"Segments of {self.shortest:g} to {self.longest:g} s are not possible: the shortest is 1 s "
                "or more, and at most half of the longest, which is 60 s or less."
            )
        for name, words in _LIMITS.items():
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise InputError(f"The {words} is {value}: use a number of 0 or more.")
        if self.most_offset > 14:  # at the last one that is looked at the true one may lie beyond
            raise InputError(f"The offset is {self.most_offset} frames: 15 are looked at, use 14 or fewer.")

    def told(self) -> dict[str, Any]:
        """For set.json: everything but where files lie; files by their name and a fingerprint of content."""
        names = {"sync_model": "judge"}  # as sets of version 1 say it
        told = {names.get(name, name): _told(value) for name, value in asdict(self).items()}
        return {name: value for name, value in told.items() if name != "device"}


def _told(value: Any) -> Any:
    if isinstance(value, Path):
        from ..fingerprints import fingerprint  # not at the top: the command line asks for the defaults alone

        return f"{value.name} {fingerprint(value)}" if value.exists() else value.name
    if isinstance(value, Mapping):
        return {name: _told(part) for name, part in value.items()}
    return list(value) if isinstance(value, tuple) else value


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """In words, what two sets of settings differ in; empty where they do not."""
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return ", ".join(
        f"{name} {json.dumps(before.get(name))}, now {json.dumps(now.get(name))}" for name in names
    )
