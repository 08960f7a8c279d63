"""Train an audio encoder on hours of synthetic talk in random recording conditions, to hear sounds and
mouths.

    python -m eadnet.training.recipes.front_end TALK OUT.safetensors --minutes 20 [--mouths READ] [--start
    FILE]

TALK holds shards (`python -m eadnet.synthetic.talk`). At first the mouth is that of the phonemes; once
tables are measured (`python -m experiments speech fit`), READ holds what they read in the clean sound
(`python -m experiments speech read`), and the encoder learns to see as much in a poor recording.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ...modules.mini_audio import log_mel_of_power
from ...synthetic.heard import Backgrounds, Power, heard, spectrum
from ...synthetic.openness import CLASS, SOUNDS
from ...synthetic.speech import Phoneme
from ...synthetic.talk import FPS, SOURCES, read_shards
from ...synthetic.visemes import MOUTH, articulations, opening_of
from ..regressors.front_end import FrontEnd
from ..trainer import Trainer

FRAMES = 80
COLUMNS = (*MOUTH, "opening")
"""The mouth's columns, and how far the lips are apart."""

_BATCH = 16
_RATE, _SMOOTHING = 1.5e-3, 0.05
_SOURCE_SHARES = {"espeak": 0.45, "piper": 0.4, "kokoro": 0.15}
_OTHERS_SHARE = 0.3
_PACES = (0.75, 1.3)
_EDGE = 6  # frames of silence that a piece may begin or end with
_MASKED_SHARE, _WIDEST_MASK = 0.4, 14  # of pieces; bands
_EXTRA_OPENING = 2.0  # weight of the opening against the other columns' mean
_LOUDNESS = 1e3  # brings the spectra, of mean 1, above the level that counts as background


@dataclass(frozen=True, eq=False)
class Piece:
    """`power` [80, M] of a clean utterance, its sounds, and `mouth` [T, 10] (`COLUMNS`)."""

    power: Power
    phonemes: tuple[Phoneme, ...]
    mouth: NDArray[np.float32]


class Talks:
    """Utterances by source, from which batches are drawn in random conditions, paces and places."""

    def __init__(
        self, folder: Path, mouths: Path | None = None, backgrounds: Backgrounds | None = None
    ) -> None:
        """Raises InputError where there is no talk."""
        self.backgrounds = backgrounds or Backgrounds.drawn()
        self.pieces: dict[str, list[Piece]] = {source: [] for source in SOURCES}
        read = _read_mouths(mouths) if mouths else iter(())
        for talk in read_shards(folder):
            mouth = next(read) if mouths else _own(talk.mouth())
            if talk.split == "train":
                self.pieces[talk.source].append(Piece(spectrum(talk.waveform), talk.phonemes, mouth))
        self.shares = {s: share for s, share in _SOURCE_SHARES.items() if self.pieces[s]}

    def draw(self, rng: np.random.Generator, count: int = _BATCH) -> tuple[Tensor, Tensor, Tensor]:
        """Power [B, 80, 4 T], mouths [B, T, 10] and classes of sounds [B, 2 T]."""
        drawn = [self._one(rng) for _ in range(count)]
        power, mouth, classes = (np.stack(column) for column in zip(*drawn, strict=True))
        return torch.from_numpy(power), torch.from_numpy(mouth), torch.from_numpy(classes)

    def _any(self, rng: np.random.Generator) -> Piece:
        shares = np.array(list(self.shares.values()))
        pieces = self.pieces[list(self.shares)[rng.choice(len(shares), p=shares / shares.sum())]]
        return pieces[int(rng.integers(len(pieces)))]

    def _one(self, rng: np.random.Generator) -> tuple[Power, NDArray[np.float32], NDArray[np.int64]]:
        piece = self._any(rng)
        pace = float(np.exp(rng.uniform(*np.log(_PACES))))
        spare = int(len(piece.mouth) / pace) - FRAMES
        first = int(rng.integers(min(0, spare) - _EDGE, max(0, spare) + _EDGE + 1))
        power = _at((np.arange(4 * FRAMES) + 4 * first) * pace, piece.power.T).T
        mouth = _at((np.arange(FRAMES) + 0.5 + first) * pace - 0.5, piece.mouth)
        others = tuple(self._any(rng).power for _ in range(2)) if rng.random() < _OTHERS_SHARE else ()
        classes = classes_of(piece.phonemes, pace, first / FPS)
        return heard(np.ascontiguousarray(power), rng, self.backgrounds, others), mouth, classes


