"""Denoising: schedulers, guidance, windows over time, and the loop that joins them."""

from __future__ import annotations

from .sampler import Callback, Conditions, SamplingProgress, sample
from .schedulers import LATENTSYNC_DDIM, SCHEDULERS, make_scheduler

__all__ = [
    "LATENTSYNC_DDIM",
    "SCHEDULERS",
    "Callback",
    "Conditions",
    "SamplingProgress",
    "make_scheduler",
    "sample",
]
