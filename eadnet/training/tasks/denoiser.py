"""Train the U-Net together with its audio and text encoders; one step of it is `denoiser_task`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from ...modules.conditioned_unet import ConditionedUNet
from ...modules.graphed_unet import GraphedUNet
from ..data.latents import Batch, LatentSet
from ..losses.step import Step, Weighted, total
from ..trainer import Trainer
from .denoiser_task import DenoiserTask, switch_stda
from .diffusion import mixed_noise

FRAMES = 48  # in every step on a CPU, whatever the window
# Shares of the budget. STDA is an identity at first and a quarter of the cost, so it may join later; whole
# pictures cost twice as much as the face alone and add what little lies outside it.
STDA_FROM, WHOLE_FROM = 0.5, 0.7
# The text encoder was trained on far more sentences than the clips hold: hardly move it.
AUDIO_RATE, TEXT_RATE = 0.25, 0.03
EVALUATED_EVERY, EVALUATED_CLIPS = 500, 24


@dataclass(frozen=True)
class Schedule:
    """How the U-Net is trained.

    minutes: the budget; `steps`, if given, is it instead.
    frames: in every step, whatever the window. A GPU takes ten times as many in hardly more time.
    short_steps: steps with short windows for each with a long one.
    stda_from, whole_from: shares of the budget after which STDA and whole pictures join; above 1 is never.
    rate: of the U-Net; the encoders' follow it.
    expression: weight of the expression loss. mouth: how much more the shapes of speech and the mouth's
        opening weigh in it than other parameters. min_snr: gamma of the min-SNR weighting, 0 is off.
    clip: largest norm of the gradient.
    device, bf16: where it runs, and whether the networks compute in bfloat16 there (weights stay float32).
    sample_every: steps between sample videos, 0 for none.
    trackers: that get what the log gets: tensorboard, wandb, trackio ...; commas between.
    """

    minutes: float = 70.0
    steps: int | None = None
    frames: int = FRAMES
    short_steps: int = 2
    stda_from: float = STDA_FROM
    whole_from: float = WHOLE_FROM
    rate: float = 8e-4
    expression: float = 0.5
    mouth: float = 1.0
    min_snr: float = 0.0
    clip: float = 1.0
    device: str = "cpu"
    bf16: bool = False
    sample_every: int = 0
    seed: int = 0
    trackers: str = ""


@torch.no_grad()
def condition_ratios(task: DenoiserTask, data: LatentSet, seed: int = 5) -> dict[str, float]:
    """How much the loss grows on held-out clips when sound or sentence is another clip's (1 = ignored).

    It is the expression loss, or that of the velocity where there are no facial parameters.
    """
    count = EVALUATED_CLIPS
    generator = torch.Generator().manual_seed(seed)
    batch = task.cropped(task.draw(data, count, task.windows[0], generator))
    noise = mixed_noise(batch.target.shape, task.shared_noise, generator).to(task.device)
    timesteps = torch.linspace(300, 999, count).long().to(task.device)
    noisy, truth, alpha = task.diffusion.noised(batch.target, noise, timesteps)
    audio, text = task.conditions(data, batch, None)
    # Rotate by half, so that a pair does not share its neighbour's noise level.
    swapped = {
        "right": (audio, text),
        "audio": (audio.roll(count // 2, 0), text),
        "text": (audio, text.roll(count // 2, 0)),
    }
    losses = {
        name: task.losses(noisy, task.velocity(noisy, timesteps, batch, a, e), truth, alpha, batch)
        for name, (a, e) in swapped.items()
    }
    right = losses["right"]
    kind = "expression" if "expression" in right else "velocity"
    found = {"held_out": right["velocity"]}
    if kind == "expression":
        found["expression"] = right["expression"]
    found |= {f"{name}_ratio": losses[name][kind] / right[kind] for name in ("audio", "text")}
    return {name: float(value) for name, value in found.items()}


def check_frames(frames: int, windows: Sequence[int]) -> None:
    """Refuse steps that have no room for a window. Raises InputError."""
    if frames < max(windows):
        raise InputError(
            f"frames is {frames}: a step holds at least one window, so give {max(windows)} or more."
        )


def make_optimizer(model: ConditionedUNet, rate: float) -> torch.optim.Optimizer:
    """AdamW with `rate` for the U-Net and shares of it for the encoders."""
    groups = [
        {"params": list(model.unet.parameters()), "lr": rate},
        {"params": list(model.audio_encoder.parameters()), "lr": rate * AUDIO_RATE},
        {"params": list(model.text_encoder.parameters()), "lr": rate * TEXT_RATE},
    ]
    on_gpu = next(model.parameters()).is_cuda
    return torch.optim.AdamW(groups, betas=(0.9, 0.99), weight_decay=1e-3, fused=on_gpu)


def train_denoiser(
    task: DenoiserTask,
    data: LatentSet,
    held_out: LatentSet | None,
    folder: Path,
    how: Schedule,
    extra: Sequence[Weighted] = (),
    on_sample: Callable[[int], None] | None = None,
    before_step: Callable[[], None] | None = None,
    identity: Mapping[str, Any] | None = None,
) -> ConditionedUNet:
    """Train within the budget, resuming `folder`; returns the averaged model, on the CPU.

    `extra` losses join the error of the velocity and the expression loss; their values are in the log.
    `on_sample` is called every `how.sample_every` steps, `before_step` before each, where `data` may
    get more clips. Without `held_out` nothing is measured. A saved state must agree with `identity`.

    Raises InputError where the expression loss is weighed and the data set has no facial parameters, where
    `how.frames` are fewer than a window's, and for a state of another run.
    """
    if how.expression > 0 and not task.weighs_expression:
        raise InputError(
            "The expression loss needs facial parameters, which the data set lacks: set it to 0."
        )
    check_frames(how.frames, task.windows)
    task.to(how.device)
    task.min_snr, task.mouth, task.bf16 = how.min_snr, how.mouth, how.bf16
    model = task.model
    if task.device.type == "cuda" and how.stda_from == 0:
        task.graphed = GraphedUNet(model.unet, how.bf16)
    trainer = Trainer(
        folder,
        model,
        make_optimizer(model, how.rate),
        minutes=how.minutes,
        steps=how.steps,
        warmup=200 if how.steps is None else max(1, min(200, how.steps // 10)),
        seed=how.seed,
        identity=identity,
        trackers=how.trackers,
    )
    ratios: dict[str, float] = {}
    for step in trainer.steps():
        if before_step:
            before_step()
        switch_stda(model.unet, trainer.progress >= how.stda_from)
        window = task.windows[1 if step % (1 + how.short_steps) else 0]
        batch = task.draw(data, how.frames // window, window, trainer.generator)
        if trainer.progress < how.whole_from:
            batch = task.cropped(batch)
        loss, values = step_loss(task, data, batch, trainer.generator, how.expression, extra)
        norm = trainer.optimize(loss, how.clip)
        if step % 50 == 0:
            if held_out is not None and (step % EVALUATED_EVERY == 0 or not ratios):
                ratios = condition_ratios(task, held_out)
            head = {
                "step": step,
                "minutes": trainer.seconds / 60,
                "loss": values.pop("velocity"),
                "norm": norm,
            }
            trainer.write(head | ratios | {f"loss_{name}": value for name, value in values.items()})
        if on_sample and how.sample_every and step and step % how.sample_every == 0:
            on_sample(step)
    if how.trackers:
        trainer.accelerator.end_training()
    model.load_state_dict(trainer.average.weights)
    task.graphed = None
    task.to("cpu")
    return model.eval()


def step_loss(
    task: DenoiserTask,
    data: LatentSet,
    batch: Batch,
    generator: torch.Generator,
    expression: float,
    extra: Sequence[Weighted],
) -> tuple[Tensor, dict[str, float]]:
    """The loss of one step, and its parts by name; parts that the step has nothing for are left out."""
    count = len(batch.clips)
    timesteps = task.diffusion.draw_timesteps(count, generator).to(task.device)
    noise = mixed_noise(batch.target.shape, task.shared_noise, generator).to(task.device)
    noisy, truth, alpha = task.diffusion.noised(batch.target, noise, timesteps)
    audio, text = task.conditions(data, batch, generator)
    velocity = task.velocity(noisy, timesteps, batch, audio, text)
    losses = task.losses(noisy, velocity, truth, alpha, batch)
    loss = losses["velocity"]
    if "expression" in losses:
        loss = loss + expression * losses["expression"]
    values = {"velocity": float(losses["velocity"].detach())}
    if extra:
        step = Step(
            batch=batch,
            estimate=task.diffusion.clean_estimate(noisy, velocity, alpha),
            alpha=alpha.flatten(),
            sound=task.heard(data, batch),
            generator=generator,
        )
        more, found = total(extra, step)
        loss = loss if more is None else loss + more
        values |= found
    return loss, values
