"""One clip of the synthetic world: a person, what they say, how they feel, and every facial parameter of
every frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, no_such
from .captions import Description, describe
from .expression import INDEX, PARAMETERS, RANGES
from .identity import Identity, sample_identity
from .recordings import FPS, record, stream
from .sentences import SPLITS
from .speech import PAUSE, Phoneme
from .visemes import MOUTH, mouth_track

_PEOPLE, _WORDS, _MOTION, _TURNS = 0, 1, 3, 6  # the recording has those between
_BLINK = (0.35, 0.9, 1.0, 0.75, 0.4, 0.12)
_BLINKS_PER_SECOND = 0.28
_SACCADES_PER_SECOND = 0.7


@dataclass(frozen=True)
class SyntheticClip:
    """`params` float32 [T, P] in the order of `expression.PARAMETERS`; `waveform` (as recorded) and `clean`
    float32 [T * 640] at 16 kHz; `phonemes` with times from the start of the clip. Where the feeling changes
    on the way, `change` [T] is the share of `later` that each frame shows.
    """

    seed: int
    split: str
    identity: Identity
    text: str
    voice: str
    description: Description
    waveform: NDArray[np.float32]
    clean: NDArray[np.float32]
    params: NDArray[np.float32]
    phonemes: tuple[Phoneme, ...]
    fps: int = FPS
    later: Description | None = None
    change: NDArray[np.float32] | None = None


def make_clip(seed: int, split: str = "train", num_frames: int = 40) -> SyntheticClip:
    """The clip of a seed; the same on every machine and in every process.

    Splits share no identity, speaker, sentence or phrasing. Raises InputError for an unknown split, a
    negative seed or fewer than one frame.
    """
    if split not in SPLITS:
        raise InputError(no_such("split", split, SPLITS))
    if seed < 0 or num_frames < 1:
        raise InputError(
            f"A clip needs a seed of 0 or more and at least 1 frame, not {seed} and {num_frames}."
        )
    people, words, motion = (stream(seed, split, number) for number in (_PEOPLE, _WORDS, _MOTION))
    description = describe(words, split)
    recording = record(seed, split, description, num_frames)
    return SyntheticClip(
        seed=seed,
        split=split,
        identity=sample_identity(people),
        text=recording.text,
        voice=recording.voice,
        description=description,
        waveform=recording.waveform,
        clean=recording.clean,
        params=animate(description.parameters, recording.phonemes, num_frames, motion),
        phonemes=recording.phonemes,
    )


def make_changing_clip(seed: int, split: str = "train", num_frames: int = 40) -> SyntheticClip:
    """The clip of a seed, but for a feeling that turns into another one on the way; errors as `make_clip`."""
    clip = make_clip(seed, split, num_frames)
    turns = stream(seed, split, _TURNS)
    later, change = describe(turns, split), turned(turns, num_frames)
    before, after = clip.description.parameters, later.parameters
    targets = {
        name: before.get(name, 0.0) + change * (after.get(name, 0.0) - before.get(name, 0.0))
        for name in {**before, **after}
    }
    params = animate(targets, clip.phonemes, num_frames, stream(seed, split, _MOTION))
    return replace(clip, later=later, change=change, params=params)


def turned(rng: np.random.Generator, num_frames: int) -> NDArray[np.float32]:
    """From 0 to 1 along a smooth step, anywhere in the clip, within a tenth of a second to one second."""
    middle, seconds = rng.uniform(0.1, 0.9) * num_frames, rng.uniform(0.1, 1.0)
    rise = np.clip((np.arange(num_frames) - middle) / (seconds * FPS) + 0.5, 0, 1)
    return (rise * rise * (3 - 2 * rise)).astype(np.float32)


def described(seed: int, split: str) -> Description:
    """The description of the clip of a seed."""
    return describe(stream(seed, split, _WORDS), split)


def animate(
    targets: Mapping[str, float | NDArray[np.floating]],
    phonemes: tuple[Phoneme, ...],
    num_frames: int,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Facial parameters [T, P] of a person who speaks `phonemes` with the face of `targets`, each a number or
    one for every frame [T].

    The speech owns the opening and closing of the lips; the feeling sets everything else and gives way
    where the two cannot be had together.
    """
    params = np.zeros((num_frames, len(PARAMETERS)), np.float64)
    wavering = 1.0 - 0.14 * _slow(rng, num_frames, 1.2, 0.0, 1.0)
    for name, value in targets.items():
        params[:, INDEX[name]] = value * wavering * (1.0 + 0.03 * rng.standard_normal())
    speak_through(params, mouth_track(phonemes, num_frames, FPS))
    _blink(params, rng)
    _look_around(params, rng)
    _move_head(params, rng, phonemes)
    return np.clip(params, RANGES[:, 0], RANGES[:, 1]).astype(np.float32)


