"""Denoising: schedulers, guidance, windows over time, and the loop that joins them."""

from __future__ import annotations

from .auto_sampler import AutoSampler
from .conditions import Conditions
from .plan import MODES
from .sampler import Callback, Sampling, SamplingProgress, sample, stream
from .savings import Savings
from .schedulers import LATENTSYNC_DDIM, SCHEDULERS, make_scheduler

__all__ = [
    "LATENTSYNC_DDIM",
    "MODES",
    "SCHEDULERS",
    "Callback",
    "Conditions",
    "Sampling",
    "Savings",
    "SamplingProgress",
    "AutoSampler",
    "make_scheduler",
    "sample",
    "stream",
]
