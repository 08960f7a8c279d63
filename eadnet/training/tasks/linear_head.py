"""The linear head by which fine-tuning keeps an encoder's tokens in their meaning."""

from __future__ import annotations

import torch
from torch import Tensor, nn

DRIFT_WEIGHT = 0.1  # of tokens that move away from the encoder's before


def least_squares(x: Tensor, y: Tensor) -> nn.Linear:
    """The frozen linear map from rows of `x` to rows of `y`."""
    x, y = x.double(), y.double()
    x = torch.cat([x, torch.ones(len(x), 1)], 1)
    weights = torch.linalg.solve(x.T @ x + 1e-3 * torch.eye(x.shape[1]).double(), x.T @ y).float()
    head = nn.Linear(len(weights) - 1, weights.shape[1]).requires_grad_(False)
    head.weight.copy_(weights[:-1].T)
    head.bias.copy_(weights[-1])
    return head
