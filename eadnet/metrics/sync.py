"""Lip-sync scores from two series of embeddings: the offset sweep behind LSE-D, LSE-C and AV offset.

Chung and Zisserman, "Out of time" (2016), section 4; named LSE by Wav2Lip (arXiv 2008.10010). Scores of
different networks do not compare.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import InputError
from ..finite import check_result
from ..media.audio import RATE
from ..media.clips import Frames, picked, pieces
from ..media.waveform import check_waveform
from .pairs import check_clip

MAX_SHIFT = 15
MEDIAN_WINDOW = 9
FPS = 25
_CHUNK = 1024  # frames whose distances are computed together
SILENCE = 1e-4  # -80 dB of full scale
# About 2 s. In shorter clips other sounds reach any confidence (docs/results/sync.md).
FEWEST_WINDOWS = 46


@dataclass(frozen=True)
class SyncScore:
    """Outcome of a sweep; all tensors float32 on the CPU.

    Attributes:
        mean_distances: [2 * shifts + 1], for offsets shifts, shifts - 1, ..., -shifts.
        offset: frames by which the audio runs ahead of the lips; 0 is in sync, negative is late sound.
        distance: mean distance at that offset (LSE-D); lower is better.
        confidence: median minus minimum of the mean distances (LSE-C); higher is better.
        framewise: [N], median of the mean distances minus the distance of each frame at that offset,
            median-filtered over nine frames (not for shorter clips): where in the clip the lips fit; NaN
            where there is no audio.
    """

    mean_distances: Tensor
    offset: int
    distance: float
    confidence: float
    framewise: Tensor

    @property
    def at_edge(self) -> bool:
        """Whether the best offset is the last that was tried on its side: the true one may lie beyond."""
        best = len(self.mean_distances) // 2 - self.offset
        around = F.pad(self.mean_distances, (1, 1), value=math.nan)[best : best + 3]
        return not bool(around.isfinite().all())


class SyncNetwork(Protocol):
    """What `score` needs of a network: `SyncNetV2`, `StableSyncNet` and `MiniSyncNet` have it.

    Attributes:
        name: of the network, for reports.
        num_frames: frames of one window.
        silence_beyond_ends: see `distances`.
        confident: threshold of the confidence, above which sound belongs to lips; 0 where not measured.
        crop: how its images are cropped, in words.
    """

    name: str
    num_frames: int
    silence_beyond_ends: bool
    confident: float
    crop: str

    def embed(self, frames: Frames, waveform: Tensor) -> tuple[Tensor, Tensor]: ...


def distances(
    video: Tensor, audio: Tensor, shifts: int = MAX_SHIFT, *, silence_beyond_ends: bool = True
) -> Tensor:
    """Euclidean distance of each frame to the audio around it.

    Args:
        video, audio: [N, D].
        shifts: how far to look to each side, in frames.
        silence_beyond_ends: beyond the ends of the audio lie embeddings of zero, as in the published
            evaluation of SyncNet v2; otherwise there is nothing to compare with. Unit embeddings need the
            latter: they are closer to zero than to a mismatched one, which would favour large shifts.

    Returns:
        [N, 2 * shifts + 1], float32 on the CPU; NaN where there is nothing to compare with.

    Raises:
        InputError: shapes that differ, or no embeddings.
    """
    return torch.cat(list(_distances(video, audio, range(-shifts, shifts + 1), silence_beyond_ends)))


def _distances(
    video: Tensor, audio: Tensor, shifts: Sequence[int], silence_beyond_ends: bool
) -> Iterator[Tensor]:
    """`distances` at consecutive ``shifts`` piece by piece, each [n, len(shifts)]."""
    if video.ndim != 2 or video.shape != audio.shape or video.shape[0] == 0:
        shapes = f"{list(video.shape)} and {list(audio.shape)}"
        raise InputError(f"the sync sweep needs as many video as audio embeddings, not {shapes}.")
    video, audio = video.detach().float().cpu(), audio.detach().float().cpu()
    beyond = 0.0 if silence_beyond_ends else math.nan
    for start in range(0, len(video), _CHUNK):
        rows = video[start : start + _CHUNK]
        around = _around(audio, start + shifts[0], start + len(rows) + shifts[-1], beyond)
        columns = [F.pairwise_distance(rows, around[k : k + len(rows)]) for k in range(len(shifts))]
        yield torch.stack(columns, dim=1)


def _around(audio: Tensor, start: int, stop: int, beyond: float) -> Tensor:
    """Rows ``start`` to ``stop``; ``beyond`` fills what lies before the first and after the last."""
    inside = audio[max(0, start) : max(0, stop)]
    before = min(max(0, -start), stop - start)
    return F.pad(inside, (0, 0, before, stop - start - before - len(inside)), value=beyond)


def sweep(
    video: Tensor, audio: Tensor, shifts: int = MAX_SHIFT, *, silence_beyond_ends: bool = True
) -> SyncScore:
    """Scores of a clip from its embeddings.

    Args:
        video, audio: [N, D], one row per frame.
        shifts: how far to look to each side, in frames.
        silence_beyond_ends: see `distances`.

    Raises:
        InputError: shapes that differ, no embeddings, or some that are not finite.
    """
    for embedded in (video, audio):
        check_result(embedded, "SyncNet", "check images and audio, or download the SyncNet again")
    searched = range(-shifts, shifts + 1)
    total, compared = torch.zeros(len(searched), dtype=torch.float64), torch.zeros(len(searched))
    for piece in _distances(video, audio, searched, silence_beyond_ends):
        total += piece.nansum(dim=0, dtype=torch.float64)
        compared += piece.isfinite().sum(dim=0)
    # A shift that leaves less than a quarter of the frames rests on too few to be the best by more than luck.
    enough = compared >= max(1, math.ceil(len(video) / 4))
    means = (total / compared).float().where(enough, math.nan)
    best = int(means.nan_to_num(nan=math.inf).argmin())
    median = means.nanmedian()
    # Once more at the best shift alone: a table of all shifts would be kept for one column.
    there = _distances(video, audio, searched[best : best + 1], silence_beyond_ends)
    fit = median - torch.cat(list(there))[:, 0]
    return SyncScore(
        mean_distances=means,
        offset=shifts - best,
        distance=float(means[best]),
        confidence=float(median - means[best]),
        framewise=_median_filtered(fit.nan_to_num(nan=0.0)).where(fit.isfinite(), math.nan),
    )


def score(network: SyncNetwork, frames: Frames, waveform: Tensor, fps: float | Fraction) -> SyncScore:
    """Scores of a clip from its images and its sound.

    SyncNets work at 25 fps only: at any other rate the image on screen at each 1/25 s is taken. `offset` is
    then in frames of 1/25 s.

    Args:
        network: a SyncNet.
        frames: [T, 3, H, W], values 0..1 or uint8, square crops of one face.
        waveform: [S], mono, 16 kHz.
        fps: frame rate of the images.

    Raises:
        InputError: too few frames or too little sound for the network.
    """
    if float(fps) != FPS:
        frames = picked(frames, frames_at_25(frames.shape[0], fps).tolist())
    return sweep(*network.embed(frames, waveform), silence_beyond_ends=network.silence_beyond_ends)


@dataclass(frozen=True)
class SyncReport:
    """A score with the name of the network that gave it, and what a reader must know beside it.

    Attributes:
        score: the numbers.
        network: name of the SyncNet; numbers of different networks do not compare.
        confident: the network's own threshold (see `SyncNetwork`).
        notes: what was compared, resampled or odd, a sentence each.
    """

    score: SyncScore
    network: str
    confident: float
    notes: tuple[str, ...]

    @property
    def sure(self) -> bool:
        """Whether the lips follow this sound as far as the network can tell; not in short clips, and not
        where the best offset is the last that was tried.
        """
        return self.long_enough and self.score.confidence > self.confident and not self.score.at_edge

    @property
    def long_enough(self) -> bool:
        """Whether so much was compared that a confidence means something."""
        return len(self.score.framewise) >= FEWEST_WINDOWS

    @property
    def milliseconds(self) -> int:
        """How much the audio runs ahead; negative is late."""
        return round(1000 * self.score.offset / FPS)

    def headline(self) -> str:
        """The AV offset in one sentence."""
        frames = abs(self.score.offset)
        if not self.long_enough:
            return "The clip is too short to measure the offset: it needs 2 s."
        if self.score.confidence > self.confident and self.score.at_edge:
            way = "late" if self.score.offset < 0 else "early"
            return f"The audio may be {frames} frames {way} or more: no offset beyond that was tried."
        if not self.sure:
            return "The lips do not seem to follow this audio."
        if frames == 0:
            return "Lips and audio are in sync."
        plural = "" if frames == 1 else "s"
        way = "late" if self.score.offset < 0 else "early"
        return f"The audio is {frames} frame{plural} ({abs(self.milliseconds)} ms) {way}."

    def _threshold(self) -> str:
        if not self.confident:
            return "no threshold is known for this network: look at the curve"
        return f"few mismatched clips reach {self.confident:g}"

    def text(self) -> str:
        """Some lines of text with every number and its network."""
        score = self.score
        lines = [
            self.headline(),
            f"network     {self.network}",
            f"confidence  {score.confidence:.3f}  (LSE-C, higher is better; {self._threshold()})",
            f"distance    {score.distance:.3f}  (LSE-D, lower is better)",
            f"offset      {score.offset:+d} frames of 1/{FPS} s  (positive: the audio is early)",
            *(f"note        {note}" for note in self.notes),
            f"Compare these scores only with others of {self.network}.",
        ]
        return "\n".join(lines)


def measure_sync(network: SyncNetwork, frames: Frames, waveform: Tensor, fps: float | Fraction) -> SyncReport:
    """`score` with its input checked, and notes on what was unusual about it.

    Args:
        network: a SyncNet.
        frames: [T, 3, H, W], values 0..1 or uint8, square crops of one face as the network expects them.
        waveform: [S], mono, 16 kHz.
        fps: frame rate of the images.

    Raises:
        InputError: images or sound of another form, silent sound, an impossible frame rate, or a clip
            shorter than one window.
    """
    check_clip(frames)
    waveform = check_waveform(waveform)
    if waveform.ndim != 1:
        raise InputError(f"the audio has shape {list(waveform.shape)}: mix it down to one channel first.")
    if max(abs(float(extreme)) for extreme in torch.aminmax(waveform)) < SILENCE:
        raise InputError(
            "the audio is silent, so there is nothing to compare the lips with: check the audio."
        )
    result = score(network, frames, waveform, fps)
    return SyncReport(result, network.name, network.confident, tuple(_notes(result, frames, waveform, fps)))


def _notes(result: SyncScore, frames: Frames, waveform: Tensor, fps: float | Fraction) -> list[str]:
    notes = []
    pictures, sound = frames.shape[0] / float(fps), waveform.numel() / RATE
    if abs(pictures - sound) > 1.5 / FPS:
        notes.append(
            f"The pictures last {pictures:.2f} s and the sound {sound:.2f} s; "
            f"the first {min(pictures, sound):.2f} s were compared."
        )
    if float(fps) != FPS:
        notes.append(f"{float(fps):g} frames per second were read at {FPS}, the rate of SyncNets.")
    if _never_changes(frames):
        notes.append("The pictures never change, so the score means nothing.")
    if len(result.framewise) < FEWEST_WINDOWS:
        notes.append("Under 2 s any audio seems to fit somewhere: the confidence means little.")
    searched = int(result.mean_distances.isfinite().sum()) // 2
    if searched < MAX_SHIFT:
        notes.append(f"The clip is short: offsets were searched up to {searched} frames only.")
    elif abs(result.offset) == MAX_SHIFT:
        notes.append(
            f"The best offset is the largest that was searched, {MAX_SHIFT} frames; it may be larger."
        )
    return notes


def _never_changes(frames: Frames) -> bool:
    first = frames[:1]
    return all(torch.equal(piece, first.expand_as(piece)) for piece in pieces(frames))


def frames_at_25(count: int, fps: float | Fraction) -> Tensor:
    """Which of `count` images is on screen at 0, 1/25, 2/25, ... s; LongTensor.

    Raises:
        InputError: fps not positive.
    """
    rate = Fraction(fps).limit_denominator(1001) if math.isfinite(fps) else Fraction(0)
    if rate <= 0:
        raise InputError(f"the frame rate is {fps} fps: it must be positive.")
    length = -(-count * FPS // rate)
    return torch.tensor([int(k * rate / FPS) for k in range(int(length))], dtype=torch.long)


def _median_filtered(curve: Tensor) -> Tensor:
    """Median over nine frames, zeros beyond the ends; [N] -> [N]. Shorter series, mostly ends, stay."""
    if len(curve) < MEDIAN_WINDOW:
        return curve
    half = MEDIAN_WINDOW // 2
    return F.pad(curve, (half, half)).unfold(0, MEDIAN_WINDOW, 1).median(dim=1).values