def speak_through(params: NDArray[np.float64], mouth: NDArray[np.float32]) -> None:
    """In place: join the expression of the mouth with its speech movements."""
    speech = {name: mouth[:, i].astype(np.float64) for i, name in enumerate(MOUTH)}
    closed, rounded = speech["lip_close"], np.maximum(speech["lip_pucker"], speech["lip_funnel"])
    opened = np.minimum(1.0, 2.5 * speech["jaw_open"] * (1.0 - closed))

    def feel(name: str) -> NDArray[np.float64]:
        return params[:, INDEX[name]]

    # A dropped jaw widens what speech opens, and leaves silence and closures shut.
    params[:, INDEX["jaw_open"]] = speech["jaw_open"] * (1.0 + 0.4 * feel("jaw_open"))
    for name, give_way in (
        ("lip_stretch", 0.7 * rounded),
        ("upper_lip_raise", np.maximum(0.75 * closed, 0.5 * speech["lip_bite"])),
        ("lower_lip_depress", np.maximum(0.9 * closed, speech["lip_bite"])),
        ("lip_funnel", np.maximum(0.8 * closed, 0.5 * speech["lip_stretch"])),
        ("lip_pucker", 0.8 * speech["lip_stretch"]),
    ):
        emotion = feel(name) * (1.0 - np.clip(give_way, 0.0, 1.0))
        params[:, INDEX[name]] = 1.0 - (1.0 - emotion) * (1.0 - speech[name])
    for name in ("lip_close", "lip_bite", "tongue_up"):
        params[:, INDEX[name]] = speech[name]
    params[:, INDEX["lip_press"]] *= 1.0 - 0.75 * np.maximum(opened, rounded)
    for side in "lr":
        params[:, INDEX[f"smile_{side}"]] *= 1.0 - 0.35 * rounded
        params[:, INDEX[f"frown_{side}"]] *= 1.0 - 0.25 * rounded


def _blink(params: NDArray[np.float64], rng: np.random.Generator) -> None:
    frames = len(params)
    for start in np.flatnonzero(rng.random(frames + len(_BLINK)) < _BLINKS_PER_SECOND / FPS) - len(_BLINK):
        for step, lid in enumerate(_BLINK):
            if 0 <= start + step < frames:
                for name in ("blink_l", "blink_r"):
                    row = params[start + step]
                    row[INDEX[name]] = max(row[INDEX[name]], lid)


def _look_around(params: NDArray[np.float64], rng: np.random.Generator) -> None:
    """Small jumps of the eyes around where the description wants them."""
    frames = len(params)
    jumps = np.flatnonzero(rng.random(frames) < _SACCADES_PER_SECOND / FPS)
    for start, stop in zip([0, *jumps], [*jumps, frames], strict=True):
        params[start:stop, INDEX["gaze_x"]] += 0.1 * rng.standard_normal()
        params[start:stop, INDEX["gaze_y"]] += 0.06 * rng.standard_normal()


def _move_head(params: NDArray[np.float64], rng: np.random.Generator, phonemes: tuple[Phoneme, ...]) -> None:
    """Slow drift around a pose, and small nods on stressed syllables."""
    frames = len(params)
    for name, pose, drift in (
        ("head_yaw", 0.22, 0.16),
        ("head_pitch", 0.16, 0.12),
        ("head_roll", 1.0, 0.6),
        ("head_x", 0.004, 0.003),
        ("head_y", 0.003, 0.002),
    ):
        params[:, INDEX[name]] += pose * rng.standard_normal() + drift * _slow(rng, frames, 1.0)
    times = (np.arange(frames) + 0.5) / FPS
    for phoneme in phonemes:
        if phoneme.stress == 2 and phoneme.name != PAUSE:
            centre = (phoneme.start + phoneme.end) / 2
            params[:, INDEX["head_pitch"]] += 0.08 * np.exp(-(((times - centre) / 0.09) ** 2))


def _slow(
    rng: np.random.Generator, frames: int, seconds: float, low: float = -2.0, high: float = 2.0
) -> NDArray[np.float64]:
    """Smooth noise of unit spread with changes over about `seconds`; squeezed into low..high."""
    times = np.arange(frames) / FPS
    waves = np.zeros(frames)
    for octave in (1.0, 1.9):
        waves += np.sin(
            2 * np.pi * octave * rng.uniform(0.3, 0.6) * times / seconds + rng.uniform(0, 2 * np.pi)
        )
    return low + (high - low) * (waves / 2.0 + 1.0) / 2.0 if low == 0.0 else np.clip(waves, low, high)
