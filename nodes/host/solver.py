"""Our solvers, noise and steps behind core's SAMPLER, NOISE and SIGMAS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import comfy.samplers
import torch
from comfy import model_management
from torch import Tensor

from ...eadnet.errors import InputError
from ...eadnet.finite import all_finite
from ...eadnet.sampling.noise import clip_noise, seeded, step_generators
from ...eadnet.sampling.schedulers import advance, make_scheduler, noise_level, set_steps


class ClipNoise:
    """NOISE: that of EAD-Net Lip Sync Sampler with the same seed."""

    def __init__(self, seed: int, shared: float) -> None:
        self.seed, self._shared = seed, shared

    def generate_noise(self, input_latent: Mapping[str, Any]) -> Tensor:
        return clip_noise(tuple(input_latent["samples"].shape), seeded(self.seed), self._shared)


class Solver(comfy.samplers.Sampler):
    """SAMPLER: diffusers' solver of a name, with the steps that the model was made for."""

    def __init__(self, name: str, config: Mapping[str, Any]) -> None:
        self._name, self._config = name, dict(config)

    def sigmas(self, steps: int) -> Tensor:
        """[steps + 1] noise levels as core counts them, the last 0."""
        solver = make_scheduler(self._name, self._config)
        levels = [noise_level(solver, timestep) for timestep in set_steps(solver, steps)]
        if any(alpha == 0 for alpha, _ in levels):
            raise InputError(
                "This model starts from noise alone, which core's samplers do not know: use EAD-Net's own "
                "sampler for it."
            )
        return torch.tensor([sigma / alpha for alpha, sigma in levels] + [0.0])

    @torch.no_grad()
    def sample(
        self,
        model_wrap: Any,
        sigmas: Tensor,
        extra_args: dict[str, Any],
        callback: Callable[..., None] | None,
        noise: Tensor,
        latent_image: Tensor | None = None,
        denoise_mask: Tensor | None = None,
        disable_pbar: bool = False,
    ) -> Tensor:
        """The clean latents [T, 4, h, w]. Core's model takes x0 + sigma * noise, diffusers' solvers
        alpha * x0 + sqrt(1 - alpha^2) * noise: the two differ by a factor.
        """
        steps = len(sigmas) - 1
        if steps < 1 or not torch.allclose(self.sigmas(steps), sigmas.float().cpu(), rtol=1e-4):
            raise InputError(
                "The sigmas are not those of this sampler: connect the sigmas of the same EAD-Net Custom "
                "Sampling node, or another sampler (KSamplerSelect)."
            )
        solver = make_scheduler(self._name, self._config)
        timesteps = set_steps(solver, steps)
        x, seed = noise * solver.init_noise_sigma, int(extra_args.get("seed") or 0)
        predicts = solver.config.prediction_type
        for step, timestep in enumerate(timesteps):
            model_management.throw_exception_if_processing_interrupted()
            alpha, sigma = noise_level(solver, timestep)
            given = solver.scale_model_input(x, timestep)
            level = sigmas[step].to(x) * x.new_ones(len(x))
            clean = model_wrap(given / alpha, level, **extra_args)
            output = alpha * given - clean if predicts == "v_prediction" else given - alpha * clean
            output = output / sigma
            if not all_finite(output):
                raise InputError(
                    f"The U-Net's result is not finite at step {step + 1} of {steps}: load the model in "
                    "float32, lower the guidance, or download the checkpoint again."
                )
            x = advance(solver, output, timestep, x, step_generators(seed, step, range(len(x))))
            if callback is not None:
                callback(step, clean, x, steps)
        return x
