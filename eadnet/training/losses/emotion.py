"""Emotion consistency: over a window, the face must on average be the target's.

The expression loss compares frame by frame, where speech and blinks drown a small shift of the brows. The
mean over the window leaves the expression. Predicted by the frozen latent regressor. Reconstruction.
"""

from __future__ import annotations

from torch import Tensor

from ...modules.parameter_regressors import LatentParameterRegressor
from ..data.latent_crop import LatentCrop
from ..regressors.targets import ParameterTargets
from .step import Step, by_signal


class EmotionLoss:
    """Squared error of the window's mean predictions, without parameters that speech and blinks move."""

    name = "emotion"

    def __init__(
        self, regressor: LatentParameterRegressor, targets: ParameterTargets, crop: LatentCrop
    ) -> None:
        self.regressor = regressor.eval().requires_grad_(False)
        self.targets, self.crop = targets, crop
        fleeting = (*targets.layout.speech, *targets.layout.transient)
        # Nor does the opening of the mouth count, the last target.
        self.columns = [k for k, name in enumerate(targets.names[:-1]) if name not in fleeting]

    def __call__(self, step: Step) -> Tensor | None:
        predicted = self.regressor(self.crop.crop(step.estimate), self.crop.crop(step.batch.reference))
        wanted = self.targets(step.batch.params, step.batch.openings)
        error = (predicted.mean(1) - wanted.mean(1))[:, self.columns].square()
        return by_signal(error, step.alpha)
