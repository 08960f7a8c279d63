"""DDIM without diffusers, whose import costs seconds: the class that a plain configuration needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class DDIMConfig:
    """The keys of diffusers' configuration that are understood here, with its defaults."""

    num_train_timesteps: int = 1000
    beta_start: float = 0.0001
    beta_end: float = 0.02
    beta_schedule: str = "linear"
    set_alpha_to_one: bool = True
    steps_offset: int = 0
    prediction_type: str = "epsilon"
    timestep_spacing: str = "leading"
    rescale_betas_zero_snr: bool = False


# What diffusers' class knows more, and the values that ask for nothing of it.
_NOT_USED: dict[str, Any] = {"clip_sample": False, "thresholding": False}
_DIFFUSERS_CLIPS: dict[str, Any] = {"clip_sample": True, "trained_betas": None}  # where nothing is said
_CHOICES = {
    "beta_schedule": ("linear", "scaled_linear"),
    "prediction_type": ("epsilon", "sample", "v_prediction"),
    "timestep_spacing": ("leading", "trailing"),
}


def is_plain(config: Mapping[str, Any]) -> bool:
    """Whether `DDIMScheduler` does what diffusers' does with this configuration. (It clips if not told.)"""
    asked = {**_DIFFUSERS_CLIPS, **config}
    plain = all(asked.get(key, value) == value for key, value in _NOT_USED.items())
    known = all(config.get(key, choices[0]) in choices for key, choices in _CHOICES.items())
    return plain and known and asked["trained_betas"] is None


def config_of(config: Mapping[str, Any]) -> DDIMConfig:
    """What is understood here of a configuration."""
    known = {field.name for field in fields(DDIMConfig)}
    return DDIMConfig(**{key: value for key, value in config.items() if key in known})


def signals(config: DDIMConfig) -> Tensor:
    """The share of the clean sample's variance that is left at every training step, [steps] float32."""
    count, ends = config.num_train_timesteps, (config.beta_start, config.beta_end)
    if config.beta_schedule == "linear":
        betas = torch.linspace(*ends, count, dtype=torch.float32)
    else:
        betas = torch.linspace(ends[0] ** 0.5, ends[1] ** 0.5, count, dtype=torch.float32) ** 2
    if config.rescale_betas_zero_snr:
        betas = _ending_in_noise(betas)
    return torch.cumprod(1.0 - betas, dim=0)


def parted(config: DDIMConfig, signal: Tensor, output: Tensor, sample: Tensor) -> tuple[Tensor, Tensor]:
    """(clean estimate, noise estimate) by a network's output for a sample that has so much signal left."""
    alpha, sigma = signal**0.5, (1 - signal) ** 0.5
    if config.prediction_type == "epsilon":
        return (sample - sigma * output) / alpha, output
    if config.prediction_type == "sample":
        return output, (sample - alpha * output) / sigma
    return alpha * sample - sigma * output, alpha * output + sigma * sample


@dataclass
class DDIMStep:
    """What a step gives, under diffusers' name for it."""

    prev_sample: Tensor


class DDIMScheduler:
    """Denoising diffusion implicit models (arXiv 2010.02502), deterministic: diffusers' `DDIMScheduler` with
    eta 0, bit for bit, for the configurations that `is_plain` names.
    """

    def __init__(self, **config: Any) -> None:
        self.config = config_of(config)
        self.alphas_cumprod = signals(self.config)
        whole = self.config.set_alpha_to_one
        self.final_alpha_cumprod = torch.tensor(1.0) if whole else self.alphas_cumprod[0]
        self.init_noise_sigma = 1.0
        self.timesteps = torch.arange(self.config.num_train_timesteps).flip(0)
        self._stride = 1

    def set_timesteps(self, steps: int) -> None:
        """``steps`` timesteps from noisy to clean: counted from the first training step with its offset
        ("leading") or back from the last ("trailing").
        """
        count = self.config.num_train_timesteps
        self._stride = count // steps
        if self.config.timestep_spacing == "trailing":
            spaced = np.arange(count, 0, -count / steps)[:steps]  # torch's differs in the last bit: at 48
            self.timesteps = torch.from_numpy(spaced.round().astype(np.int64)) - 1
            return
        # With as many steps as in training there is no room for an offset.
        offset = min(self.config.steps_offset, count - 1 - (steps - 1) * self._stride)
        self.timesteps = (torch.arange(steps) * self._stride + offset).flip(0)

    def scale_model_input(self, sample: Tensor, timestep: Tensor | int) -> Tensor:
        """The sample itself, which other schedulers scale."""
        return sample

    def step(self, output: Tensor, timestep: Tensor | int, sample: Tensor) -> DDIMStep:
        """Equation 12 with sigma 0: the clean estimate, moved back along the estimated noise."""
        before = int(timestep) - self._stride
        signal = self.alphas_cumprod[int(timestep)]
        next_signal = self.alphas_cumprod[before] if before >= 0 else self.final_alpha_cumprod
        clean, noise = parted(self.config, signal, output, sample)
        return DDIMStep(next_signal**0.5 * clean + (1 - next_signal) ** 0.5 * noise)


def _ending_in_noise(betas: Tensor) -> Tensor:
    """Betas whose last step is noise alone (arXiv 2305.08891, algorithm 1)."""
    roots = torch.cumprod(1.0 - betas, dim=0).sqrt()
    first, last = roots[0].clone(), roots[-1].clone()
    signals = ((roots - last) * (first / (first - last))) ** 2
    return 1 - torch.cat([signals[:1], signals[1:] / signals[:-1]])
