"""Which of the eight emotions a face shows, from a regressor's readings: a score of generated clips.

Linear discriminant analysis (Fisher 1936) on the mean readings of clips. It is fitted on the true parameters
of training clips, so its own errors, the ceiling, are those of low intensities and of mixtures.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from eadnet.errors import InputError
from eadnet.synthetic.expression import EMOTIONS
from eadnet.training.data.clips import ClipSet
from eadnet.training.regressors.pictures import true_values
from experiments.readings import NAMES

_SHRINKAGE = 0.1


class EmotionClassifier:
    """Fitted on the clips of a data set whose emotion stays; predicts a clip's emotion from the means of its
    readings. Raises InputError where an emotion is missing, or each is there only once.
    """

    def __init__(self, clips: ClipSet) -> None:
        self.names = list(EMOTIONS)
        steady = [row for row, text in enumerate(clips.texts) if "later" not in text]
        values = true_values(clips)[steady].mean(1).double().numpy()
        labels = np.array([self.names.index(clips.texts[row]["emotion"]) for row in steady])
        lacking = [name for number, name in enumerate(self.names) if number not in labels]
        if lacking or len(labels) == len(self.names):
            raise InputError(
                f"{len(labels)} training clips with a steady emotion do not tell emotions apart "
                f"({', '.join(lacking) or 'each'} {'missing' if lacking else 'only once'}): render more."
            )
        self.mean, self.std = values.mean(0), values.std(0).clip(0.02)
        scaled = (values - self.mean) / self.std
        self.centroids = np.stack([scaled[labels == i].mean(0) for i in range(len(self.names))])
        rest = scaled - self.centroids[labels]
        spread = rest.T @ rest / len(rest)
        spread += _SHRINKAGE * np.trace(spread) / len(spread) * np.eye(len(spread))
        self.precision: NDArray[np.float64] = np.linalg.inv(spread)

    def __call__(self, readings: Mapping[str, Tensor]) -> str:
        """The emotion of a clip from its readings by name, each [T]."""
        means = np.array([float(readings[name].mean()) for name in NAMES])
        away = (means - self.mean) / self.std - self.centroids
        return self.names[int(np.argmin(np.einsum("ei,ij,ej->e", away, self.precision, away)))]
