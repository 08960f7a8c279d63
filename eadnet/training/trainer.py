"""The loop that all tasks share: a budget, exact resume, a moving average, a CSV log and its curves."""

from __future__ import annotations

import csv
import errno
import math
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..printable import get_logger
from .curves import draw_curves

logger = get_logger(__name__)


class ExponentialMovingAverage:
    """Of a module's weights (Polyak averaging), warmed up over the first steps."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {k: v.detach().clone() for k, v in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        kept, new = [], []
        for key, value in module.state_dict().items():
            if value.is_floating_point():
                kept.append(self.weights[key])
                new.append(value)
            else:
                self.weights[key].copy_(value)
        torch._foreach_lerp_(kept, new, 1 - decay)  # one launch on a GPU, not one for each tensor


class CsvLog:
    """Rows of numbers in a file that survives an interruption; the columns are those of the first row."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.columns: list[str] | None = None
        if path.exists():
            with path.open(encoding="utf-8", newline="") as file:
                self.columns = next(csv.reader(file), None)

    def drop_from(self, step: int) -> None:
        """Drop the rows from a step on, which a resumed run repeats."""
        if not self.path.exists():
            return
        with self.path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        kept = [row for row in rows if float(row.get("step") or 0) < step]
        if len(kept) < len(rows):
            with self.path.open("w", newline="") as file:
                writer = csv.DictWriter(file, self.columns or [])
                writer.writeheader()
                writer.writerows(kept)

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


class Trainer:
    """One resumable optimisation of one module.

    `minutes` is the budget of the whole run, over all its sessions, and `steps`, if given, is the budget
    instead: then a run that was killed and resumed ends with the same numbers as one that was not. The
    learning rate warms up over the first `warmup` steps and falls along a cosine to 2 % as the budget is
    used. A file `state.pt` in `folder` holds everything a later session needs (weights, average, optimiser,
    random states, step, seconds used). `curves.png` shows the log.
    """

    def __init__(
        self,
        folder: Path,
        module: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        minutes: float,
        steps: int | None = None,
        warmup: int = 100,
        decay: float = 0.999,
        save_every: float = 180.0,
        seed: int = 0,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.module, self.optimizer = folder, module, optimizer
        self.minutes, self.warmup, self.save_every = minutes, warmup, save_every
        self.step_budget = steps
        self._random: Tensor | None = None
        self.average = ExponentialMovingAverage(module, decay)
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
        """Share of the budget used, 0 ... 1."""
        if self.step_budget is not None:
            return min(1.0, self.step / max(1, self.step_budget))
        return min(1.0, self.seconds / (60 * self.minutes))

    def steps(self) -> Iterator[int]:
        """Yield step numbers until the budget is used, setting the learning rate and saving on the way."""
        clock, saved = time.monotonic(), time.monotonic()
        if self._random is None:
            torch.manual_seed(int(torch.randint(2**31, (), generator=self.generator)))
        else:
            torch.set_rng_state(self._random)
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
                self.draw()
                saved = now
        self.save()
        self.draw()

    def optimize(self, loss: Tensor, clip: float = 1.0) -> float:
        """One optimiser step on `loss`; returns the gradient's norm.

        Raises:
            FloatingPointError: the loss or its gradient is not finite. The last saved state stays good.
        """
        self._finite("loss", float(loss.detach()))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = float(torch.nn.utils.clip_grad_norm_(self.module.parameters(), clip))
        self._finite("gradient", norm)
        self.optimizer.step()
        return norm

    def _finite(self, what: str, value: float) -> None:
        if math.isfinite(value):
            return
        kept = f"{self.state_path} is intact" if self.state_path.exists() else "nothing was saved yet"
        raise FloatingPointError(f"The {what} became {value} at step {self.step} of {self.folder}; {kept}.")

    def draw(self) -> None:
        """Draw the log's curves; a log without rows has none."""
        draw_curves(self.log.path, self.folder / "curves.png")

    def save(self) -> None:
        state: dict[str, Any] = {
            "module": self.module.state_dict(),
            "average": self.average.weights,
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "random": torch.get_rng_state(),
            "step": self.step,
            "seconds": self.seconds,
        }
        partial = self.state_path.with_suffix(".partial")
        try:
            torch.save(state, partial)
            os.replace(partial, self.state_path)
        except (OSError, RuntimeError) as error:
            partial.unlink(missing_ok=True)
            if not _disk_is_full(error):
                raise
            raise InputError(
                f"No space is left for {self.state_path} at step {self.step}: make room and start again, "
                "it goes on from the state saved before."
            ) from error

    def _load(self) -> None:
        state = torch.load(self.state_path, map_location="cpu", weights_only=True)
        self.module.load_state_dict(state["module"])
        for key, value in state["average"].items():
            self.average.weights[key].copy_(value)
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        self._random = state.get("random")
        self.step, self.seconds = state["step"], state["seconds"]
        self.log.drop_from(self.step)
        logger.info("resumed %s at step %d after %.1f min", self.folder, self.step, self.seconds / 60)

    def _set_rate(self) -> None:
        warm = min(1.0, (self.step + 1) / self.warmup)
        cosine = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * self.progress))
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * warm * cosine


def _disk_is_full(error: BaseException) -> bool:
    """torch reports a failed write as a RuntimeError of its own."""
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    if isinstance(error, OSError):
        return error.errno in full
    return "write" in str(error).lower() and "fail" in str(error).lower()
