"""What real people did, as the model of motion is trained on it: parameters, sound and sentence of a set.

A set's films are passed over; what stays in memory is 12 kB for each second of speech, 45 MB an hour.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...errors import InputError
from ...modules.speech_encoder import SpeechEncoder
from ...preparation.shards import Sample, read_shards
from ...rig.expression import INDEX, RANGES
from .motion import Performance

PIECE = 64  # frames of what is drawn from; a segment is cut into such pieces, of which the last may overlap
ROWS = 2  # of the encoder for a frame
MOVES = 0.01  # spread of a parameter from which on the recordings show it
_NOISE = 0.02  # spread below which a person's parameter is the landmarks' noise: it is not made larger
_LEAST_SCALE, _MOST_SCALE = 0.5, 3.0


class RealMotion:
    """Stands where `MotionSet` does: its takes are what was recorded, not performed.

    Args:
        directory: of a prepared set.
        splits: of it.
        names: of the parameters, in the order that the model takes.
        encoder: frozen; hears every segment once.
        keep: which records to take; None: all.

    `shown` names the parameters that move anywhere. Raises InputError where the set has other parameters, or
    no segment of `PIECE` frames is left.
    """

    def __init__(
        self,
        directory: Path,
        splits: Sequence[str],
        names: Sequence[str],
        encoder: SpeechEncoder,
        keep: Callable[[dict[str, Any]], bool] | None = None,
    ) -> None:
        rows: list[torch.Tensor] = []
        params: list[torch.Tensor] = []
        self.texts: list[str] = []
        self.said_by: list[str] = []  # of every piece
        for sample in (one for split in splits for one in read_shards(directory, split=split)):
            if sample.count < PIECE or not (keep is None or keep(sample.record)):
                continue
            values, heard = _parameters(sample, names), _heard(sample, encoder)
            for start in (*range(0, sample.count - PIECE, PIECE), sample.count - PIECE):
                rows.append(heard[ROWS * start : ROWS * (start + PIECE)])
                params.append(values[start : start + PIECE])
                self.texts.append(str(sample.record.get("caption") or ""))
                self.said_by.append(str(sample.record.get("speaker")))
        self.speakers = set(self.said_by)
        if not rows:
            raise InputError(
                f"Of {directory}, {' and '.join(splits)}, no segment of {PIECE} frames is left to "
                "learn motion from: prepare longer segments, or more of them."
            )
        self.audio, self.params = torch.stack(rows), torch.stack(params)
        spread = self.params.flatten(0, 1).std(0).tolist()
        # Landmarks do not show the cheeks' raise, the nose's wrinkles and the tongue: these are 0 everywhere.
        self.names = tuple(names)
        self.shown = tuple(name for name, found in zip(names, spread, strict=True) if found > MOVES)

    def rescale(self, names: Collection[str], mean: torch.Tensor, std: torch.Tensor) -> None:
        """Put each person's mean and spread of some parameters where ``mean`` and ``std`` [P] are.

        How far a mouth opens, and how much of it landmarks see, differs from person to person, and nobody
        hears it: what remains is when it opens, and how far for this person.
        """
        for who in self.speakers:
            rows = [row for row, speaker in enumerate(self.said_by) if speaker == who]
            for column, name in enumerate(self.names):
                values = self.params[rows, :, column]
                if name not in names or values.std() < _NOISE:
                    continue
                scale = (std[column] / values.std()).clamp(_LEAST_SCALE, _MOST_SCALE)
                low, high = RANGES[INDEX[name]].tolist()
                fitted = (values - values.mean()) * scale + mean[column]
                self.params[rows, :, column] = fitted.clamp(low, high)

    def __len__(self) -> int:
        return len(self.params)

    @property
    def frames(self) -> int:
        return PIECE

    def perform(
        self,
        clips: torch.Tensor,
        starts: torch.Tensor,
        window: int,
        rng: np.random.Generator,
        changes: bool = False,
    ) -> list[Performance]:
        """What was done in each window; nobody's feeling turns at will, so ``changes`` changes nothing."""
        steady = np.zeros(window, np.float32)
        rest = np.zeros(self.params.shape[-1], np.float32)  # parameters count from the person's calm face
        takes = []
        for clip, start in zip(clips.tolist(), starts.tolist(), strict=True):
            text = self.texts[clip]
            takes.append(
                Performance(self.params[clip, start : start + window].numpy(), rest, text, text, steady)
            )
        return takes


def _parameters(sample: Sample, names: Sequence[str]) -> torch.Tensor:
    if "parameters" not in sample.tensors or set(names) - set(sample.names):
        absent = sorted(set(names) - set(sample.names))
        raise InputError(
            f"The sample {sample.id} has no facial parameter {absent[0] if absent else 'at all'}: prepare "
            "the set again with this version."
        )
    return sample.tensors["parameters"][:, [sample.names.index(name) for name in names]].float()


@torch.no_grad()
def _heard(sample: Sample, encoder: SpeechEncoder) -> torch.Tensor:
    """Rows [2 T, D] of its sound."""
    waveform = torch.from_numpy(sample.sound)
    needed = encoder.samples_needed(25, sample.count)
    waveform = torch.nn.functional.pad(waveform, (0, max(0, needed - len(waveform))))
    return encoder.all_rows(waveform)[: ROWS * sample.count, 0].half()
