"""How a recording looks: its loudest sample in every short stretch."""

from __future__ import annotations

import os

import numpy as np

from .sound import SoundFile

_EACH = 0.01  # seconds of a stretch
MOST = 20_000  # stretches; those of long recordings are longer


def wave_peaks(path: str | os.PathLike[str], most: int = MOST) -> tuple[float, np.ndarray]:
    """Seconds of a recording, and at most ``most`` peaks uint8, evenly spaced over it; 255 is the loudest.

    The file is read once, as a stream. Raises InputError for a file without sound.
    """
    sound = SoundFile(path)
    each = max(1, round(sound.rate * _EACH))
    loudest: list[np.ndarray] = []
    rest = np.zeros(0, np.float32)
    samples = 0
    for piece in sound.pieces():
        samples += piece.shape[1]
        joined = np.concatenate([rest, piece.abs().amax(0).numpy()])
        whole = len(joined) // each * each
        loudest.append(joined[:whole].reshape(-1, each).max(1))
        rest = joined[whole:]
    if len(rest):
        loudest.append(rest.max(keepdims=True))
    peaks = np.concatenate(loudest) if loudest else np.zeros(0, np.float32)
    together = -(-len(peaks) // most) or 1
    padded = np.pad(peaks, (0, -len(peaks) % together)).reshape(-1, together).max(1)
    # The last stretch may be longer than what is left of the sound.
    seconds = len(padded) * together * each / sound.rate if together > 1 else samples / sound.rate
    scaled = padded / max(float(padded.max(initial=0)), 1e-6)
    return seconds, (255 * scaled).round().astype(np.uint8)
