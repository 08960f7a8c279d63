"""Train the text encoder on what sentences mean, before the U-Net is trained on its tokens.

Sentences with the faces they mean cost no rendering. So the encoder reads far more of them than the clips
hold, also words that no clip may use: a word is then a place among faces before the U-Net ever meets it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...modules.text_encoder import MiniTextEncoder
from ..regressors.targets import ParameterTargets
from ..trainer import Trainer
from .linear_head import DRIFT_WEIGHT, least_squares

EVALUATED_SENTENCES = 200


class SentenceSampler(Protocol):
    """Random sentences with the faces they mean."""

    def __call__(self, rng: np.random.Generator, count: int) -> tuple[list[str], Tensor]:
        """`count` sentences and the facial parameters [count, P] that each means, deterministic in `rng`."""
        ...


@dataclass(frozen=True)
class Sentences:
    """Where sentences come from: as many kinds as there are, as clips' captions are written, and held out."""

    training: SentenceSampler
    clips: SentenceSampler
    held_out: SentenceSampler


def pretrain_text(
    encoder: MiniTextEncoder,
    draw: SentenceSampler,
    targets: ParameterTargets,
    folder: Path,
    minutes: float = 0.0,
    batch: int = 64,
    steps: int | None = None,
) -> None:
    """Train the text encoder on the faces, through a throw-away linear head on the mean of its tokens.

    The budget is `minutes`, or `steps` if given, here and in the other trainings of encoders.
    """
    columns = targets.columns
    head = nn.Linear(encoder.dim, len(columns))
    both = nn.ModuleDict({"text": encoder, "head": head})
    optimizer = torch.optim.AdamW(both.parameters(), 1e-3, weight_decay=1e-2)
    trainer = Trainer(folder, both, optimizer, minutes=minutes, steps=steps)
    for step in trainer.steps():
        rng = np.random.default_rng([trainer.step, 31])
        texts, faces = draw(rng, batch)
        wanted = faces[:, columns] / targets.std[: len(columns)]
        loss = F.mse_loss(head(encoder.encode(texts).mean(1)), wanted)
        trainer.optimize(loss)
        if step % 100 == 0:
            constant = F.mse_loss(wanted.mean(0).expand_as(wanted), wanted)
            trainer.write(
                {"step": step, "loss": float(loss.detach()), "share": float(loss.detach() / constant)}
            )
    both.load_state_dict(trainer.average.weights)


def finetune_text(
    encoder: MiniTextEncoder,
    known: MiniTextEncoder,
    sentences: Sentences,
    targets: ParameterTargets,
    folder: Path,
    minutes: float = 0.0,
    batch: int = 64,
    steps: int | None = None,
) -> None:
    """Fine-tune an encoder that began as `known` on more words, for a U-Net that has learned its tokens.

    As `finetune_audio`: the head is the best linear map of `known`'s tokens and stays as it is, and captions
    as clips have them cost when their tokens move. The log's `held_out` is the loss on held-out sentences, as
    a share of what the average face leaves; `away` is how far the tokens have moved, in their variances.
    """
    known = known.eval().requires_grad_(False)
    columns, scale = targets.columns, targets.std[: len(targets.columns)]
    head, variance = face_head(known, sentences.clips, targets)
    optimizer = torch.optim.AdamW(encoder.parameters(), 7e-4, weight_decay=1e-2)
    trainer = Trainer(folder, encoder, optimizer, minutes=minutes, steps=steps)

    def predicted(texts: Sequence[str]) -> Tensor:
        return head(encoder.encode(texts).mean(1))

    for step in trainer.steps():
        rng = np.random.default_rng([trainer.step, 37])
        texts, faces = sentences.training(rng, batch)
        loss = F.mse_loss(predicted(texts), faces[:, columns] / scale)
        captions, _ = sentences.clips(rng, batch // 4)
        with torch.no_grad():
            before = known.encode(captions)
        away = F.mse_loss(encoder.encode(captions), before) / variance
        trainer.optimize(loss + DRIFT_WEIGHT * away)
        if step % 100 == 0:
            others, faces = sentences.held_out(np.random.default_rng(0), EVALUATED_SENTENCES)
            wanted = faces[:, columns] / scale
            with torch.no_grad():
                left = F.mse_loss(predicted(others), wanted)
            held_out = left / F.mse_loss(wanted.mean(0).expand_as(wanted), wanted)
            losses = {"loss": float(loss.detach()), "away": float(away.detach()), "held_out": float(held_out)}
            trainer.write({"step": step} | losses)
    encoder.load_state_dict(trainer.average.weights)


@torch.no_grad()
def face_head(
    encoder: MiniTextEncoder, draw: SentenceSampler, targets: ParameterTargets, sentences: int = 4000
) -> tuple[nn.Linear, float]:
    """The least-squares map from the mean token to the standardised face, and the tokens' variance."""
    texts, faces = draw(np.random.default_rng(41), sentences)
    wanted = faces[:, targets.columns] / targets.std[: len(targets.columns)]
    parts = [encoder.encode(texts[i : i + 200]) for i in range(0, sentences, 200)]
    variance = float(torch.cat([part.flatten() for part in parts]).var())
    return least_squares(torch.cat([part.mean(1) for part in parts]), wanted), variance
