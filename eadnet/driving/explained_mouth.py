"""The opening of the mouth, as far as a recording's sound explains it.

What the model of motion makes of a sound wavers: by its noise, by where a window begins, slowly within a
clip. What it makes of the *same* sounds again and again does not. So each recording is its own teacher: a
ridge regression from the features of its sound, which the model was given, to the opening that the model
made of them. What the regression cannot explain was no answer to the sound, and is left out. This is
smoothing across like sounds instead of across time, so it blurs no closure; nothing is stored, and nobody's
mouth but the model's own is fitted. What it is worth on people, too: docs/results/motion.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ..rig.expression import INDEX

_JAW, _CLOSE = INDEX["jaw_open"], INDEX["lip_close"]
# Of the mean squared length of a frame's features: chosen on synthetic voices, 3 to 30 are as good.
_RIDGE = 10.0
# A sentence that changes moves the jaw, too, and must be free to: it is held back so much less than sound.
_FREE = 0.1
_MOST_CLOSED = 0.5  # lips that are shut further do not drop the jaw to open
_KEPT = (
    3_000  # frames whose features are kept for the second pass; those of longer recordings are heard again
)
_STILL = 1e-3  # a spread of the opening below this is no speech

Blocks = Callable[[], Iterator[Tensor]]
"""Consecutive blocks [n, D] of what the model was given for every frame; it may be called twice."""


@torch.no_grad()
def with_explained_opening(
    values: Tensor, sound: Blocks, sentence: Blocks | None = None, gate: Tensor | None = None
) -> Tensor:
    """Facial parameters [T, P] whose lips are as far apart as the sound explains; only the jaw is moved.

    Args:
        values: in the order of `rig.expression.PARAMETERS`.
        sound: features of all frames; the sum of the blocks' lengths is T.
        sentence: the same of a sentence, in the same blocks; None where it stays the same.
        gate: [T], 0 where nobody speaks, and the mouth stays shut; None: somebody always does.

    Returns:
        [T, P], another tensor. Mean and spread of the opening are those that it had, before it is kept
        within 0..1 and the gate closes.
    """
    opening = (values[:, _JAW] * (1 - values[:, _CLOSE])).double().cpu()
    if len(opening) < 2 or float(opening.std()) < _STILL:
        return values.clone()
    fitted = _explained(
        opening, lambda: _joined(sound, sentence), 0 if sentence is None else _width(sentence)
    )
    spread = float(fitted.std())
    if spread < 1e-9:
        return values.clone()
    apart = ((fitted - fitted.mean()) * (opening.std() / spread) + opening.mean()).clamp(0, 1).to(values)
    if gate is not None:
        apart = apart * gate.to(values)
    moved = values.clone()
    moved[:, _JAW] = (apart / (1 - values[:, _CLOSE].clamp(0, _MOST_CLOSED))).clamp(0, 1)
    return moved


def _explained(target: Tensor, features: Blocks, free: int) -> Tensor:
    """Ridge regression of a target [T] on features whose last ``free`` columns are hardly held back, [T]."""
    count = len(target)
    kept: list[Tensor] = []
    total = gram = product = torch.zeros((), dtype=torch.float64)
    first = 0
    for block in features():
        own = target[first : first + len(block)]
        total, gram = total + block.sum(0), gram + block.T @ block
        product = product + block.T @ (own - target.mean())
        first += len(block)
        if first <= _KEPT:
            kept.append(block)
    mean = total / count
    # Centred afterwards, so that one pass is enough; features are of the order of their spread.
    gram = gram - count * torch.outer(mean, mean)
    lengths = gram.diagonal() / count
    held = len(mean) - free
    penalty = torch.full_like(mean, _RIDGE * float(lengths[:held].sum()))
    penalty[held:] = _FREE * _RIDGE * float(lengths[held:].sum())
    weights = torch.linalg.solve(gram + torch.diag(penalty.clamp(min=1e-9)), product)
    return torch.cat([(block - mean) @ weights for block in (kept if count <= _KEPT else features())])


def _joined(sound: Blocks, sentence: Blocks | None) -> Iterator[Tensor]:
    if sentence is None:
        yield from (block.double().cpu() for block in sound())
        return
    for heard, said in zip(sound(), sentence(), strict=True):
        yield torch.cat([heard.double().cpu(), said.double().cpu()], dim=1)


def _width(blocks: Blocks) -> int:
    return next(iter(blocks())).shape[1]
