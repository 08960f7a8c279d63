"""Train the `mini` denoiser together with its audio and text encoders.

One loss with two parts: the error of the predicted velocity (Salimans and Ho 2022), and an *expression
loss*: a small frozen probe reads facial parameters from the one-step estimate of the clean latents and
compares them with the truth. The probe is to expression and mouth what SyncNet supervision is to lip-sync,
and it makes both conditions bite early. Reconstruction: the paper's own training code is not public.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..faces.masks import latent_mask, mask_image
from ..modules.mini_audio import MiniAudioEncoder
from ..modules.stda import DIRECTIONS, STDA
from ..modules.text_encoder import MiniTextEncoder
from ..modules.unet import EADUNet
from .dataset import FPS
from .latents import Batch, LatentSet
from .run import Run

logger = logging.getLogger(__name__)

OUTSIDE_WEIGHT, LOWER_FACE_WEIGHT = 0.1, 2.0
WINDOWS = (16, 8)
STDA_FROM = (
    0.7  # share of the budget after which STDA, an identity until then and a third of the cost, joins in
)
DROP_AUDIO, DROP_TEXT, DROP_BOTH = 0.06, 0.06, 0.04


class ExpressionProbe(nn.Module):
    """Facial parameters and mouth opening read from latents [B, 4, h, w] -> [B, outputs]."""

    def __init__(self, outputs: int, side: int = 16, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(4, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.GroupNorm(8, width),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, stride=2, padding=1),
            nn.GroupNorm(8, width),
            nn.SiLU(),
            nn.Conv2d(width, 48, 3, padding=1),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(48 * (side // 2) ** 2, 256),
            nn.SiLU(),
            nn.Linear(256, outputs),
        )

    def forward(self, latents: Tensor) -> Tensor:
        return self.layers(latents)


@dataclass(frozen=True)
class Targets:
    """Normalised targets of the probe: parameters without the head's pose, and the mouth's opening."""

    columns: Tensor
    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, data: LatentSet) -> Targets:
        from ..synthetic.expression import PARAMETERS

        columns = torch.tensor([i for i, name in enumerate(PARAMETERS) if not name.startswith("head_")])
        values = torch.cat([data.params[..., columns], data.openings[..., None]], -1).flatten(0, 1)
        return cls(columns, values.mean(0), values.std(0).clamp_min(0.02))

    def __call__(self, params: Tensor, openings: Tensor) -> Tensor:
        values = torch.cat([params[..., self.columns], openings[..., None]], -1)
        return (values - self.mean) / self.std

    def __len__(self) -> int:
        return len(self.mean)


def train_probe(data: LatentSet, targets: Targets, folder: Path, minutes: float) -> ExpressionProbe:
    """Fit the probe on clean and slightly noisy latents, and freeze it."""
    torch.manual_seed(1)
    probe = ExpressionProbe(len(targets), data.target.shape[-1])
    run = Run(folder, probe, torch.optim.AdamW(probe.parameters(), 2e-3, weight_decay=1e-2), minutes=minutes)
    for step in run.steps():
        batch = data.draw(24, 4, run.generator)
        noisy = batch.target + torch.rand(24, 1, 1, 1, 1) * 0.5 * torch.randn_like(batch.target)
        truth = targets(batch.params, batch.openings).flatten(0, 1)
        loss = F.mse_loss(probe(noisy.flatten(0, 1)), truth)
        run.descend(loss)
        if step % 100 == 0:
            run.log.write({"step": step, "loss": float(loss.detach())})
    probe.load_state_dict(run.average.weights)
    return probe.eval().requires_grad_(False)


class Talker(nn.Module):
    """The denoiser with its two encoders, trained as one."""

    def __init__(self, unet: EADUNet, audio: MiniAudioEncoder, text: MiniTextEncoder) -> None:
        super().__init__()
        self.unet, self.audio_encoder, self.text_encoder = unet, audio, text

    def hear(self, waveforms: Tensor, starts: Tensor, window: int) -> Tensor:
        """Audio tokens [B, window, N, D] of `window` frames from frame `starts` of each waveform [B, S]."""
        return self.audio_encoder.encode_windows(self.audio_encoder.log_mel(waveforms), FPS, window, starts)


def pretrain_encoders(
    talker: Talker, data: LatentSet, targets: Targets, folder: Path, minutes: float
) -> None:
    """Teach the audio encoder the mouth and the text encoder the expression, with throw-away linear heads."""
    audio_width, text_width = talker.audio_encoder.config["dim"], talker.text_encoder.dim
    heads = nn.ModuleDict(
        {"mouth": nn.Linear(10 * audio_width, len(targets)), "face": nn.Linear(text_width, len(targets))}
    )
    both = nn.ModuleDict({"audio": talker.audio_encoder, "text": talker.text_encoder, "heads": heads})
    run = Run(folder, both, torch.optim.AdamW(both.parameters(), 1e-3, weight_decay=1e-2), minutes=minutes)
    frames = data.target.shape[1]
    moving = targets(data.params, data.openings)
    still = moving.mean(1)
    for step in run.steps():
        clips = torch.randint(len(data), (24,), generator=run.generator)
        tokens = talker.hear(data.waveforms(clips), torch.zeros(24, dtype=torch.long), frames)
        texts = talker.text_encoder.encode([data.texts[i]["text"] for i in clips.tolist()])
        mouth = F.mse_loss(heads["mouth"](tokens.flatten(2)) + still[clips][:, None], moving[clips])
        face = F.mse_loss(heads["face"](texts.mean(1)), still[clips])
        run.descend(mouth + face)
        if step % 50 == 0:
            run.log.write({"step": step, "mouth": float(mouth), "face": float(face)})


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

    def conditions(
        self, data: LatentSet, batch: Batch, drop: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        count, window = batch.target.shape[:2]
        audio = self.talker.hear(data.waveforms(batch.clips), batch.starts, window)
        texts = [data.texts[i]["text"] for i in batch.clips.tolist()]
        if drop is not None:
            share = torch.rand(count, generator=drop)
            no_audio = (share < DROP_AUDIO) | (share > 1 - DROP_BOTH)
            no_text = (share >= DROP_AUDIO) & (share < DROP_AUDIO + DROP_TEXT) | (share > 1 - DROP_BOTH)
            audio = audio * (~no_audio)[:, None, None, None]
            texts = ["" if none else text for none, text in zip(no_text.tolist(), texts, strict=True)]
        return audio, self.talker.text_encoder.encode(texts)

    def velocity(
        self, noisy: Tensor, timesteps: Tensor, batch: Batch, audio: Tensor, emotion: Tensor
    ) -> Tensor:
        """All latents here are [B, T, 4, h, w]; the U-Net has frames behind channels."""
        count, window = noisy.shape[:2]
        keep = self.keep.expand(count, window, *self.keep.shape)
        reference = batch.reference[:, None].expand_as(noisy)
        sample = torch.cat([noisy, keep, batch.masked, reference], 2).transpose(1, 2)
        return self.talker.unet(sample, timesteps, audio, emotion).transpose(1, 2)

    def losses(
        self, noisy: Tensor, velocity: Tensor, truth: Tensor, alpha: Tensor, batch: Batch
    ) -> dict[str, Tensor]:
        error = (self.weight * (velocity - truth) ** 2).mean()
        estimate = self.diffusion.clean_estimate(noisy, velocity, alpha)
        read = self.probe(estimate.flatten(0, 1))
        wanted = self.targets(batch.params, batch.openings).flatten(0, 1)
        return {"velocity": error, "expression": F.smooth_l1_loss(read, wanted)}


@torch.no_grad()
def condition_ratios(task: DenoiserTask, data: LatentSet, seed: int = 5, count: int = 32) -> dict[str, float]:
    """How much the loss grows on held-out clips when sound or sentence is another clip's (1 = ignored)."""
    generator = torch.Generator().manual_seed(seed)
    batch = data.draw(count, 16, generator)
    noise = mixed_noise(batch.target.shape, task.shared_noise, generator)
    timesteps = torch.linspace(300, 999, count).long()
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


