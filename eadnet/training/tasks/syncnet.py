"""Train `mini`'s SyncNet: embeddings of a mouth and its sound close, all others apart.

InfoNCE (arXiv 1807.03748) both ways over all windows of a batch: the windows before and after are the hard
negatives, from which it learns timing, those of other people the easy ones. Pictures are degraded so that
the network reads what a VAE, a sampler or a video codec leaves of a mouth; sound may be re-recorded.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...metrics.sync import sweep
from ...modules.mini_audio import speech_log_mel
from ...modules.mini_syncnet import MARGIN_MELS, MELS_PER_FRAME, MOUTH, MiniSyncNet, mouth_of
from ..data.clips import ClipSet
from ..trainer import Trainer

BATCH, SPAN = 16, 12  # clips of a step, and frames of each
MARGIN = 10  # pixels around the mouth's box that a shifted or turned crop can show
RERECORDED_SHARE = 0.5
_SHARPEST = 40.0
CHECK_CLIPS = 32

Rerecord = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""A waveform float32 [S], 16 kHz, as another room and microphone would record it."""


class Pair(nn.Module):
    """The network with what is learned beside it and left out of the checkpoint.

    The sharpness (inverse temperature) of its comparisons; and one linear map that reads the shape of the
    mouth in the window's frames from either embedding. Both towers meet in facial parameters where the data
    set has them, which contrast alone finds only after many more steps.
    """

    def __init__(self, network: MiniSyncNet, shapes: int) -> None:
        super().__init__()
        self.network = network
        self.log_sharpness = nn.Parameter(torch.tensor(math.log(12.0)))
        self.shape = nn.Linear(network.config["dim"], network.num_frames * shapes) if shapes else None

    def shape_loss(self, video: Tensor, audio: Tensor, shapes: Tensor) -> Tensor:
        """Squared error of the mouth's shapes [B, T, K] read from embeddings [B, N, D] of either tower."""
        wanted = shapes.unfold(1, self.network.num_frames, 1).flatten(2)
        scale = math.sqrt(self.network.config["dim"])
        assert self.shape is not None, "made without shapes"
        return sum(F.mse_loss(self.shape(scale * side), wanted) for side in (video, audio))  # type: ignore[return-value]

    def sharpness(self) -> Tensor:
        return self.log_sharpness.clamp(max=math.log(_SHARPEST)).exp()


def contrast(video: Tensor, audio: Tensor, sharpness: Tensor | float) -> Tensor:
    """InfoNCE both ways of unit embeddings [B, N, D]: row n of clip b belongs to row n of clip b alone."""
    logits = sharpness * video.flatten(0, 1) @ audio.flatten(0, 1).T
    target = torch.arange(len(logits))
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def wide_mouths(frames: np.ndarray) -> Tensor:
    """uint8 crops [..., 128, 128, 3] to [..., 3, 60, 68] in 0..1: the mouth's box with a margin around it."""
    top, left, height, width = MOUTH
    box = frames[..., top - MARGIN : top + height + MARGIN, left - MARGIN : left + width + MARGIN, :]
    return torch.from_numpy(np.array(box)).movedim(-1, -3).float() / 255


def _uniform(generator: torch.Generator, *shape: int, low: float = -1.0) -> Tensor:
    """Random numbers from `low` to 1."""
    return low + (1.0 - low) * torch.rand(shape, generator=generator)


def reframed(wide: Tensor, generator: torch.Generator) -> Tensor:
    """Wide mouths [B, T, 3, 60, 68] -> mouths [B, T, 3, 40, 48], each clip seen by its own inexact detector.

    Shifts of up to 5 pixels, sizes of ± 10 %, turns of ± 6°, half of them mirrored; half a pixel of shaking
    from frame to frame.
    """
    count, frames = wide.shape[:2]
    height, width = MOUTH[2:]
    angle = _uniform(generator, count) * math.radians(6)
    size = 1 + 0.1 * _uniform(generator, count)
    mirror = torch.where(_uniform(generator, count) < 0, -1.0, 1.0)
    shift = 5 * _uniform(generator, count, 1, 2) + 0.5 * _uniform(generator, count, frames, 2)
    # From a mouth's pixel, counted from its centre, to the wide picture's in grid_sample's -1..1.
    y, x = torch.meshgrid(
        torch.arange(height) - (height - 1) / 2, torch.arange(width) - (width - 1) / 2, indexing="ij"
    )
    cos, sin = (size * angle.cos())[:, None, None], (size * angle.sin())[:, None, None]
    turned = torch.stack([mirror[:, None, None] * (cos * x - sin * y), sin * x + cos * y], -1)
    place = turned[:, None] + shift[:, :, None, None]
    grid = place / (torch.tensor([wide.shape[-1], wide.shape[-2]]) / 2)
    flat = F.grid_sample(wide.flatten(0, 1), grid.flatten(0, 1), padding_mode="border", align_corners=False)
    return flat.unflatten(0, (count, frames))


