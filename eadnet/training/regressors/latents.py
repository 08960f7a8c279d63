"""The probe: facial parameters read from latents, the frozen judge behind the denoiser's expression loss.

It reads a face beside the reference of the same person, since narrow eyes are no narrowed ones, and learns
from stills as well, in which every parameter goes its own way. A judge that takes raised cheeks for narrowed
lids teaches the denoiser to do so.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .block import Block
from .latents import CHANNELS, Batch, Faces, LatentSet, LatentStills
from .run import Run

CLIPS, FRAMES = 12, 4  # in a step, and as many stills as frames


class ExpressionProbe(nn.Module):
    """Facial parameters and mouth opening read from the face's block of latents."""

    def __init__(self, outputs: int, side: int, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(2 * CHANNELS, width, 3, padding=1),
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

    def forward(self, latents: Tensor, reference: Tensor) -> Tensor:
        """Readings [*, outputs], standardised as `Targets` are.

        Args:
            latents: blocks [*, 4, side, side] of faces, B or B by T of them.
            reference: blocks [B, 4, side, side] of the same people at another moment.
        """
        frames = latents.shape[:-3]
        known = reference.unflatten(0, (len(reference), *[1] * (len(frames) - 1))).expand_as(latents)
        return self.layers(torch.cat([latents, known], -3).flatten(0, -4)).unflatten(0, frames)


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

    def to(self, device: torch.device | str) -> Targets:
        return Targets(self.columns.to(device), self.mean.to(device), self.std.to(device))

    def __call__(self, params: Tensor, openings: Tensor) -> Tensor:
        values = torch.cat([params[..., self.columns], openings[..., None]], -1)
        return (values - self.mean) / self.std

    @property
    def spoken(self) -> Tensor:
        """Which targets the speech moves, bool [len(self)]: the shapes of the mouth, and its opening."""
        from ..synthetic.expression import PARAMETERS
        from ..synthetic.visemes import MOUTH

        moved = [PARAMETERS[column] in MOUTH for column in self.columns.tolist()]
        return torch.tensor([*moved, True], device=self.columns.device)

    def __len__(self) -> int:
        return len(self.mean)


def train_probe(
    data: LatentSet,
    stills: LatentStills,
    targets: Targets,
    block: Block,
    folder: Path,
    minutes: float,
    device: str = "cpu",
) -> ExpressionProbe:
    """Fit the probe on clean and slightly noisy latents, and freeze it; it returns to the processor.

    Half of every batch are stills.
    """
    torch.manual_seed(1)
    probe = ExpressionProbe(len(targets), block.side).to(device)
    run = Run(folder, probe, torch.optim.AdamW(probe.parameters(), 2e-3, weight_decay=1e-2), minutes=minutes)
    for step in run.steps():
        moving = _of_clips(data.draw(CLIPS, FRAMES, run.generator))
        faces = Faces.joined([moving, stills.draw(CLIPS * FRAMES, run.generator)])
        target, reference = block.cut(faces.target), block.cut(faces.reference)
        noisy = target + torch.rand(len(target), 1, 1, 1) * 0.5 * torch.randn_like(target)
        truth = targets(faces.params, faces.openings)
        loss = F.smooth_l1_loss(probe(noisy.to(device), reference.to(device)), truth.to(device))
        run.descend(loss)
        if step % 100 == 0:
            run.log.write({"step": step, "loss": float(loss.detach())})
    probe.load_state_dict(run.average.weights)
    return probe.eval().requires_grad_(False).cpu()


def _of_clips(batch: Batch) -> Faces:
    """The frames of a batch as faces, each with its clip's reference."""
    frames = batch.target.shape[1]
    return Faces(
        batch.target.flatten(0, 1),
        batch.reference.repeat_interleave(frames, 0),
        batch.params.flatten(0, 1),
        batch.openings.flatten(),
    )
