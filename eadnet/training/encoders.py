"""Teach the two encoders what their sentences and sounds mean before the denoiser listens to them.

The caption grammar gives sentences without end, each with the face it means, and costs no rendering. So the
text encoder reads far more of them than the clips hold, and the whole lexicon, also the words that no clip
may use: a word is then a place among faces before the denoiser ever meets it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..modules.mini_audio import MiniAudioEncoder
from ..modules.text_encoder import MiniTextEncoder
from ..synthetic import lexicon
from ..synthetic.captions import Description, describe, describe_word
from ..synthetic.expression import INDEX, PARAMETERS
from .latents import LatentSet
from .probe import Targets
from .run import Run
from .talker import hear

WORD_SHARE = 0.3  # of the sentences, each about one word of the whole lexicon
EMPTY_SHARE = 0.03  # the empty sentence means no expression


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
    encoder: MiniAudioEncoder, data: LatentSet, targets: Targets, folder: Path, minutes: float
) -> None:
    """Teach the audio encoder the mouth, as far as it moves about its mean in each clip, through a throw-away
    linear head.
    """
    head = nn.Linear(10 * encoder.config["dim"], len(targets))
    both = nn.ModuleDict({"audio": encoder, "head": head})
    run = Run(folder, both, torch.optim.AdamW(both.parameters(), 1e-3, weight_decay=1e-2), minutes=minutes)
    frames = data.target.shape[1]
    values = targets(data.params, data.openings)
    moving = values - values.mean(1, keepdim=True)
    for step in run.steps():
        clips = torch.randint(len(data), (24,), generator=run.generator)
        tokens = hear(encoder, data.waveforms(clips), torch.zeros(24, dtype=torch.long), frames)
        loss = F.mse_loss(head(tokens.flatten(2)), moving[clips])
        run.descend(loss)
        if step % 50 == 0:
            run.log.write({"step": step, "mouth": float(loss.detach())})
    both.load_state_dict(run.average.weights)
