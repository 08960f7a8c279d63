"""Teach the two encoders what their sentences and sounds mean before the denoiser listens to them.

The caption grammar gives sentences without end, each with the face it means, and costs no rendering. So the
text encoder reads far more of them than the clips hold, and nearly the whole lexicon, also words that no clip
may use: a word is then a place among faces before the denoiser ever meets it. Speech costs no rendering
either: what limits the mouth on voices nobody heard is how many voices the audio encoder has heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..modules.mini_audio import MiniAudioEncoder
from ..modules.slices import ROWS_PER_FRAME
from ..modules.text_encoder import MiniTextEncoder
from ..synthetic import lexicon
from ..synthetic.captions import Description, describe, describe_word
from ..synthetic.expression import INDEX, PARAMETERS
from ..synthetic.visemes import MOUTH
from .probe import Targets
from .run import Run
from .spoken import SpeechSet
from .talker import hear

WORD_SHARE = 0.3  # of the sentences, each about one word of the whole lexicon
EMPTY_SHARE = 0.03  # the empty sentence means no expression
SCALE_RECORDINGS, HEARD_RECORDINGS = 2000, 100


def draw_descriptions(rng: np.random.Generator, count: int) -> list[Description]:
    """Training phrasings: of everything the grammar says, of every word, and a few that say nothing."""
    words = lexicon.entries()
    drawn = []
    for share in rng.random(count):
        if share < EMPTY_SHARE:
            drawn.append(Description("", "neutral", 0.0))
        elif share < EMPTY_SHARE + WORD_SHARE:
            drawn.append(describe_word(words[int(rng.integers(len(words)))], rng, "train"))
        else:
            drawn.append(describe(rng, "train"))
    return drawn


def meant_faces(descriptions: Sequence[Description]) -> Tensor:
    """Facial parameters [N, P] that the descriptions mean."""
    faces = torch.zeros(len(descriptions), len(PARAMETERS))
    for row, description in enumerate(descriptions):
        for name, value in description.parameters.items():
            faces[row, INDEX[name]] = value
    return faces


def pretrain_text(
    encoder: MiniTextEncoder, targets: Targets, folder: Path, minutes: float, batch: int = 64
) -> None:
    """Teach the text encoder the faces, through a throw-away linear head on the mean of its tokens."""
    columns = targets.columns
    head = nn.Linear(encoder.dim, len(columns))
    both = nn.ModuleDict({"text": encoder, "head": head})
    run = Run(folder, both, torch.optim.AdamW(both.parameters(), 1e-3, weight_decay=1e-2), minutes=minutes)
    for step in run.steps():
        rng = np.random.default_rng([run.step, 31])
        descriptions = draw_descriptions(rng, batch)
        wanted = meant_faces(descriptions)[:, columns] / targets.std[: len(columns)]
        read = head(encoder.encode([description.text for description in descriptions]).mean(1))
        loss = F.mse_loss(read, wanted)
        run.descend(loss)
        if step % 100 == 0:
            untaught = F.mse_loss(wanted.mean(0).expand_as(wanted), wanted)
            run.log.write(
                {"step": step, "loss": float(loss.detach()), "share": float(loss.detach() / untaught)}
            )
    both.load_state_dict(run.average.weights)


def pretrain_audio(
    encoder: MiniAudioEncoder, spoken: SpeechSet, held_out: SpeechSet, folder: Path, minutes: float
) -> None:
    """Teach the audio encoder the mouth of the speech, through a throw-away linear head.

    The log gives the held-out correlation of the opening jaw and of the closing lips, mean over recordings.
    """
    scale = torch.from_numpy(np.array(spoken.mouths[:SCALE_RECORDINGS])).flatten(0, 1).std(0).clamp_min(0.02)
    head = nn.Linear(ROWS_PER_FRAME * encoder.config["dim"], len(MOUTH))
    both = nn.ModuleDict({"audio": encoder, "head": head})
    run = Run(folder, both, torch.optim.AdamW(both.parameters(), 1.5e-3, weight_decay=1e-2), minutes=minutes)

    def read(speech: Tensor, frames: int) -> Tensor:
        return head(hear(encoder, speech, torch.zeros(len(speech), dtype=torch.long), frames).flatten(2))

    for step in run.steps():
        speech, mouth = spoken.draw(24, run.generator)
        loss = F.mse_loss(read(speech, spoken.frames), mouth / scale)
        run.descend(loss)
        if step % 200 == 0:
            with torch.no_grad():
                speech, mouth = held_out.take(np.arange(min(HEARD_RECORDINGS, len(held_out))))
                heard = mean_correlation(read(speech, held_out.frames), mouth)
            row = {name: float(heard[MOUTH.index(name)]) for name in ("jaw_open", "lip_close")}
            run.log.write({"step": step, "loss": float(loss.detach())} | row)
    both.load_state_dict(run.average.weights)


def mean_correlation(read: Tensor, truth: Tensor) -> Tensor:
    """r over time [B, T, M] -> [M], averaged over the recordings in which the truth moves at all."""
    read, truth = (x - x.mean(1, keepdim=True) for x in (read, truth))
    norm = (read.square().sum(1) * truth.square().sum(1)).sqrt()
    moves = truth.square().mean(1).sqrt() > 0.02
    r = torch.where(moves, (read * truth).sum(1) / norm.clamp_min(1e-6), 0.0)
    return r.sum(0) / moves.sum(0).clamp_min(1)
