"""The samplers on offer: diffusers' schedulers under one configuration, and plain DDIM without them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError, no_such
from .ddim import DDIMScheduler, is_plain
from .unipc import LOG_SNR, UniPCScheduler

SCHEDULERS = ("ddim", "dpmpp_2m", "euler", "lcm", "dpmpp_2m_sde", "unipc")

LATENTSYNC_DDIM: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "prediction_type": "epsilon",
}
"""The noise schedule LatentSync trains and samples with (arXiv 2412.09262; that of Stable Diffusion 1.5)."""


def _scheduler_class(name: str) -> tuple[type, dict[str, Any]]:
    """The diffusers class (imported late: it takes seconds) and what this sampler sets unless configured."""
    import diffusers

    # DDIM starts below the last training step as LatentSync does ("leading"); solvers that take few large
    # steps must start at the noisiest one or they begin from a noise level the picture does not have.
    known: dict[str, tuple[type, dict[str, Any]]] = {
        "ddim": (diffusers.DDIMScheduler, {"timestep_spacing": "leading"}),
        "dpmpp_2m": (
            diffusers.DPMSolverMultistepScheduler,
            {"timestep_spacing": "trailing", "algorithm_type": "dpmsolver++", "solver_order": 2},
        ),
        "euler": (diffusers.EulerDiscreteScheduler, {"timestep_spacing": "trailing"}),
        "lcm": (diffusers.LCMScheduler, {}),
        "dpmpp_2m_sde": (
            diffusers.DPMSolverMultistepScheduler,
            {"timestep_spacing": "trailing", "algorithm_type": "sde-dpmsolver++", "solver_order": 2},
        ),
        "unipc": (diffusers.UniPCMultistepScheduler, {"timestep_spacing": "trailing", "solver_order": 2}),
    }
    return known[name]


def make_scheduler(name: str, config: Mapping[str, Any]) -> Any:
    """The named sampler for the noise schedule a model was trained with.

    ``config`` holds the keys of a diffusers scheduler configuration (see `LATENTSYNC_DDIM`); keys that the
    chosen class does not know are left out, so one checkpoint works with every sampler.
    Raises InputError for a name outside ``SCHEDULERS``.
    """
    if name not in SCHEDULERS:
        raise InputError(no_such("scheduler", name, SCHEDULERS))
    if config.get("timestep_spacing") == LOG_SNR:  # diffusers has no such thing
        config = {key: value for key, value in config.items() if key != "timestep_spacing"}
        if name == "unipc" and is_plain(config):
            return UniPCScheduler(**config)
    if name == "ddim" and is_plain(config):
        return DDIMScheduler(**config)
    scheduler_class, preset = _scheduler_class(name)
    accepted = inspect.signature(scheduler_class).parameters
    return scheduler_class(**{key: value for key, value in {**preset, **config}.items() if key in accepted})


def set_steps(scheduler: Any, steps: int) -> list[Tensor]:
    """Prepare the scheduler for ``steps`` steps and return its timesteps, noisiest first.

    Raises InputError unless 1 <= steps <= the number of training timesteps.
    """
    limit = scheduler.config.num_train_timesteps
    if not 1 <= steps <= limit:
        raise InputError(f"steps is {steps}: use 1 to {limit}.")
    original = getattr(scheduler.config, "original_inference_steps", None)
    if original is None:
        scheduler.set_timesteps(steps)
    else:
        # LCM picks its steps out of the teacher's (50): more steps than that need a finer teacher.
        scheduler.set_timesteps(steps, original_inference_steps=max(original, steps))
    return list(scheduler.timesteps)


def noise_level(scheduler: Any, timestep: Tensor | int) -> tuple[float, float]:
    """(alpha, sigma) with alpha^2 + sigma^2 = 1 such that the model's input is alpha * x0 + sigma * noise."""
    signal = float(scheduler.alphas_cumprod[int(timestep)])
    return signal**0.5, (1 - signal) ** 0.5


def denoised_estimate(scheduler: Any, output: Tensor, timestep: Tensor | int, model_input: Tensor) -> Tensor:
    """The clean latents the model believes in at this step, from its (scaled) input and its output.

    epsilon: x0 = (x - sigma eps) / alpha; v: x0 = alpha x - sigma v (Salimans and Ho 2022, appendix D);
    sample: x0 itself.
    """
    alpha, sigma = noise_level(scheduler, timestep)
    kind = scheduler.config.prediction_type
    if kind == "v_prediction":
        return alpha * model_input - sigma * output
    if kind == "sample":
        return output
    return (model_input - sigma * output) / max(alpha, torch.finfo(torch.float32).eps)


def advance(
    scheduler: Any,
    output: Tensor,
    timestep: Tensor,
    latents: Tensor,
    generator: torch.Generator | list[torch.Generator],
) -> Tensor:
    """One step of the sampler: the latents of the next, less noisy level.

    ``generator``, one or one for each frame, serves the samplers that add fresh noise (lcm, dpmpp_2m_sde).
    """
    if type(scheduler).__name__ == "DDIMScheduler" and scheduler.config.timestep_spacing == "trailing":
        return _ddim_step(scheduler, output, timestep, latents)
    is_random = type(scheduler).__name__ == "LCMScheduler" or "sde" in _algorithm(scheduler)
    extra = {"generator": generator} if is_random else {}
    return scheduler.step(output, timestep, latents, **extra).prev_sample


def _algorithm(scheduler: Any) -> str:
    return str(getattr(scheduler.config, "algorithm_type", ""))


def _ddim_step(scheduler: Any, output: Tensor, timestep: Tensor, latents: Tensor) -> Tensor:
    """DDIM's deterministic step (arXiv 2010.02502, eq. 12) to the timestep that comes next in the list.

    diffusers' own takes the timesteps to be evenly spaced; those counted back from the end are only when
    their number divides 1000, and else the last step would leave noise in the picture (at 15 or 24 steps).
    """
    following = scheduler.timesteps[scheduler.timesteps < timestep]
    signal = scheduler.alphas_cumprod[following[0]] if len(following) else scheduler.final_alpha_cumprod
    alpha, sigma = noise_level(scheduler, timestep)
    clean = denoised_estimate(scheduler, output, timestep, latents)
    noise = (latents - alpha * clean) / max(sigma, torch.finfo(torch.float32).eps)
    return float(signal) ** 0.5 * clean + (1 - float(signal)) ** 0.5 * noise