def _cosines() -> Tensor:
    n = torch.arange(8.0)
    basis = torch.cos(math.pi / 8 * n[:, None] * (n + 0.5)) / 2
    basis[0] /= math.sqrt(2.0)
    return basis


def compressed(mouths: Tensor, step: float) -> Tensor:
    """What a block codec leaves of [N, 3, H, W]: cosines of 8 x 8 blocks, rounded coarser where fine."""
    basis = _cosines()
    blocks = mouths.unfold(-2, 8, 8).unfold(-2, 8, 8)
    spectrum = basis @ blocks @ basis.T
    k = torch.arange(8.0)
    steps = step * (1 + 0.5 * (k[:, None] + k))
    kept = basis.T @ ((spectrum / steps).round() * steps) @ basis
    return kept.transpose(-3, -2).reshape(mouths.shape)


def degraded(mouths: Tensor, generator: torch.Generator) -> Tensor:
    """Mouths [B, T, 3, H, W] in 0..1 as light, lens, codec and sampler leave them, each clip its own way."""
    count = len(mouths)
    column = (count, 1, 1, 1, 1)
    gain = 1 + 0.25 * _uniform(generator, *column) + 0.06 * _uniform(generator, count, 1, 3, 1, 1)
    gamma = (0.35 * _uniform(generator, *column)).exp()
    mouths = (gain * mouths.clamp(1e-3, 1) ** gamma + 0.08 * _uniform(generator, *column)).clamp(0, 1)
    clips = []
    for clip in mouths:
        if float(_uniform(generator)) > 0:
            soft = F.avg_pool2d(clip, 3, 1, 1, count_include_pad=False)
            clip = torch.lerp(clip, soft, float(_uniform(generator, low=0.0)))
        if float(_uniform(generator)) > 0.4:
            half = F.interpolate(clip, scale_factor=float(_uniform(generator, low=0.45)), mode="area")
            clip = F.interpolate(half, clip.shape[-2:], mode="bilinear")
        if float(_uniform(generator)) > 0.2:
            clip = compressed(clip, 0.25 * float(_uniform(generator, low=0.1)) ** 2)
        clips.append(clip)
    strength = 0.05 * _uniform(generator, *column, low=0.0)
    mouths = torch.stack(clips)
    return (mouths + strength * torch.randn(mouths.shape, generator=generator)).clamp(0, 1)


def rerecorded(speech: np.ndarray, rerecord: Rerecord | None, generator: torch.Generator) -> Tensor:
    """int16 clips [B, S] to waveforms, some of them as `rerecord` changes them, if it is given."""
    clips = []
    for clip in speech.astype(np.float32) / 32767:
        if rerecord and float(_uniform(generator, low=0.0)) < RERECORDED_SHARE:
            seed = int(torch.randint(2**31, (), generator=generator))
            clip = rerecord(clip, np.random.default_rng(seed))
        clips.append(torch.from_numpy(clip))
    return torch.stack(clips)


def mouth_shapes(clips: ClipSet) -> Tensor | None:
    """The parameters that speech moves and the mouth's opening in every frame, standardised: [clips, T, K].

    None where the data set has no facial parameters.
    """
    if clips.params is None or clips.openings is None or clips.layout is None:
        return None
    columns = [clips.layout.names.index(name) for name in clips.layout.speech]
    known = torch.from_numpy(np.concatenate([clips.params[..., columns], clips.openings[..., None]], -1))
    rows = [entry["row"] for entry in clips.texts]
    spread = known[rows].flatten(0, 1)
    return (known - spread.mean(0)) / spread.std(0).clamp(min=1e-3)