def train_denoiser(
    task: DenoiserTask,
    data: LatentSet,
    held_out: LatentSet,
    folder: Path,
    *,
    minutes: float,
    frames: int = 32,
    rate: float = 8e-4,
    expression_weight: float = 0.3,
    seed: int = 0,
) -> Talker:
    """Train within the time budget, resuming `folder`; returns the averaged model.

    Each step sees `frames` frames, by turns as few long windows or as many short ones: long ones teach the
    temporal modules, short ones show more people and sentences for the same work.
    """
    talker = task.talker
    encoders = [*talker.audio_encoder.parameters(), *talker.text_encoder.parameters()]
    groups = [{"params": list(talker.unet.parameters()), "lr": rate}, {"params": encoders, "lr": rate / 4}]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99), weight_decay=1e-3)
    run = Run(folder, talker, optimizer, minutes=minutes, warmup=200, seed=seed)
    ratios: dict[str, float] = {}
    for step in run.steps():
        switch_stda(talker.unet, run.progress >= STDA_FROM)
        window = WINDOWS[step % len(WINDOWS)]
        batch = frames // window
        drawn = data.draw(batch, window, run.generator)
        timesteps = task.diffusion.draw_timesteps(batch, run.generator)
        noise = mixed_noise(drawn.target.shape, task.shared_noise, run.generator)
        noisy, truth, alpha = task.diffusion.noised(drawn.target, noise, timesteps)
        audio, text = task.conditions(data, drawn, run.generator)
        losses = task.losses(noisy, task.velocity(noisy, timesteps, drawn, audio, text), truth, alpha, drawn)
        norm = run.descend(losses["velocity"] + expression_weight * losses["expression"])
        if step % 50 == 0:
            if step % 250 == 0 or not ratios:
                ratios = condition_ratios(task, held_out)
            row = {"step": step, "minutes": run.seconds / 60, "loss": float(losses["velocity"]), "norm": norm}
            run.log.write(row | ratios)
    talker.load_state_dict(run.average.weights)
    return talker.eval()
