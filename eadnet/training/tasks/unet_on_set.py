"""The loop that trains a U-Net, or some of its weights, on a prepared set: in one process or many."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from ...modules.blocks import checkpoint_stages
from ...modules.unet import EADUNet
from ...printable import get_logger
from ..data.prepared import ClipStream, PreparedClip, can_measure, held_out, set_fingerprint
from ..on_set import OnSet
from ..processes import is_sharded, make_accelerator
from ..sharding import gathered, skeleton
from ..trainer import Trainer
from .adapter import AdapterTask

logger = get_logger(__name__)


class SetTraining:
    """A U-Net that is trained on a set.

    Args:
        folder: of state, log and results.
        unet: on the processor; what `trained` refuses by name is frozen.
        make_task: the task on a device.
        directory: of the set. Where it has no split 'val', nothing is measured.
        identity: what a state must agree with to be resumed.
        on_saved: called by the main process with the network of averaged weights: when it is measured, and
            at the end.
        on_sample: called there with a step, the network and a held-out clip.
    """

    def __init__(
        self,
        folder: Path,
        unet: EADUNet,
        make_task: Callable[[torch.device], AdapterTask],
        directory: Path,
        how: OnSet,
        *,
        trained: Callable[[str], bool],
        identity: dict[str, Any],
        on_saved: Callable[[EADUNet], object],
        on_sample: Callable[[int, EADUNet, AdapterTask, PreparedClip], object] | None = None,
    ) -> None:
        self.how, self.unet, self.on_saved, self.on_sample = how, unet, on_saved, on_sample
        self._last = float("nan")  # of what is measured now and then, the newest
        if unet.frame_limit is not None and how.window > unet.frame_limit:
            raise InputError(
                f"The U-Net takes {unet.frame_limit} frames at once, not a window of {how.window}."
            )
        for name, parameter in unet.named_parameters():
            parameter.requires_grad_(trained(name))
        weights = [p for p in unet.parameters() if p.requires_grad]
        if not weights:
            raise InputError("Nothing of this U-Net is trained: choose a recipe that trains a part it has.")
        checkpoint_stages(unet, how.checkpointing)
        torch.manual_seed(how.seed)
        accelerator = make_accelerator(
            precision=how.precision,
            accumulation=how.accumulation,
            cpu=how.cpu,
            trackers=how.trackers,
            folder=folder,
        )
        # A process' lanes are spread over the whole: the first of every batch, the second ...
        processes, rank = accelerator.num_processes, accelerator.process_index
        lanes = how.batch * how.accumulation * processes
        self.stream = ClipStream(
            directory,
            "train",
            lanes=lanes,
            mine=range(rank, lanes, processes),
            window=how.window,
            seed=how.seed,
            workers=how.workers,
        )
        self.held_out: list[PreparedClip] = []  # nothing is measured without
        if how.validate_every and can_measure(directory):
            self.held_out = held_out(directory, "val", how.held_out, how.window)
        # Before weights are sharded: what a file of weights, or a sample, is made with then.
        self._plan = skeleton(unet) if is_sharded(accelerator) else None
        self.trainer = Trainer(
            folder,
            unet.to(accelerator.device),
            torch.optim.AdamW(weights, how.rate, betas=(0.9, 0.999), weight_decay=how.decay),
            minutes=0,
            steps=how.steps,
            warmup=max(1, min(500, how.steps // 10)),
            decay=how.average,
            save_steps=how.save_every,
            seed=how.seed,
            accelerator=accelerator,
            wrap=True,
            trained_only=True,
            identity={
                **identity,
                "set": set_fingerprint(directory),
                "clips in a step": lanes,
                "window": how.window,
                "seed": how.seed,
            },
            position=self,
        )
        self.task = make_task(accelerator.device)

    def run(self) -> EADUNet:
        """Train to the end of the budget; returns the network with the averaged weights, on the processor."""
        how, trainer = self.how, self.trainer
        try:
            for step in trainer.steps():
                last = step == how.steps - 1
                measured = {}
                if self.held_out and (step % how.validate_every == 0 or last):
                    measured = self._measure(step)
                values: list[Tensor] = []
                norm = trainer.optimize(self._losses(values), how.clip)
                if step % how.log_every == 0 or measured or last:
                    loss = trainer.accelerator.reduce(torch.stack(values).mean(), "mean")
                    newest = {"held_out": self._last} if self.held_out else {}
                    row = {"step": step, "loss": float(loss), "norm": norm, **self.task.parts}
                    trainer.write(row | newest)
            with trainer.averaged():
                made = self._whole()
                if trainer.main:
                    self.on_saved(made)
        finally:
            self.stream.close()
            trainer.accelerator.end_training()
        if trainer.sharded:
            return made.cpu().eval()
        trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
        self.unet.load_state_dict(trainer.average.weights, strict=False)
        return self.unet.cpu().eval()

    def _whole(self) -> EADUNet:
        """The network, gathered where its weights lie in parts: then every process must ask for it."""
        return self.unet if self._plan is None else gathered(self.unet, self._plan)

    def state_dict(self) -> dict[str, Any]:
        """Where the run stands, beside its weights."""
        return {**self.stream.state_dict(), "held_out": self._last}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._last = state["held_out"]
        self.stream.load_state_dict(state)

    def _losses(self, values: list[Tensor]) -> Iterator[Tensor]:
        """One loss for each accumulated batch of the step."""
        clips = self.stream.step()
        for index in range(self.how.accumulation):
            loss = self.task.loss(self.trainer.model, clips[index :: self.how.accumulation])
            values.append(loss.detach())
            yield loss

    def _measure(self, step: int) -> dict[str, float]:
        """The error on held-out clips with the averaged weights; every process computes it."""
        with self.trainer.averaged():
            self._last = self.task.held_out(self.trainer.model, self.held_out)
            made = self._whole()
            if self.trainer.main and step:
                self.on_saved(made)
            if self.trainer.main and self.on_sample is not None:
                self.on_sample(step, made, self.task, self.held_out[0])
        return {"held_out": self._last}
