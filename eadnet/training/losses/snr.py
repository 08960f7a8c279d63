"""Min-SNR weighting (Hang et al. 2023, arXiv 2303.09556) of the velocity error."""

from __future__ import annotations

from torch import Tensor


def min_snr_weight(alpha: Tensor, gamma: float) -> Tensor:
    """Weight of the squared velocity error at cumulative alpha, same shape: min(SNR, gamma) / (SNR + 1).

    SNR = alpha / (1 - alpha). A velocity error is SNR + 1 times that of the clean estimate, so this is the
    clean estimate's error weighted by min(SNR, gamma).
    """
    # In alpha alone, so that it stays finite where there is no noise: SNR + 1 = 1 / (1 - alpha).
    return alpha.minimum(gamma * (1 - alpha))
