"""The recipe `syncnet`: LatentSync's SyncNet (arXiv 2412.09262), from a prepared set.

Half of the pairs belong together; of the others the sound is that of the window that showed the person,
elsewhere in the same segment. The cosine of the embeddings is to be 1 or 0, by cross-entropy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...checkpoints import load_checkpoint, save_checkpoint
from ...errors import InputError
from ...modules.stable_syncnet import StableSyncNet
from ...presets import STABLE_SYNCNET
from ..data.prepared import ClipStream, PreparedClip, can_measure, held_out, set_fingerprint
from ..losses.supervision import clip_mel
from ..on_set import OnSet
from ..processes import make_accelerator
from ..trainer import Trainer

RESULT = "stable-syncnet.safetensors"


def pairs(
    model: StableSyncNet, clips: Sequence[PreparedClip], device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """(lips [B, 3 T, h, w], mels [B, 1, 80, M], 1 where they belong together [B]) of windows."""
    videos, mels, truth = [], [], []
    for clip in clips:
        if clip.pictures is None:
            raise InputError("SyncNet looks at pictures: prepare the set without cached latents.")
        own = bool(torch.rand((), generator=clip.generator) < 0.5)
        elsewhere = clip if own else replace(clip, start=clip.elsewhere)
        pictures = torch.from_numpy(np.ascontiguousarray(clip.pictures)).movedim(-1, 1).float() / 255
        videos.append(model.window(pictures.to(device)).flatten(0, 1))
        mels.append(clip_mel(elsewhere, model.mel_frames))
        truth.append(float(own))
    return torch.stack(videos), torch.stack(mels).to(device), torch.tensor(truth, device=device)


def pair_loss(video: Tensor, audio: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy of the cosines of unit embeddings [B, D], of which those below 0 count as 0."""
    return F.binary_cross_entropy((video * audio).sum(1).clamp(1e-6, 1 - 1e-6), truth)


def train_stable_syncnet(
    directory: Path, out: Path, how: OnSet, start: Path | None = None, config: dict[str, Any] | None = None
) -> Path:
    """Train a SyncNet, new or from a converted file; returns the checkpoint, which `eadnet evaluate` takes.

    Without a split 'val' nothing is measured.
    Raises InputError for a set that does not fit, FloatingPointError where the loss is not finite.
    """
    torch.manual_seed(how.seed)
    if start is None:
        model = StableSyncNet.from_config(config or STABLE_SYNCNET)
    else:
        model = load_checkpoint(start, only=["syncnet"]).component("syncnet")
    how = replace(how, window=model.num_frames)
    accelerator = make_accelerator(precision=how.precision, cpu=how.cpu, trackers=how.trackers, folder=out)
    device, rank, processes = accelerator.device, accelerator.process_index, accelerator.num_processes
    lanes = how.batch * processes
    stream = ClipStream(
        directory,
        "train",
        lanes=lanes,
        mine=range(rank, lanes, processes),
        window=how.window,
        seed=how.seed,
        workers=how.workers,
    )
    measures = how.validate_every > 0 and can_measure(directory)
    trainer = Trainer(
        out,
        model.train().to(device),
        torch.optim.AdamW(model.parameters(), how.rate, weight_decay=how.decay),
        minutes=0,
        steps=how.steps,
        warmup=max(1, min(500, how.steps // 10)),
        decay=how.average,
        save_steps=how.save_every,
        seed=how.seed,
        accelerator=accelerator,
        wrap=True,
        identity={
            "recipe": "syncnet",
            "set": set_fingerprint(directory),
            "clips in a step": lanes,
            "seed": how.seed,
        },
        position=stream,
    )
    right = float("nan")
    try:
        for step in trainer.steps():
            if measures and step % how.validate_every == 0:
                with trainer.averaged():
                    right = accuracy(model, held_out(directory, "val", how.held_out, how.window), device)
            video, mel, truth = pairs(model, stream.step(), device)
            seen, heard = trainer.model(video, mel)
            loss = pair_loss(seen, heard, truth)
            norm = trainer.optimize(loss, how.clip)
            if step % how.log_every == 0:
                row = {"step": step, "loss": float(loss.detach()), "norm": norm}
                trainer.write(row | ({"right": right} if measures else {}))
    finally:
        stream.close()
        accelerator.end_training()
    model.load_state_dict(trainer.average.weights)
    if trainer.main:
        save_checkpoint(out / RESULT, {"syncnet": model.cpu().eval()}, {"preset": "syncnet"})
    return out / RESULT


@torch.no_grad()
def accuracy(model: StableSyncNet, clips: Sequence[PreparedClip], device: torch.device) -> float:
    """Share of held-out pairs that are called right, with 0.5 between."""
    model.eval()
    video, mel, truth = pairs(model, clips, device)
    seen, heard = model(video, mel)
    model.train()
    return float((((seen * heard).sum(1) > 0.5).float() == truth).float().mean())
