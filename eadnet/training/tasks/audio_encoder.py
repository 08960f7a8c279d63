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
from ..synthetic.captions import TAUGHT, Description, describe, describe_word
from ..synthetic.expression import INDEX, PARAMETERS
from ..synthetic.visemes import MOUTH
from .probe import Targets
from .run import Run
from .spoken import SpeechSet
from .talker import hear

WORD_SHARE = 0.3  # of the sentences, each about one word of the whole lexicon
JUDGED_SENTENCES = 200
EMPTY_SHARE = 0.03  # the empty sentence means no expression
RECORDINGS = 24  # in a step
SCALE_RECORDINGS, HEARD_RECORDINGS = 2000, 100
AWAY_WEIGHT, COMPARED = 0.1, 6  # of tokens that move, and how many recordings of a step are compared


def draw_descriptions(rng: np.random.Generator, count: int) -> list[Description]:
    """Taught phrasings: of everything the grammar says, of every word, and a few that say nothing."""
    words = lexicon.entries()
    drawn = []
    for share in rng.random(count):
        if share < EMPTY_SHARE:
            drawn.append(Description("", "neutral", 0.0))
        elif share < EMPTY_SHARE + WORD_SHARE:
            drawn.append(describe_word(words[int(rng.integers(len(words)))], rng, TAUGHT))
        else:
            drawn.append(describe(rng, TAUGHT))
    return drawn


def meant_faces(descriptions: Sequence[Description]) -> Tensor:
    """Facial parameters [N, P] that the descriptions mean."""
    faces = torch.zeros(len(descriptions), len(PARAMETERS))
    for row, description in enumerate(descriptions):
        for name, value in description.parameters.items():
            faces[row, INDEX[name]] = value
    return faces


def pretrain_text(
    encoder: MiniTextEncoder,
    targets: Targets,
    folder: Path,
    minutes: float = 0.0,
    batch: int = 64,
    steps: int | None = None,
) -> None:
    """Teach the text encoder the faces, through a throw-away linear head on the mean of its tokens.

    The budget is `minutes`, or `steps` if given; so it is for all lessons here.
    """
    columns = targets.columns
    head = nn.Linear(encoder.dim, len(columns))
    both = nn.ModuleDict({"text": encoder, "head": head})
    optimizer = torch.optim.AdamW(both.parameters(), 1e-3, weight_decay=1e-2)
    run = Run(folder, both, optimizer, minutes=minutes, steps=steps)
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


