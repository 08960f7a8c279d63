"""Denoising: schedulers, guidance, windows over time, and the loop that joins them."""

from __future__ import annotations

from .conditions import Conditions
from .sampler import Callback, Sampling, SamplingProgress, sample, stream
from .schedulers import LATENTSYNC_DDIM, SCHEDULERS, make_scheduler

__all__ = [
    "LATENTSYNC_DDIM",
    "SCHEDULERS",
    "Callback",
    "Conditions",
    "Sampling",
    "SamplingProgress",
    "make_scheduler",
    "sample",
    "stream",
]