def classes_of(phonemes: Sequence[Phoneme], pace: float, start: float) -> NDArray[np.int64]:
    """The class of sound at every row, 50 a second, of talk that is ``pace`` times as quick, from
    ``start`` on.
    """
    segments = articulations(phonemes)
    begins = np.array([segment.start for segment in segments])
    kinds = np.array([CLASS.get(segment.symbol, CLASS["ə"]) for segment in segments])
    times = (start + np.arange(2 * FRAMES) / (2 * FPS)) * pace
    return kinds[np.clip(np.searchsorted(begins, times, side="right") - 1, 0, None)]


def _own(mouth: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([mouth, opening_of(mouth)[:, None]], 1).astype(np.float32)


def _read_mouths(folder: Path) -> Iterator[NDArray[np.float32]]:
    """What `python -m experiments speech read` wrote, utterance by utterance, in the order of the shards."""
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as arrays:
            rows = np.concatenate([arrays["mouth"], arrays["apart"][:, None]], 1).astype(np.float32)
            yield from np.split(rows, arrays["ends"][:-1])


def _at(places: NDArray[np.floating], rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows [N, ...] at fractional places; silence, all zero, beyond both ends."""
    low = np.clip(np.floor(places).astype(int), 0, len(rows) - 2)
    share = (places - low)[:, None]
    inside = ((places > -1) & (places < len(rows)))[:, None]
    share = np.clip(share, 0, 1)
    return ((rows[low] * (1 - share) + rows[low + 1] * share) * inside).astype(np.float32)


def masked(log_mel: Tensor, rng: np.random.Generator) -> Tensor:
    """Some bands of some pieces taken away: a network must not live off a single formant."""
    masked = log_mel.clone()
    for row in masked:
        if rng.random() < _MASKED_SHARE:
            width = int(rng.integers(2, _WIDEST_MASK))
            first = int(rng.integers(0, row.shape[0] - width))
            row[first : first + width] = row.mean() * float(rng.random() < 0.5)
    return masked


def train(talks: Talks, front: FrontEnd, folder: Path, minutes: float, steps: int | None = None) -> FrontEnd:
    """Train it; the log is in ``folder``. The mouth's columns are weighed by their spread."""
    rng = np.random.default_rng(0)
    scale = torch.cat([talks.draw(rng)[1].flatten(0, 1) for _ in range(8)]).std(0).clamp_min(0.02)
    weights = torch.ones(len(COLUMNS)) / len(COLUMNS)
    weights[-1] = _EXTRA_OPENING
    trainer = Trainer(
        folder,
        front,
        torch.optim.AdamW(front.parameters(), _RATE, weight_decay=1e-2),
        minutes=minutes,
        steps=steps,
    )
    for step in trainer.steps():
        power, mouth, classes = talks.draw(np.random.default_rng([1, step]))
        said, logits = front(masked(log_mel_of_power(power * _LOUDNESS), rng), FRAMES)
        sounds = F.cross_entropy(logits.flatten(0, 1), classes.flatten(), label_smoothing=_SMOOTHING)
        shapes = (((said - mouth) / scale).square().flatten(0, 1).mean(0) * weights).sum()
        trainer.optimize(shapes + 0.4 * sounds)
        if step % 100 == 0:
            losses = {"mouth": float(shapes.detach()), "sounds": float(sounds.detach())}
            trainer.write({"step": step} | losses)
    front.load_state_dict(trainer.average.weights)
    return front.eval()


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m eadnet.training.recipes.front_end", description=__doc__)
    parser.add_argument("talk", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--mouths", type=Path)
    parser.add_argument("--start", type=Path)
    parser.add_argument("--minutes", type=float, default=20.0)
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.manual_seed(0)
    front = FrontEnd.load(options.start) if options.start else FrontEnd(len(COLUMNS), len(SOUNDS))
    talks = Talks(options.talk, options.mouths)
    train(talks, front.train(), options.out.with_suffix(""), options.minutes).save(options.out)


if __name__ == "__main__":
    main()
