"""Train the `mini` denoiser together with its audio and text encoders.

One loss with two parts: the error of the predicted velocity (Salimans and Ho 2022), and an *expression
loss*: a small frozen probe reads facial parameters from the one-step estimate of the clean latents and
compares them with the truth. The probe is to expression and mouth what SyncNet supervision is to lip-sync,
and it makes both conditions bite early. Reconstruction: the paper's own training code is not public.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import InputError
from ..faces.masks import latent_mask, mask_image
from ..modules.stda import DIRECTIONS, STDA
from ..modules.unet import EADUNet
from .block import Block
from .graphed import Graphed
from .latents import Batch, LatentSet
from .losses.snr import min_snr_weight
from .losses.step import Step, Weighted, total
from .probe import ExpressionProbe, Targets
from .run import Run
from .talker import Talker, hear

logger = logging.getLogger(__name__)

OUTSIDE_WEIGHT, LOWER_FACE_WEIGHT = 0.1, 2.0
# Long windows teach the temporal modules, short ones show more people and sentences for the same work.
LONG, SHORT = 16, 4
FRAMES = 48  # in every step on a processor, whatever the window
# Shares of the budget. STDA is an identity at first and a quarter of the cost, so it may join later; whole
# pictures cost twice as much as the face's block and add what little lies outside it.
STDA_FROM, WHOLE_FROM = 0.5, 0.7
DROP_AUDIO, DROP_TEXT, DROP_BOTH = 0.06, 0.06, 0.04
# The text encoder arrives taught by far more sentences than the clips hold: hardly move it.
AUDIO_RATE, TEXT_RATE = 0.25, 0.03
JUDGED_EVERY, JUDGED_CLIPS = 500, 24
# Of the noise's variance, what all frames share while learning. Samples are drawn with all of it shared, as
# LatentSync's are: then nothing shimmers that the conditions do not move.
TAUGHT_SHARED_NOISE = 0.5


@dataclass(frozen=True)
class Schedule:
    """How the denoiser is trained.

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


