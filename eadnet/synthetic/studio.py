"""Pictures and clips of the synthetic world on demand: a person, a face or a sentence in, files out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, no_such
from .captions import Description
from .clips import FPS, animate, make_clip
from .expression import PARAMETERS, emotion_expression, expression
from .identity import Identity, sample_identity
from .renderer import Frame, Renderer
from .sentences import SPLITS
from .speech import SAMPLE_RATE, speak

PICTURES, VIDEOS = (".png",), (".mp4",)


@dataclass(frozen=True)
class SyntheticScene:
    """What is to be seen and heard: `params` float32 [T, P], and for videos the sound at 16 kHz [S]."""

    identity: Identity
    params: NDArray[np.float32]
    waveform: NDArray[np.float32] | None
    caption: str


def person(seed: int, split: str = "train") -> Identity:
    """The person that `make_clip` shows for a seed. InputError for a negative seed or unknown split."""
    if split not in SPLITS:
        raise InputError(no_such("split", split, SPLITS))
    if seed < 0:
        raise InputError(f"The seed is {seed}: give 0 or more.")
    return sample_identity(np.random.default_rng([SPLITS.index(split), 0, seed]))


def face(
    emotion: str = "neutral", intensity: float = 1.0, changes: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Facial parameters by name: an emotion, with single parameters overridden.

    Raises InputError for unknown names and values out of range.
    """
    vector = emotion_expression(emotion, intensity)
    overrides = expression(**(changes or {}))
    for name in changes or {}:
        vector[PARAMETERS.index(name)] = overrides[PARAMETERS.index(name)]
    return {name: float(value) for name, value in zip(PARAMETERS, vector, strict=True) if value}


def still(identity: Identity, parameters: Mapping[str, float]) -> SyntheticScene:
    """One moment of a face that does not speak."""
    return SyntheticScene(identity, expression(**parameters)[None], None, "")


def spoken(
    identity: Identity,
    parameters: Mapping[str, float],
    text: str,
    *,
    voice: str,
    rate: int,
    pitch: int,
    seed: int,
) -> SyntheticScene:
    """A person who says `text` with the face of `parameters`.

    Raises InputError for a text with nothing to say, an unknown voice, and settings out of range.
    """
    said = speak(text, voice, rate, pitch)
    frames = max(1, round(len(said.waveform) * FPS / SAMPLE_RATE))
    params = animate(dict(parameters), said.phonemes, frames, np.random.default_rng([seed, 3]))
    return SyntheticScene(identity, params, said.waveform, text)


def drawn(seed: int, split: str, frames: int) -> SyntheticScene:
    """The clip of a seed, as data sets hold it. Raises InputError as `make_clip` does."""
    clip = make_clip(seed, split, frames)
    return SyntheticScene(clip.identity, clip.params, clip.waveform, _caption(clip.description, clip.text))


def _caption(description: Description, said: str) -> str:
    return f"{description.text} | {said}"


def render_scene(scene: SyntheticScene, size: int) -> list[Frame]:
    """Every frame with its landmarks and masks. Raises InputError for a size outside 1..2048."""
    renderer = Renderer(scene.identity, size)
    return [renderer.render(moment) for moment in scene.params]


def write_scene(scene: SyntheticScene, frames: list[Frame], out: Path, sheet: int | None = None) -> None:
    """Write the frames to `out`: a video with its sound, the middle frame, or a sheet of `sheet` frames.

    Raises InputError for another kind of file and for a place that cannot be written.
    """
    import torch

    from ..media.images import contact_sheet, write_png
    from ..media.video import write_video

    pictures = np.stack([frame.image for frame in frames])
    check_kind(out)
    if out.suffix.lower() in PICTURES:
        write_png(out, pictures[len(pictures) // 2] if sheet is None else contact_sheet(pictures, sheet))
        return
    sound = None if scene.waveform is None else torch.from_numpy(scene.waveform)[None]
    write_video(out, pictures, FPS, sound, SAMPLE_RATE)


def check_kind(out: Path) -> None:
    """Raises InputError unless the file's name ends in one of `PICTURES` or `VIDEOS`."""
    if out.suffix.lower() not in (*PICTURES, *VIDEOS):
        raise InputError(f"{out.name} is neither an image nor a video: end its name with .png or .mp4.")


def write_truth(scene: SyntheticScene, frames: list[Frame], out: Path) -> None:
    """Write the truth as .npz: params [T, P], names [P], landmarks [T, 68, 2], masks [T, S, S] by part."""
    masks = {name: np.stack([frame.masks[name] for frame in frames]) for name in frames[0].masks}
    landmarks = np.stack([frame.landmarks for frame in frames])
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        arrays = {"params": scene.params, "names": np.array(PARAMETERS), "landmarks": landmarks, **masks}
        np.savez_compressed(out, **arrays)  # type: ignore[arg-type]
    except OSError as error:
        raise InputError(f"The truth {out} cannot be written ({error}): choose another place.") from error