def teach_text_on(
    encoder: MiniTextEncoder,
    known: MiniTextEncoder,
    targets: Targets,
    folder: Path,
    minutes: float = 0.0,
    batch: int = 64,
    steps: int | None = None,
) -> None:
    """Teach an encoder that began as `known` more words, for a denoiser that has learned its tokens.

    As `teach_audio_on`: the head is the best linear reading of `known`'s tokens and stays as it is, and
    captions as clips have them cost when their tokens move. The log's `held_out` is the loss on validation
    phrasings, as a share of what the average face leaves.
    """
    known = known.eval().requires_grad_(False)
    scale = targets.std[: len(targets.columns)]
    head, variance = face_reading(known, targets)
    optimizer = torch.optim.AdamW(encoder.parameters(), 7e-4, weight_decay=1e-2)
    run = Run(folder, encoder, optimizer, minutes=minutes, steps=steps)

    def faces(descriptions: Sequence[Description]) -> Tensor:
        return meant_faces(descriptions)[:, targets.columns] / scale

    def read(descriptions: Sequence[Description]) -> Tensor:
        return head(encoder.encode([description.text for description in descriptions]).mean(1))

    for step in run.steps():
        rng = np.random.default_rng([run.step, 37])
        lessons = draw_descriptions(rng, batch)
        loss = F.mse_loss(read(lessons), faces(lessons))
        texts = [describe(rng, "train").text for _ in range(batch // 4)]
        with torch.no_grad():
            before = known.encode(texts)
        away = F.mse_loss(encoder.encode(texts), before) / variance
        run.descend(loss + AWAY_WEIGHT * away)
        if step % 100 == 0:
            drawn = np.random.default_rng(0)
            others = [describe(drawn, "validation") for _ in range(JUDGED_SENTENCES)]
            with torch.no_grad():
                wanted = faces(others)
                left = F.mse_loss(read(others), wanted) / F.mse_loss(wanted.mean(0).expand_as(wanted), wanted)
            losses = {"loss": float(loss.detach()), "away": float(away.detach()), "held_out": float(left)}
            run.log.write({"step": step} | losses)
    encoder.load_state_dict(run.average.weights)


@torch.no_grad()
def face_reading(
    encoder: MiniTextEncoder, targets: Targets, sentences: int = 4000
) -> tuple[nn.Linear, float]:
    """The least-squares map from an encoder's mean token to the standardised face, on captions as clips have
    them, and the tokens' variance.
    """
    rng = np.random.default_rng(41)
    drawn = [describe(rng, "train") for _ in range(sentences)]
    wanted = meant_faces(drawn)[:, targets.columns] / targets.std[: len(targets.columns)]
    parts = [encoder.encode([d.text for d in drawn[i : i + 200]]) for i in range(0, sentences, 200)]
    variance = float(torch.cat([part.flatten() for part in parts]).var())
    return least_squares(torch.cat([part.mean(1) for part in parts]), wanted), variance


def least_squares(x: Tensor, y: Tensor) -> nn.Linear:
    """The frozen linear map from rows of `x` to rows of `y`."""
    x, y = x.double(), y.double()
    x = torch.cat([x, torch.ones(len(x), 1)], 1)
    weights = torch.linalg.solve(x.T @ x + 1e-3 * torch.eye(x.shape[1]).double(), x.T @ y).float()
    head = nn.Linear(len(weights) - 1, weights.shape[1]).requires_grad_(False)
    head.weight.copy_(weights[:-1].T)
    head.bias.copy_(weights[-1])
    return head


def pretrain_audio(
    encoder: MiniAudioEncoder,
    spoken: SpeechSet,
    held_out: SpeechSet,
    folder: Path,
    minutes: float = 0.0,
    steps: int | None = None,
) -> None:
    """Teach the audio encoder the mouth of the speech, through a throw-away linear head.

    The log gives the held-out correlation of the opening jaw and of the closing lips, mean over recordings.
    """
    scale = mouth_scale(spoken)
    head = nn.Linear(ROWS_PER_FRAME * encoder.config["dim"], len(MOUTH))
    both = nn.ModuleDict({"audio": encoder, "head": head})
    optimizer = torch.optim.AdamW(both.parameters(), 1.5e-3, weight_decay=1e-2)
    run = Run(folder, both, optimizer, minutes=minutes, steps=steps)
    for step in run.steps():
        speech, mouth = spoken.draw(RECORDINGS, run.generator)
        loss = F.mse_loss(head(tokens(encoder, speech, spoken.frames)), mouth / scale)
        run.descend(loss)
        if step % 200 == 0:
            row = heard(encoder, head, held_out)
            run.log.write({"step": step, "loss": float(loss.detach())} | row)
    both.load_state_dict(run.average.weights)


def teach_audio_on(
    encoder: MiniAudioEncoder,
    known: MiniAudioEncoder,
    spoken: SpeechSet,
    held_out: SpeechSet,
    folder: Path,
    minutes: float = 0.0,
    steps: int | None = None,
    device: str = "cpu",
) -> None:
    """Teach on an encoder that grew from `known`, so that its tokens keep the meaning a denoiser has learned.

    The head is the best linear reading of `known`'s tokens and stays as it is, and tokens that move far from
    `known`'s cost: better hearing then needs no other denoiser. The log's `away` is how far they have moved,
    in variances of `known`'s tokens.
    """
    scale = mouth_scale(spoken)
    known = known.eval().requires_grad_(False)
    head, variance = linear_reading(known, spoken, scale)
    for network in (encoder, known, head):
        network.to(device)
    optimizer = torch.optim.AdamW(encoder.parameters(), 1.2e-3, weight_decay=1e-2)
    run = Run(folder, encoder, optimizer, minutes=minutes, steps=steps)
    for step in run.steps():
        speech, mouth = spoken.draw(RECORDINGS, run.generator)
        speech = speech.to(device)
        said = tokens(encoder, speech, spoken.frames)
        loss = F.mse_loss(head(said), (mouth / scale).to(device))
        with torch.no_grad():
            before = tokens(known, speech[:COMPARED], spoken.frames)
        away = F.mse_loss(said[:COMPARED], before) / variance
        run.descend(loss + AWAY_WEIGHT * away)
        if step % 200 == 0:
            row = heard(encoder, head, held_out)
            losses = {"loss": float(loss.detach()), "away": float(away.detach())}
            run.log.write({"step": step} | losses | row)
    encoder.load_state_dict(run.average.weights)
    encoder.cpu()


def mouth_scale(spoken: SpeechSet) -> Tensor:
    """The spread of the shapes of speech [M]."""
    shapes = torch.from_numpy(np.array(spoken.mouths[:SCALE_RECORDINGS]))
    return shapes.flatten(0, 1).std(0).clamp_min(0.02)


def tokens(encoder: MiniAudioEncoder, speech: Tensor, frames: int) -> Tensor:
    """The tokens of each frame in a row, [B, T, D]."""
    return hear(encoder, speech, torch.zeros(len(speech), dtype=torch.long), frames).flatten(2)


@torch.no_grad()
def linear_reading(
    encoder: MiniAudioEncoder, spoken: SpeechSet, scale: Tensor, recordings: int = 800
) -> tuple[nn.Linear, float]:
    """The least-squares map from an encoder's tokens to the mouth over `scale`, and the tokens' variance."""
    said, shapes = [], []
    count = min(recordings, len(spoken))
    for first in range(0, count, RECORDINGS):
        speech, mouth = spoken.take(np.arange(first, min(first + RECORDINGS, count)))
        said.append(tokens(encoder, speech, spoken.frames).flatten(0, 1))
        shapes.append((mouth / scale).flatten(0, 1))
    x = torch.cat(said)
    return least_squares(x, torch.cat(shapes)), float(x.var())


@torch.no_grad()
def heard(encoder: MiniAudioEncoder, head: nn.Linear, held_out: SpeechSet) -> dict[str, float]:
    """r of the opening jaw and the closing lips on held-out recordings."""
    speech, mouth = held_out.take(np.arange(min(HEARD_RECORDINGS, len(held_out))))
    said = tokens(encoder, speech.to(head.weight.device), held_out.frames)
    found = mean_correlation(head(said).cpu(), mouth)
    return {name: float(found[MOUTH.index(name)]) for name in ("jaw_open", "lip_close")}


def mean_correlation(read: Tensor, truth: Tensor) -> Tensor:
    """r over time [B, T, M] -> [M], averaged over the recordings in which the truth moves at all."""
    read, truth = (x - x.mean(1, keepdim=True) for x in (read, truth))
    norm = (read.square().sum(1) * truth.square().sum(1)).sqrt()
    moves = truth.square().mean(1).sqrt() > 0.02
    r = torch.where(moves, (read * truth).sum(1) / norm.clamp_min(1e-6), 0.0)
    return r.sum(0) / moves.sum(0).clamp_min(1)