@dataclass(frozen=True)
class Diffusion:
    """The forward process of a variance-preserving schedule, velocity parameterisation."""

    alphas: Tensor  # cumulative products, [num_train_timesteps]

    @classmethod
    def of(cls, scheduler_config: dict[str, Any]) -> Diffusion:
        from ..sampling.schedulers import make_scheduler

        return cls(make_scheduler("ddim", scheduler_config).alphas_cumprod.float())

    def draw_timesteps(self, count: int, generator: torch.Generator) -> Tensor:
        """Density rising linearly towards high noise, where structure and both conditions are decided."""
        share = torch.rand(count, generator=generator).sqrt()
        return (share * (len(self.alphas) - 1)).round().long()

    def noised(self, clean: Tensor, noise: Tensor, timesteps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x_t, the velocity to predict, and alpha_bar shaped for broadcasting."""
        alpha = self.alphas[timesteps].view(-1, *[1] * (clean.ndim - 1))
        a, s = alpha.sqrt(), (1 - alpha).sqrt()
        return a * clean + s * noise, a * noise - s * clean, alpha

    @staticmethod
    def clean_estimate(noisy: Tensor, velocity: Tensor, alpha: Tensor) -> Tensor:
        return alpha.sqrt() * noisy - (1 - alpha).sqrt() * velocity


def loss_weight(size: int, side: int) -> Tensor:
    """Weight [1, side, side] per latent site: little outside the mask, double on the lower face."""
    inside = F.adaptive_avg_pool2d(mask_image("face", size), side)
    rows = torch.linspace(0, 1, side)[None, :, None]
    lower = torch.where(rows > 0.6, LOWER_FACE_WEIGHT, 1.0)
    return OUTSIDE_WEIGHT + inside * lower


def mixed_noise(shape: torch.Size, shared: float, generator: torch.Generator) -> Tensor:
    """Unit noise [B, T, ...]; frames share `shared` of their variance (PYoCo, arXiv 2305.10474)."""
    own = torch.randn(shape, generator=generator)
    common = torch.randn((shape[0], 1, *shape[2:]), generator=generator)
    return shared**0.5 * common + (1 - shared) ** 0.5 * own


class DenoiserTask:
    """Everything one training step of the denoiser needs; the loop itself is in `train_denoiser`."""

    def __init__(
        self,
        talker: Talker,
        probe: ExpressionProbe,
        targets: Targets,
        diffusion: Diffusion,
        *,
        size: int,
        shared_noise: float,
    ) -> None:
        side = size // 8
        self.shared_noise = shared_noise
        self.talker, self.probe, self.targets, self.diffusion = talker, probe, targets, diffusion
        self.weight = loss_weight(size, side)
        self.keep = latent_mask(mask_image("face", size))
        self.block = Block.around(mask_image("face", size))
        self.min_snr = 0.0
        self.mouth = 1.0
        self.bf16 = False
        self.replay: Graphed | None = None
        self._words: dict[str, dict[str, Tensor]] = {}

    def with_talker(self, talker: Talker) -> DenoiserTask:
        """The same task for another talker; all else is shared."""
        other = copy.copy(self)
        other.talker = talker
        return other

    @property
    def device(self) -> torch.device:
        return next(self.talker.parameters()).device

    def to(self, device: torch.device | str) -> DenoiserTask:
        """Move everything that a step touches. Raises InputError for a device that is not there."""
        try:
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError) as error:
            raise InputError(f"The device {device} cannot be used: choose cpu or another one.") from error
        self.talker.to(device)
        self.probe.to(device)
        self.weight, self.keep = self.weight.to(device), self.keep.to(device)
        self.diffusion = Diffusion(self.diffusion.alphas.to(device))
        self.targets = self.targets.to(device)
        return self

    def drawn(self, data: LatentSet, count: int, window: int, generator: torch.Generator) -> Batch:
        """A batch on the task's device, drawn on the processor, so that a seed means the same everywhere."""
        return data.draw(count, window, generator).to(self.device)

    def conditions(
        self, data: LatentSet, batch: Batch, drop: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        count, window = batch.target.shape[:2]
        waveforms = data.waveforms(batch.clips, drop).to(self.device)
        audio = hear(self.talker.audio_encoder, waveforms, batch.starts, window)
        described = [data.texts[i] for i in batch.clips.tolist()]
        texts = [entry["text"] for entry in described]
        later = [entry.get("later", entry["text"]) for entry in described]
        if drop is not None:
            share = torch.rand(count, generator=drop)
            no_audio = (share < DROP_AUDIO) | (share > 1 - DROP_BOTH)
            no_text = (share >= DROP_AUDIO) & (share < DROP_AUDIO + DROP_TEXT) | (share > 1 - DROP_BOTH)
            audio = audio * (~no_audio)[:, None, None, None].to(audio.device)
            texts, later = (
                ["" if none else text for none, text in zip(no_text.tolist(), given, strict=True)]
                for given in (texts, later)
            )
        emotion = self._read(texts)
        if data.changes is None:
            return audio, emotion
        # Mixed as `captions.timeline.blend` mixes the sentences of a timeline.
        share = data.changes_in(batch, window).to(self.device)[..., None, None]
        change = self._read(later) - emotion
        return audio, emotion[:, None] + share * change[:, None]

    def _read(self, texts: Sequence[str]) -> Tensor:
        """Tokens [B, L, D] of sentences that come again and again: each is taken apart once."""
        encoder = self.talker.text_encoder
        for text in set(texts) - set(self._words):
            self._words[text] = encoder.tokenize([text])
        grams, mask = (
            torch.cat([self._words[text][part] for text in texts]).to(self.device)
            for part in ("grams", "mask")
        )
        return encoder(grams, mask)

    def velocity(
        self, noisy: Tensor, timesteps: Tensor, batch: Batch, audio: Tensor, emotion: Tensor
    ) -> Tensor:
        """All latents here are [B, T, 4, h, w], whole or the face's block; the U-Net has frames behind
        channels.
        """
        count, window = noisy.shape[:2]
        keep = self._as_large_as(noisy, self.keep)
        keep = keep.expand(count, window, *keep.shape)
        reference = batch.reference[:, None].expand_as(noisy)
        sample = torch.cat([noisy, keep, batch.masked, reference], 2).transpose(1, 2)
        if self.replay:
            velocity = self.replay(sample, timesteps, audio, emotion)
        else:
            with torch.autocast(noisy.device.type, torch.bfloat16, enabled=self.bf16):
                velocity = self.talker.unet(sample, timesteps, audio, emotion)
        return velocity.float().transpose(1, 2)

    def _as_large_as(self, latents: Tensor, map: Tensor) -> Tensor:
        return map if latents.shape[-1] == map.shape[-1] else self.block.cut(map)

    def on_the_block(self, batch: Batch) -> Batch:
        """The batch's latents cut to the face's block."""
        cut = self.block.cut
        return replace(
            batch, target=cut(batch.target), masked=cut(batch.masked), reference=cut(batch.reference)
        )

    def losses(
        self, noisy: Tensor, velocity: Tensor, truth: Tensor, alpha: Tensor, batch: Batch
    ) -> dict[str, Tensor]:
        squared = self._as_large_as(noisy, self.weight) * (velocity - truth) ** 2
        if self.min_snr > 0:
            squared = min_snr_weight(alpha, self.min_snr) * squared
        error = squared.mean()
        estimate = self.block.cut(self.diffusion.clean_estimate(noisy, velocity, alpha))
        read = self.probe(estimate, self.block.cut(batch.reference))
        wanted = self.targets(batch.params, batch.openings)
        differences = F.smooth_l1_loss(read, wanted, reduction="none")
        weights = torch.where(self.targets.spoken, self.mouth, 1.0)
        return {"velocity": error, "expression": (weights * differences).mean()}


@torch.no_grad()
def condition_ratios(task: DenoiserTask, data: LatentSet, seed: int = 5) -> dict[str, float]:
    """How much the loss grows on held-out clips when sound or sentence is another clip's (1 = ignored)."""
    count = JUDGED_CLIPS
    generator = torch.Generator().manual_seed(seed)
    batch = task.on_the_block(task.drawn(data, count, 16, generator))
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
    result = {}
    for name, (a, e) in swapped.items():
        velocity = task.velocity(noisy, timesteps, batch, a, e)
        losses = task.losses(noisy, velocity, truth, alpha, batch)
        result[name] = losses
    right = result["right"]
    return {
        "held_out": float(right["velocity"]),
        "expression": float(right["expression"]),
        "audio_ratio": float(result["audio"]["expression"] / right["expression"]),
        "text_ratio": float(result["text"]["expression"] / right["expression"]),
    }


def switch_stda(unet: EADUNet, on: bool) -> None:
    for module in unet.modules():
        if isinstance(module, STDA):
            module.directions = DIRECTIONS if on else ()


def optimiser(talker: Talker, rate: float) -> torch.optim.Optimizer:
    groups = [
        {"params": list(talker.unet.parameters()), "lr": rate},
        {"params": list(talker.audio_encoder.parameters()), "lr": rate * AUDIO_RATE},
        {"params": list(talker.text_encoder.parameters()), "lr": rate * TEXT_RATE},
    ]
    on_gpu = next(talker.parameters()).is_cuda
    return torch.optim.AdamW(groups, betas=(0.9, 0.99), weight_decay=1e-3, fused=on_gpu)


def train_denoiser(
    task: DenoiserTask,
    data: LatentSet,
    held_out: LatentSet,
    folder: Path,
    how: Schedule,
    extra: Sequence[Weighted] = (),
    on_sample: Callable[[int], None] | None = None,
    before_step: Callable[[], None] | None = None,
) -> Talker:
    """Train within the budget, resuming `folder`; returns the averaged model, on the processor.

    `extra` losses join the error of the velocity and the expression loss; their values are in the log.
    `on_sample` is called every `how.sample_every` steps, `before_step` before each, where `data` may grow.
    """
    task.to(how.device)
    task.min_snr, task.mouth, task.bf16 = how.min_snr, how.mouth, how.bf16
    talker = task.talker
    if task.device.type == "cuda" and how.stda_from == 0:
        task.replay = Graphed(talker.unet, how.bf16)
    run = Run(
        folder,
        talker,
        optimiser(talker, how.rate),
        minutes=how.minutes,
        steps=how.steps,
        warmup=200 if how.steps is None else max(1, min(200, how.steps // 10)),
        seed=how.seed,
    )
    ratios: dict[str, float] = {}
    for step in run.steps():
        if before_step:
            before_step()
        switch_stda(talker.unet, run.progress >= how.stda_from)
        window = SHORT if step % (1 + how.short_steps) else LONG
        drawn = task.drawn(data, how.frames // window, window, run.generator)
        if run.progress < how.whole_from:
            drawn = task.on_the_block(drawn)
        loss, values = step_loss(task, data, drawn, run.generator, how.expression, extra)
        norm = run.descend(loss, how.clip)
        if step % 50 == 0:
            if step % JUDGED_EVERY == 0 or not ratios:
                ratios = condition_ratios(task, held_out)
            head = {"step": step, "minutes": run.seconds / 60, "loss": values.pop("velocity"), "norm": norm}
            run.log.write(head | ratios | {f"loss_{name}": value for name, value in values.items()})
        if on_sample and how.sample_every and step and step % how.sample_every == 0:
            on_sample(step)
    talker.load_state_dict(run.average.weights)
    task.replay = None
    task.to("cpu")
    return talker.eval()


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
    loss = losses["velocity"] + expression * losses["expression"]
    values = {"velocity": float(losses["velocity"].detach())}
    if extra:
        step = Step(
            batch=batch,
            estimate=task.diffusion.clean_estimate(noisy, velocity, alpha),
            alpha=alpha.flatten(),
            waveforms=data.waveforms(batch.clips).to(task.device),
            generator=generator,
        )
        more, found = total(extra, step)
        loss = loss if more is None else loss + more
        values |= found
    return loss, values
