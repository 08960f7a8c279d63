"""Emotion consistency: over a window, the face must on average be the one that was meant.

The expression loss compares frame by frame, where speech and blinks drown a small shift of the brows. The
mean over the window leaves the feeling. Read by the frozen probe. Reconstruction.
"""

from __future__ import annotations

from torch import Tensor

from ...synthetic.expression import PARAMETERS
from ...synthetic.visemes import MOUTH
from ..block import Block
from ..probe import ExpressionProbe, Targets
from .step import Step, by_signal

_FLEETING = (*MOUTH, "blink_l", "blink_r")


class EmotionLoss:
    """Squared error of the window's mean readings, without those that speech and blinks own."""

    name = "emotion"

    def __init__(self, probe: ExpressionProbe, targets: Targets, block: Block) -> None:
        self.probe, self.targets, self.block = probe.eval().requires_grad_(False), targets, block
        names = [PARAMETERS[i] for i in targets.columns.tolist()]
        self.columns = [k for k, name in enumerate(names) if name not in _FLEETING]

    def __call__(self, step: Step) -> Tensor | None:
        read = self.probe(self.block.cut(step.estimate), self.block.cut(step.batch.reference))
        wanted = self.targets(step.batch.params, step.batch.openings)
        error = (read.mean(1) - wanted.mean(1))[:, self.columns].square()
        return by_signal(error, step.alpha)
