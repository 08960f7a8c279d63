"""Fréchet distance between two sets of features: FID with Inception (arXiv 1706.08500), FVD with I3D or
VideoMAE (arXiv 1812.01717).

The maths is here, the features come from a network of your choice; distances by different networks, or by one
network on differently prepared images, do not compare.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import InputError


class Gaussian:
    """Mean and covariance of features that come in batches, in float64; in memory that does not grow.

    Args:
        dim: D.
    """

    def __init__(self, dim: int) -> None:
        self.count = 0
        self.mean: NDArray[np.float64] = np.zeros(dim)
        self._scatter: NDArray[np.float64] = np.zeros((dim, dim))

    def add(self, features: Tensor | NDArray[np.floating]) -> None:
        """Take in features [B, D] (Chan's update, exact for any batch size).

        Raises:
            InputError: another width, or features that are not finite.
        """
        tensor = torch.as_tensor(features).detach().cpu()
        batch: NDArray[np.float64] = tensor.double().numpy()
        if batch.ndim != 2 or batch.shape[1] != len(self.mean):
            raise InputError(
                f"the features have shape {list(batch.shape)}; {len(self.mean)} columns are needed."
            )
        if not np.isfinite(batch).all():
            raise InputError("the features contain values that are not finite: check the images.")
        if len(batch) == 0:
            return
        mean, total = batch.mean(0), self.count + len(batch)
        shift = mean - self.mean
        centred = batch - mean
        self._scatter += centred.T @ centred + np.outer(shift, shift) * (self.count * len(batch) / total)
        self.mean = self.mean + shift * (len(batch) / total)
        self.count = total

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Unbiased, [D, D].

        Raises:
            InputError: fewer than two features.
        """
        if self.count < 2:
            raise InputError("a Fréchet distance needs at least two images or clips on each side.")
        return self._scatter / (self.count - 1)


def frechet_distance(a: Gaussian, b: Gaussian) -> float:
    """Squared Fréchet distance |m_a - m_b|² + tr(S_a + S_b - 2 (S_a S_b)^½) of two Gaussians, never negative.

    With fewer samples than feature columns the covariances are singular and the distance is biased upwards.
    """
    return distance_of(a.mean, a.covariance, b.mean, b.covariance)


def distance_of(
    mean_a: NDArray[np.float64],
    covariance_a: NDArray[np.float64],
    mean_b: NDArray[np.float64],
    covariance_b: NDArray[np.float64],
) -> float:
    """The same from means [D] and covariances [D, D].

    tr (S_a S_b)^½ is the sum of the singular values of S_a^½ S_b^½, which needs only square roots of
    symmetric matrices: real and stable, also for singular ones.

    Raises:
        InputError: different widths.
    """
    if mean_a.shape != mean_b.shape:
        raise InputError(
            f"the features are {len(mean_a)} and {len(mean_b)} wide: use one network for both sets."
        )
    roots = _root(covariance_a) @ _root(covariance_b)
    trace = float(np.linalg.svd(roots, compute_uv=False).sum())
    shift = mean_a - mean_b
    distance = float(shift @ shift + np.trace(covariance_a) + np.trace(covariance_b) - 2 * trace)
    return max(0.0, distance) if math.isfinite(distance) else math.nan


def _root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Square root of a symmetric matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
