"""What every training run shares: a time budget, exact resume, a moving average and a CSV log."""

from __future__ import annotations

import csv
import logging
import math
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

logger = logging.getLogger(__name__)


class Average:
    """Exponential moving average of a module's weights (Polyak averaging), warmed up over the first steps."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {k: v.detach().clone() for k, v in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        for key, value in module.state_dict().items():
            kept = self.weights[key]
            if kept.is_floating_point():
                kept.lerp_(value, 1 - decay)
            else:
                kept.copy_(value)


class CsvLog:
    """Rows of numbers in a file that survives an interruption; the columns are those of the first row."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.columns: list[str] | None = None
        if path.exists():
            with path.open(newline="") as file:
                self.columns = next(csv.reader(file), None)

    def write(self, row: Mapping[str, float]) -> None:
        fresh = self.columns is None
        if self.columns is None:
            self.columns = list(row)
        with self.path.open("a", newline="") as file:
            writer = csv.DictWriter(file, self.columns, extrasaction="ignore")
            if fresh:
                writer.writeheader()
            writer.writerow({k: f"{v:.6g}" for k, v in row.items()})
        logger.info("  ".join(f"{k} {v:.4g}" for k, v in row.items()))


class Run:
    """One resumable optimisation of one module.

    `minutes` is the budget of the whole run, over all its sessions; the learning rate warms up over the
    first `warmup` steps and falls along a cosine to 2 % as the budget is used. A file `state.pt` in `folder`
    holds everything a later session needs (weights, average, optimiser, random state, step, seconds used).
    """

    def __init__(
        self,
        folder: Path,
        module: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        minutes: float,
        warmup: int = 100,
        decay: float = 0.999,
        save_every: float = 180.0,
        seed: int = 0,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.module, self.optimizer = folder, module, optimizer
        self.minutes, self.warmup, self.save_every = minutes, warmup, save_every
        self.average = Average(module, decay)
        self.generator = torch.Generator().manual_seed(seed)
        self.step, self.seconds = 0, 0.0
        self.rates = [group["lr"] for group in optimizer.param_groups]
        self.log = CsvLog(folder / "log.csv")
        if self.state_path.exists():
            self._load()

    @property
    def state_path(self) -> Path:
        return self.folder / "state.pt"

    @property
    def progress(self) -> float:
        """Share of the time budget used, 0 ... 1."""
        return min(1.0, self.seconds / (60 * self.minutes))

    def steps(self) -> Iterator[int]:
        """Yield step numbers until the budget is used, setting the learning rate and saving on the way."""
        clock, saved = time.monotonic(), time.monotonic()
        torch.manual_seed(int(torch.randint(2**31, (), generator=self.generator)))
        while self.progress < 1:
            self._set_rate()
            yield self.step
            self.average.update(self.module, self.step)
            self.step += 1
            now = time.monotonic()
            self.seconds += now - clock
            clock = now
            if now - saved > self.save_every:
                self.save()
                saved = now
        self.save()

    def descend(self, loss: Tensor, clip: float = 1.0) -> float:
        """One optimiser step on `loss`; returns the gradient's norm.

        Raises:
            FloatingPointError: the loss is not finite. The last saved state stays good.
        """
        value = float(loss.detach())
        if not math.isfinite(value):
            raise FloatingPointError(
                f"The loss became {value} at step {self.step}; {self.state_path} is intact."
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.module.parameters(), clip)
        self.optimizer.step()
        return float(norm)

    def save(self) -> None:
        state: dict[str, Any] = {
            "module": self.module.state_dict(),
            "average": self.average.weights,
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "step": self.step,
            "seconds": self.seconds,
        }
        partial = self.state_path.with_suffix(".partial")
        torch.save(state, partial)
        os.replace(partial, self.state_path)

    def _load(self) -> None:
        state = torch.load(self.state_path, map_location="cpu", weights_only=True)
        self.module.load_state_dict(state["module"])
        self.average.weights = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        self.step, self.seconds = state["step"], state["seconds"]
        logger.info("resumed %s at step %d after %.1f min", self.folder, self.step, self.seconds / 60)

    def _set_rate(self) -> None:
        warm = min(1.0, (self.step + 1) / self.warmup)
        cosine = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * self.progress))
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * warm * cosine
