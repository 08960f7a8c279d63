"""Train the audio encoder on the mouths of speech, before the U-Net is trained on its tokens.

Speech costs no rendering: what limits the mouth on unknown voices is how many voices the encoder was
trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...dataset_format import FPS
from ...modules.mini_audio import MiniAudioEncoder
from ...modules.slices import ROWS_PER_FRAME
from ..data.speech import SpeechSet
from ..trainer import Trainer
from .linear_head import DRIFT_WEIGHT, least_squares

RECORDINGS = 24  # in a step
SCALE_RECORDINGS, EVALUATED_RECORDINGS = 2000, 100
COMPARED = 6  # recordings of a step whose tokens are compared with those before


def pretrain_audio(
    encoder: MiniAudioEncoder,
    spoken: SpeechSet,
    held_out: SpeechSet,
    folder: Path,
    minutes: float = 0.0,
    steps: int | None = None,
    logged: Sequence[str] = (),
) -> None:
    """Train the audio encoder on the mouth of the speech, through a throw-away linear head.

    The log gives the held-out correlation of the mouth's columns named in `logged`, mean over recordings. The
    budget is `minutes`, or `steps` if given.
    """
    scale = mouth_scale(spoken)
    head = nn.Linear(ROWS_PER_FRAME * encoder.config["dim"], len(spoken.names))
    both = nn.ModuleDict({"audio": encoder, "head": head})
    optimizer = torch.optim.AdamW(both.parameters(), 1.5e-3, weight_decay=1e-2)
    trainer = Trainer(folder, both, optimizer, minutes=minutes, steps=steps)
    for step in trainer.steps():
        speech, mouth = spoken.draw(RECORDINGS, trainer.generator)
        loss = F.mse_loss(head(tokens(encoder, speech, spoken.frames)), mouth / scale)
        trainer.optimize(loss)
        if step % 200 == 0:
            correlations = held_out_correlation(encoder, head, held_out, logged)
            trainer.write({"step": step, "loss": float(loss.detach())} | correlations)
    both.load_state_dict(trainer.average.weights)


def finetune_audio(
    encoder: MiniAudioEncoder,
    known: MiniAudioEncoder,
    spoken: SpeechSet,
    held_out: SpeechSet,
    folder: Path,
    minutes: float = 0.0,
    steps: int | None = None,
    device: str = "cpu",
    logged: Sequence[str] = (),
) -> None:
    """Fine-tune an encoder that began as `known`, so that its tokens keep the meaning a U-Net has learned.

    The head is the best linear map of `known`'s tokens and stays as it is, and tokens that move far from
    `known`'s cost: a better encoder then needs no other U-Net. The log's `away` is how far they have
    moved, in variances of `known`'s tokens. `logged` as in `pretrain_audio`.
    """
    scale = mouth_scale(spoken)
    known = known.eval().requires_grad_(False)
    head, variance = mouth_head(known, spoken, scale)
    for network in (encoder, known, head):
        network.to(device)
    optimizer = torch.optim.AdamW(encoder.parameters(), 1.2e-3, weight_decay=1e-2)
    trainer = Trainer(folder, encoder, optimizer, minutes=minutes, steps=steps)
    for step in trainer.steps():
        speech, mouth = spoken.draw(RECORDINGS, trainer.generator)
        speech = speech.to(device)
        said = tokens(encoder, speech, spoken.frames)
        loss = F.mse_loss(head(said), (mouth / scale).to(device))
        with torch.no_grad():
            before = tokens(known, speech[:COMPARED], spoken.frames)
        away = F.mse_loss(said[:COMPARED], before) / variance
        trainer.optimize(loss + DRIFT_WEIGHT * away)
        if step % 200 == 0:
            correlations = held_out_correlation(encoder, head, held_out, logged)
            losses = {"loss": float(loss.detach()), "away": float(away.detach())}
            trainer.write({"step": step} | losses | correlations)
    encoder.load_state_dict(trainer.average.weights)
    encoder.cpu()


def mouth_scale(spoken: SpeechSet) -> Tensor:
    """The spread of the shapes of speech [M]."""
    shapes = torch.from_numpy(np.array(spoken.mouths[:SCALE_RECORDINGS]))
    return shapes.flatten(0, 1).std(0).clamp_min(0.02)


def tokens(encoder: MiniAudioEncoder, speech: Tensor, frames: int) -> Tensor:
    """The tokens of each frame in a row, [B, T, D]."""
    starts = torch.zeros(len(speech), dtype=torch.long)
    return encoder.encode_windows(encoder.log_mel(speech), FPS, frames, starts).flatten(2)


@torch.no_grad()
def mouth_head(
    encoder: MiniAudioEncoder, spoken: SpeechSet, scale: Tensor, recordings: int = 800
) -> tuple[nn.Linear, float]:
    """The least-squares map from an encoder's tokens to the mouth over `scale`, and the tokens' variance."""
    said, shapes = [], []
    count = min(recordings, len(spoken))
    for first in range(0, count, RECORDINGS):
        speech, mouth = spoken.rows(np.arange(first, min(first + RECORDINGS, count)))
        said.append(tokens(encoder, speech, spoken.frames).flatten(0, 1))
        shapes.append((mouth / scale).flatten(0, 1))
    x = torch.cat(said)
    return least_squares(x, torch.cat(shapes)), float(x.var())


@torch.no_grad()
def held_out_correlation(
    encoder: MiniAudioEncoder, head: nn.Linear, held_out: SpeechSet, names: Sequence[str]
) -> dict[str, float]:
    """r of the named columns of the mouth on held-out recordings."""
    speech, mouth = held_out.rows(np.arange(min(EVALUATED_RECORDINGS, len(held_out))))
    said = tokens(encoder, speech.to(head.weight.device), held_out.frames)
    found = mean_correlation(head(said).cpu(), mouth)
    return {name: float(found[held_out.names.index(name)]) for name in names}


def mean_correlation(read: Tensor, truth: Tensor) -> Tensor:
    """r over time [B, T, M] -> [M], averaged over the recordings in which the truth moves at all."""
    read, truth = (x - x.mean(1, keepdim=True) for x in (read, truth))
    norm = (read.square().sum(1) * truth.square().sum(1)).sqrt()
    moves = truth.square().mean(1).sqrt() > 0.02
    r = torch.where(moves, (read * truth).sum(1) / norm.clamp_min(1e-6), 0.0)
    return r.sum(0) / moves.sum(0).clamp_min(1)
