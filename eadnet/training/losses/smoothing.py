"""TFRM in the loop: what the frozen TFRM makes of the one-step estimate must be the truth, at rest and in
motion, so that the U-Net is left with errors that TFRM can remove."""

from __future__ import annotations

from torch import Tensor

from ...modules.tfrm import TFRM
from .step import Step, by_signal


class TfrmLoss:
    """Squared error of the refined frames and of their changes; a single frame gives None."""

    name = "tfrm"

    def __init__(self, model: TFRM) -> None:
        self.model = model.eval().requires_grad_(False)

    def __call__(self, step: Step) -> Tensor | None:
        if step.estimate.shape[1] < 2:
            return None
        refined = self.model(step.estimate.transpose(1, 2))[0].transpose(1, 2)
        truth = step.batch.target
        frames = by_signal((refined - truth).square(), step.alpha)
        changes = by_signal((refined.diff(dim=1) - truth.diff(dim=1)).square(), step.alpha)
        return frames + changes
