"""A talking face of any length: frames are read, worked on and given out while the clip passes by.

Everything a frame depends on lies within a few windows, so memory does not grow with length, and any later
part of a clip can be rendered alone, to the bit. That is what continuing after a crash does.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from .faces.crops import prepare_portrait, to_pictures
from .faces.drawn import PHOTOGRAPH, is_photograph
from .faces.masks import composite, feathered, latent_mask, masked_picture
from .faces.track import FaceTrack
from .media.lengths import Length
from .media.reader import Pictures
from .media.silence import gated, quiet_tokens, speech_gate
from .media.speech import Speech
from .memory import FewerAtATime
from .modules.tfrm import TFRM, needed_from, smooth_stream
from .sampling import Conditions, Sampling, SamplingProgress, stream

logger = logging.getLogger(__name__)

TOGETHER = 8  # frames encoded or decoded at once, counted from the start of the clip


class Face(Protocol):
    """Where the face is in the pictures: crops out of them, and generated crops back."""

    def crop(self, frames: np.ndarray, numbers: list[int]) -> Tensor:
        """Pictures uint8 [n, H, W, 3], with their numbers in the source -> crops [n, 3, R, R] in [-1, 1]."""
        ...

    def paste(self, frames: np.ndarray, crops: Tensor, numbers: list[int]) -> np.ndarray:
        """The finished pictures, uint8 [n, H', W', 3]."""
        ...


class CentreSquare:
    """The largest centred square is the face; the finished picture is that square, R x R."""

    def __init__(self, region: Tensor) -> None:
        self.resolution = region.shape[-1]
        self.weight = feathered(region, self.resolution // 32)

    def crop(self, frames: np.ndarray, numbers: list[int]) -> Tensor:
        return prepare_portrait(torch.from_numpy(frames).float() / 255, self.resolution)

    def paste(self, frames: np.ndarray, crops: Tensor, numbers: list[int]) -> np.ndarray:
        mixed = composite(crops, self.crop(frames, numbers), self.weight)
        return (to_pictures(mixed) * 255).round().to(torch.uint8).numpy()


@dataclass(frozen=True)
class TrackedFace:
    """The face followed by a `FaceTrack`; the finished picture is the whole frame."""

    track: FaceTrack
    region: Tensor
    colour_match: float = 0.0
    feather: int | None = None  # pixels of the crop; None is a thirty-second of its side

    def crop(self, frames: np.ndarray, numbers: list[int]) -> Tensor:
        return self.track.crop(frames, numbers, self.region.shape[-1])

    def paste(self, frames: np.ndarray, crops: Tensor, numbers: list[int]) -> np.ndarray:
        pasted = self.track.paste(frames, crops, numbers, self.region, self.feather, self.colour_match)
        return pasted.numpy()


@dataclass(frozen=True)
class Networks:
    """What a talking face is made with.

    ``encode`` maps crops [n, 3, R, R] in [-1, 1] to latents [n, 4, R/8, R/8] scaled as the U-Net expects
    them, ``decode`` the other way.
    """

    unet: nn.Module
    audio_encoder: Any
    tfrm: TFRM | None
    encode: Callable[[Tensor], Tensor]
    decode: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Scene:
    """What is rendered: pictures, speech, and how long; emotion as in `Conditions`.

    ``reference`` is a crop [3, R, R] in [-1, 1] that shows what the person looks like; None lets every frame
    be its own reference.
    """

    pictures: Pictures
    face: Face
    region: Tensor  # [1, R, R], 1 where pixels are generated
    speech: Speech
    fps: Fraction
    length: Length
    emotion: Tensor | None = None
    null_emotion: Tensor | None = None
    silence_gate: bool = True
    reference: Tensor | None = None


@torch.no_grad()
def warn_of_photograph(preset: str, networks: Networks, scene: Scene) -> None:
    """Say it when `mini`, which knows drawings only, is to render something else."""
    if preset != "mini":
        return
    first = scene.length.at(0)
    crop = scene.face.crop(scene.pictures.picture(first)[None], [first])
    again = networks.decode(networks.encode(crop)).to(crop)
    if is_photograph((crop + 1) / 2, (again + 1) / 2):
        logger.warning(PHOTOGRAPH)


@dataclass(frozen=True)
class RenderProgress:
    """``done`` of ``total`` pieces of work, and how many seconds are left at the pace so far."""

    done: int
    total: int
    seconds_left: float
    sampling: SamplingProgress


@dataclass
class _Source:
    """The scene's conditions and frames from any frame on."""

    networks: Networks
    scene: Scene
    still: tuple[Tensor, Tensor] | None = None

    def conditions(self, first: int) -> Iterator[Conditions]:
        """Conditions from frame ``first`` on, in pieces that begin at multiples of `TOGETHER`."""
        scene, start = self.scene, first // TOGETHER * TOGETHER
        mask = latent_mask(scene.region)
        tokens = _Pieces(self._tokens(start))
        while start < scene.length.frames:
            stop = min(start + TOGETHER, scene.length.frames)
            masked, whole = self._latents(start, stop)
            piece = Conditions(
                masked_latents=masked,
                mask=mask.expand(stop - start, -1, -1, -1),
                reference_latents=whole,
                audio=tokens.take(stop - start),
                emotion=_moving(scene.emotion, start, stop),
                null_emotion=scene.null_emotion,
            )
            yield piece[max(0, first - start) :]
            start = stop

    def frames(self, start: int, stop: int) -> tuple[np.ndarray, list[int]]:
        """The pictures [n, H, W, 3] behind some frames, and their numbers in the source."""
        numbers = [self.scene.length.at(i) for i in range(start, stop)]
        return np.stack([self.scene.pictures.picture(number) for number in numbers]), numbers

    def _latents(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        if self.scene.length.available > 1:
            return self._encoded(*self.frames(start, stop))
        if self.still is None:
            self.still = self._encoded(*self.frames(0, 1))
        masked, whole = self.still
        return masked.expand(stop - start, -1, -1, -1), whole.expand(stop - start, -1, -1, -1)

    @torch.no_grad()
    def _encoded(self, frames: np.ndarray, numbers: list[int]) -> tuple[Tensor, Tensor]:
        crops = self.scene.face.crop(frames, numbers)
        reference = self.scene.reference
        whole = self.networks.encode(crops if reference is None else reference[None])
        whole = whole.expand(len(crops), -1, -1, -1)
        return self.networks.encode(masked_picture(crops, self.scene.region)), whole

    def _tokens(self, first: int) -> Iterator[Tensor]:
        scene, encoder = self.scene, self.networks.audio_encoder
        blocks = encoder.stream_speech(scene.speech, scene.fps, scene.length.frames, first)
        if not scene.silence_gate:
            yield from blocks
            return
        gate = speech_gate(scene.speech, scene.fps, scene.length.frames)
        quiet = quiet_tokens(encoder)
        for block in blocks:
            yield gated(block, gate[first : first + len(block)], quiet)
            first += len(block)


def _moving(emotion: Tensor | None, start: int, stop: int) -> Tensor | None:
    return emotion[start:stop] if emotion is not None and emotion.ndim == 3 else emotion


class _Pieces:
    """Tensors that come in pieces of any length, given out in those asked for."""

    def __init__(self, source: Iterable[Tensor]) -> None:
        self._source, self._held = iter(source), list[Tensor]()

    def take(self, count: int) -> Tensor:
        while sum(map(len, self._held)) < count:
            self._held.append(next(self._source))
        whole = self._held[0] if len(self._held) == 1 else torch.cat(self._held)
        self._held = [whole[count:]]
        # A view would keep the whole of it alive, ten seconds of sound, as long as the few frames are needed.
        return whole[:count].clone()


def render(
    networks: Networks,
    scene: Scene,
    how: Sampling,
    *,
    smoothing: float = 1.0,
    first_frame: int = 0,
    on_progress: Callable[[RenderProgress], None] | None = None,
) -> Iterator[np.ndarray]:
    """The finished frames, uint8 [H, W, 3], from ``first_frame`` (a multiple of `TOGETHER`) on.

    ``smoothing`` in [0, 1] is TFRM's strength. To cancel, raise inside ``on_progress``. When memory runs out
    while pictures are encoded or decoded, fewer are from then on, and a message says so.
    Raises InputError for settings that cannot work at once, for sources when they are read.
    """
    if first_frame % TOGETHER:
        raise ValueError(f"a render starts at a multiple of {TOGETHER} frames, not at {first_frame}")
    tfrm = networks.tfrm if smoothing > 0 else None
    networks = replace(
        networks,
        encode=FewerAtATime(networks.encode, TOGETHER, "encoding"),
        decode=FewerAtATime(networks.decode, TOGETHER, "decoding"),
    )
    source = _Source(networks, scene)
    begun = time.monotonic()

    def report(now: SamplingProgress) -> None:
        if on_progress:
            left = (time.monotonic() - begun) / now.done * (now.total - now.done)
            on_progress(RenderProgress(now.done, now.total, left, now))

    latents = stream(
        networks.unet,
        source.conditions,
        scene.length.frames,
        how,
        first_frame=needed_from(tfrm, first_frame),
        callback=report,
    )
    if tfrm is not None:
        smooth = smooth_stream(
            tfrm, latents, scene.length.frames, strength=smoothing, first_frame=first_frame
        )
        latents = (piece for piece, _ in smooth)
    return _finished(networks, source, latents, first_frame)


@torch.no_grad()
def _finished(
    networks: Networks, source: _Source, latents: Iterator[Tensor], first_frame: int
) -> Iterator[np.ndarray]:
    pieces = _Pieces(latents)
    count = source.scene.length.frames
    for start in range(first_frame, count, TOGETHER):
        stop = min(start + TOGETHER, count)
        crops = networks.decode(pieces.take(stop - start)).float().cpu().clamp(-1, 1)
        frames, numbers = source.frames(start, stop)
        yield from source.scene.face.paste(frames, crops, numbers)
