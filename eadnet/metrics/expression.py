"""Does the face show the target emotion? Accuracy by a classifier of your choice (Acc_emo)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..errors import InputError
from ..media.clips import Frames, pieces
from .intervals import Interval, share_interval
from .pairs import CHUNK, as_floats, check_clip


class ExpressionClassifier(Protocol):
    """A network that gives log-probabilities [B, len(labels)] of face crops [B, 3, H, W] in 0..1."""

    @property
    def name(self) -> str: ...

    @property
    def labels(self) -> Sequence[str]: ...

    def __call__(self, faces: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class ExpressionScore:
    """accuracy: share of clips whose prediction is the target, with Wilson's interval; confusion: clips by
    [target][predicted].
    """

    accuracy: Interval
    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]


@torch.no_grad()
def predict_expression(faces: Frames, classifier: ExpressionClassifier, chunk: int = CHUNK) -> str:
    """The label with the highest mean log-probability over a clip [T, 3, H, W]; or an InputError."""
    check_clip(faces)
    total = torch.zeros(len(classifier.labels))
    for piece in pieces(faces, chunk):
        total += classifier(as_floats(piece)).float().sum(0).cpu()
    return classifier.labels[int(total.argmax())]


def expression_accuracy(
    targets: Sequence[str], predictions: Sequence[str], labels: Sequence[str]
) -> ExpressionScore:
    """The share of clips whose prediction is the target.

    Raises:
        InputError: different numbers of clips, or a label the classifier does not know.
    """
    if len(targets) != len(predictions):
        raise InputError(
            f"there are {len(targets)} target emotions and {len(predictions)} predictions: "
            "use one of each per clip."
        )
    unknown = sorted(set(targets) - set(labels))
    if unknown:
        known = ", ".join(labels)
        raise InputError(f"the classifier has no class '{unknown[0]}'; its classes are {known}.")
    place = {label: i for i, label in enumerate(labels)}
    table = [[0] * len(labels) for _ in labels]
    for target, prediction in zip(targets, predictions, strict=True):
        table[place[target]][place[prediction]] += 1
    hits = sum(table[i][i] for i in range(len(labels)))
    return ExpressionScore(share_interval(hits, len(targets)), tuple(labels), tuple(map(tuple, table)))