def draw(
    clips: ClipSet,
    shapes: Tensor | None,
    rows: np.ndarray,
    count: int,
    generator: torch.Generator,
    rerecord: Rerecord | None = None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """A stretch of each of `count` clips out of `rows`.

    Returns:
        (mouths [B, SPAN, 3, 40, 48] in -1..1, log-mel [B, 80, 4 SPAN + 14] with the sound around them,
        shapes [B, SPAN, K] or None).
    """
    chosen = np.sort(rows[torch.randperm(len(rows), generator=generator)[:count].numpy()])
    starts = torch.randint(clips.frames.shape[1] - SPAN + 1, (count,), generator=generator).tolist()
    stretches = [slice(start, start + SPAN) for start in starts]
    wide = torch.stack(
        [wide_mouths(clips.frames[row, at]) for row, at in zip(chosen, stretches, strict=True)]
    )
    mouths = degraded(reframed(wide, generator), generator)
    speech = rerecorded(clips.speech[chosen], rerecord, generator)
    whole = F.pad(speech_log_mel(speech), (MARGIN_MELS, MARGIN_MELS))
    length = SPAN * MELS_PER_FRAME + 2 * MARGIN_MELS
    log_mel = torch.stack(
        [mel[:, MELS_PER_FRAME * start :][:, :length] for mel, start in zip(whole, starts, strict=True)]
    )
    known = None
    if shapes is not None:
        known = torch.stack([shapes[row, at] for row, at in zip(chosen, stretches, strict=True)])
    return mouths * 2 - 1, log_mel, known


@torch.no_grad()
def check(network: MiniSyncNet, clips: ClipSet) -> dict[str, float]:
    """On held-out clips as rendered: the loss, the share whose best offset is 0, confidence with right and
    wrong sound."""
    count = min(CHECK_CLIPS, len(clips.texts))
    video, audio = [], []
    for row in range(count):
        pictures = torch.from_numpy(np.array(clips.frames[row])).movedim(-1, -3).float() / 255
        padded = F.pad(speech_log_mel(clips.waveform(row))[None], (MARGIN_MELS, MARGIN_MELS))
        v, a = network.embed_pairs(mouth_of(pictures)[None], padded)
        video.append(v[0])
        audio.append(a[0])
    own = [sweep(v, a, silence_beyond_ends=False) for v, a in zip(video, audio, strict=True)]
    other = [
        sweep(v, a, silence_beyond_ends=False) for v, a in zip(video, audio[1:] + audio[:1], strict=True)
    ]
    return {
        "held_out": float(contrast(torch.stack(video), torch.stack(audio), 12.0)),
        "exact": float(np.mean([score.offset == 0 for score in own])),
        "confidence": float(np.mean([score.confidence for score in own])),
        "confidence_mismatched": float(np.mean([score.confidence for score in other])),
    }


def contrast_weight(progress: float) -> float:
    """Shapes of the mouth come first, then timing: contrast of embeddings that know nothing is only noise."""
    return 0.05 + 0.95 * min(1.0, max(0.0, (progress - 0.1) / 0.3))


def train_syncnet(
    clips: ClipSet,
    held_out: ClipSet,
    folder: Path,
    *,
    minutes: float,
    rerecord: Rerecord | None = None,
    seed: int = 0,
) -> MiniSyncNet:
    """Train within the budget of minutes, resuming `folder`; returns the averaged network.

    Without facial parameters it learns from contrast alone.
    """
    torch.manual_seed(seed)
    shapes = mouth_shapes(clips)
    kinds = 0 if shapes is None else shapes.shape[-1]
    pair = Pair(MiniSyncNet(), kinds).train()
    rows = np.array([entry["row"] for entry in clips.texts])
    optimizer = torch.optim.AdamW(pair.parameters(), 2e-3, betas=(0.9, 0.98), weight_decay=1e-2)
    trainer = Trainer(folder, pair, optimizer, minutes=minutes, seed=seed, decay=0.99)
    averaged = Pair(MiniSyncNet(), kinds).eval()
    for step in trainer.steps():
        mouths, log_mel, wanted = draw(clips, shapes, rows, BATCH, trainer.generator, rerecord)
        video, audio = pair.network.embed_pairs(mouths, log_mel)
        loss = contrast(video, audio, pair.sharpness())
        losses = {"loss": float(loss.detach())}
        if wanted is None:
            trainer.optimize(loss)
        else:
            shape_loss = pair.shape_loss(video, audio, wanted)
            losses["shape"] = float(shape_loss.detach())
            trainer.optimize(contrast_weight(trainer.progress) * loss + shape_loss)
        if step % 100 == 0:
            averaged.load_state_dict(trainer.average.weights)
            head = {"step": step, "minutes": trainer.seconds / 60} | losses
            sharpness = float(pair.sharpness().detach())
            trainer.write(head | {"sharpness": sharpness} | check(averaged.network, held_out))
    averaged.load_state_dict(trainer.average.weights)
    return averaged.network.eval()
