"""The loop that all tasks share: a budget, exact resume, a moving average, a CSV log and its curves.

Processes, precision, accumulation and trackers are accelerate's: the same recipe runs alone, or on many cards
by `accelerate launch`, whose configuration file also says whether weights are sharded (FSDP). What a state
holds and when it is saved is decided here, so that a run which was killed ends with the same numbers.
"""

from __future__ import annotations

import csv
import errno
import math
import os
import shutil
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..printable import get_logger
from .curves import draw_curves
from .on_set import check_folder
from .processes import is_sharded, make_accelerator
from .sharding import own, whole

if TYPE_CHECKING:
    from accelerate import Accelerator

logger = get_logger(__name__)


class Position(Protocol):
    """Where something stands that a resumed run takes up: a stream of data.

    Its state is a dictionary, of which each process has other keys: they are saved as one.
    """

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class ExponentialMovingAverage:
    """Of a module's weights (Polyak averaging), warmed up over the first steps."""

    def __init__(self, module: nn.Module, decay: float, only: Collection[str] | None = None) -> None:
        self.decay = decay
        self.weights = {
            k: own(v.detach()).clone() for k, v in module.state_dict().items() if only is None or k in only
        }

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        kept, new = [], []
        state = module.state_dict()
        for key in self.weights:
            value = own(state[key])
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

    A task whose step is the module's own forward calls `trainer.model`, which in many processes is DDP's or
    FSDP's wrapper, and says so by `wrap`; of others the gradients are averaged after each step. `identity` is
    what a saved state must agree with, `position` where the data stands, with `trained_only` only
    the weights that take a gradient are averaged and saved: the others are the caller's to bring again.
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
        save_steps: int | None = None,
        seed: int = 0,
        accelerator: Accelerator | None = None,
        wrap: bool = False,
        trained_only: bool = False,
        identity: Mapping[str, Any] | None = None,
        position: Position | None = None,
        trackers: str = "",  # where no accelerator is given
    ) -> None:
        check_folder(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.module = folder, module
        self.accelerator = accelerator or _alone(trackers, folder)
        if self.accelerator.num_processes > 1 and steps is None:
            raise InputError("Many processes have no common clock: give the budget in steps, not in minutes.")
        self.minutes, self.warmup, self.save_every = minutes, warmup, save_every
        self.save_steps = save_steps or (500 if self.accelerator.num_processes > 1 else None)
        self.step_budget, self.wrap = steps, wrap
        self.identity, self.position = dict(identity or {}), position
        self.kept = {k for k, p in module.named_parameters() if p.requires_grad} if trained_only else None
        self._random: Tensor | None = None
        self.model: nn.Module = module
        if wrap:
            self.model, self.optimizer = self.accelerator.prepare(module, optimizer)
        else:
            self.optimizer = self.accelerator.prepare_optimizer(optimizer, device_placement=False)
        self.average = ExponentialMovingAverage(module, decay, self.kept)
        self.generator = torch.Generator().manual_seed(seed + 7919 * self.accelerator.process_index)
        self.step, self.seconds = 0, 0.0
        self.rates = [group["lr"] for group in optimizer.param_groups]
        self.log = CsvLog(folder / "log.csv")
        if self.state_path.exists():
            self._load()
        elif self.main:
            self.log.drop_from(0)

    @property
    def state_path(self) -> Path:
        return self.folder / "state.pt"

    @property
    def main(self) -> bool:
        """Whether this is the process that writes."""
        return bool(self.accelerator.is_main_process)

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
            due = self.step % self.save_steps == 0 if self.save_steps else now - saved > self.save_every
            if due:
                self.save()
                self.draw()
                saved = now
        self.save()
        self.draw()

    def optimize(self, loss: Tensor | Iterator[Tensor], clip: float = 1.0) -> float:
        """One optimiser step; returns the gradient's norm.

        `loss` is one number, or one for each accumulated batch, made as they are asked for: then what lies
        between two of them is gone before the next, and processes exchange gradients once.

        Raises:
            FloatingPointError: the loss or its gradient is not finite. The last saved state stays good.
        """
        batches = 1 if isinstance(loss, Tensor) else self.accelerator.gradient_accumulation_steps
        losses = iter([loss]) if isinstance(loss, Tensor) else loss
        self.optimizer.zero_grad(set_to_none=True)
        for index in range(batches):
            waits = self.wrap and index < batches - 1
            with self.accelerator.no_sync(self.model) if waits else nullcontext():
                one = next(losses)
                self._finite("loss", float(one.detach()))
                self.accelerator.backward(one)
        if self.accelerator.num_processes > 1 and not self.wrap:
            for parameter in self.module.parameters():
                if parameter.grad is not None:
                    parameter.grad = self.accelerator.reduce(parameter.grad, "mean")
        norm = whole(self.accelerator.clip_grad_norm_(self.model.parameters(), clip))
        if self.accelerator.scaler is None:  # fp16's scaler skips such a step and lowers its scale
            self._finite("gradient", float(norm))
        self.optimizer.step()
        return float(norm)

    def write(self, row: Mapping[str, float]) -> None:
        """A row of the log, which trackers get, too."""
        if self.main:
            self.log.write(row)
        self.accelerator.log({k: v for k, v in row.items() if k != "step"}, step=self.step)

    def _finite(self, what: str, value: float) -> None:
        if math.isfinite(value):
            return
        kept = f"{self.state_path} is intact" if self.state_path.exists() else "nothing was saved yet"
        raise FloatingPointError(f"The {what} became {value} at step {self.step} of {self.folder}; {kept}.")

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The module with the averaged weights, for as long as the `with` lasts."""
        state = {key: own(value) for key, value in self.module.state_dict().items()}
        before = {key: state[key].clone() for key in self.average.weights}
        try:
            for key, value in self.average.weights.items():
                state[key].copy_(value)
            yield
        finally:
            for key, value in before.items():
                state[key].copy_(value)

    def draw(self) -> None:
        """Draw the log's curves; a log without rows has none."""
        if self.main:
            draw_curves(self.log.path, self.folder / "curves.png")

    def save(self) -> None:
        """Write the state, whole or not at all. Raises InputError where the disk is full."""
        from accelerate.utils import gather_object

        mine: dict[str, Any] = {
            "generator": self.generator.get_state(),
            "random": torch.get_rng_state(),
            "position": self.position.state_dict() if self.position else {},
        }
        # One entry for each process, in their order.
        every = gather_object([mine]) if self.accelerator.num_processes > 1 else [mine]
        partial = self.state_path.with_suffix(".partial")
        try:
            if self.sharded:
                self.accelerator.save_state(str(self._shards(self.step)))
                torch.save(self.average.weights, self._own_average(self.step))
                self.accelerator.wait_for_everyone()
            if self.main:
                torch.save(self._state(every), partial)
                os.replace(partial, self.state_path)
                for old in self.folder.glob("shards-*"):
                    if old != self._shards(self.step):
                        shutil.rmtree(old)
        except (OSError, RuntimeError) as error:
            partial.unlink(missing_ok=True)
            if not _disk_is_full(error):
                raise
            raise InputError(
                f"No space is left for {self.state_path} at step {self.step}: make room and start again, "
                "it goes on from the state saved before."
            ) from error

    @property
    def sharded(self) -> bool:
        """Whether weights lie in parts on all processes, and are saved so."""
        return is_sharded(self.accelerator)

    def _own_average(self, step: int) -> Path:
        return self._shards(step) / f"average_{self.accelerator.process_index}.pt"

    def _state(self, every: list[dict[str, Any]]) -> dict[str, Any]:
        state: dict[str, Any] = {
            "average": {} if self.sharded else self.average.weights,
            "shards": self.accelerator.num_processes if self.sharded else 0,
            "generator": every[0]["generator"],
            "random": every[0]["random"],
            "others": [{k: one[k] for k in ("generator", "random")} for one in every[1:]],
            "step": self.step,
            "seconds": self.seconds,
            "identity": self.identity,
            "position": {name: at for one in every for name, at in one["position"].items()},
        }
        if not self.sharded:
            weights = self.module.state_dict()
            state["module"] = {k: v for k, v in weights.items() if self.kept is None or k in self.kept}
            state["optimizer"] = self.optimizer.state_dict()
            if self.accelerator.scaler is not None:
                state["scaler"] = self.accelerator.scaler.state_dict()
        return state

    def _shards(self, step: int) -> Path:
        return self.folder / f"shards-{step}"

    def _load(self) -> None:
        state = torch.load(self.state_path, map_location="cpu", weights_only=True)
        self._compare(state.get("identity") or {})
        shards = self.accelerator.num_processes if self.sharded else 0
        if state.get("shards", 0) != shards:
            raise InputError(
                f"{self.state_path} is of weights in {state.get('shards', 0) or 'no'} parts, and this run "
                f"has {shards or 'none'}: go on with as many processes, sharded alike, or choose another "
                "folder."
            )
        self.step, self.seconds = state["step"], state["seconds"]
        if "module" in state:
            other = InputError(f"{self.state_path} is of another network: choose another folder.")
            try:
                missing, stray = self.module.load_state_dict(state["module"], strict=self.kept is None)
                if stray or (self.kept and self.kept & set(missing)):
                    raise other
                self.optimizer.load_state_dict(state["optimizer"])
            except (RuntimeError, ValueError) as error:  # torch's, for names, shapes and groups
                raise other from error
        else:
            self.accelerator.load_state(str(self._shards(self.step)))
            state["average"] = torch.load(self._own_average(self.step), weights_only=True)
        if "scaler" in state and self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        for key, value in state["average"].items():
            self.average.weights[key].copy_(value)
        every = [{"generator": state["generator"], "random": state.get("random")}, *state.get("others", [])]
        if self.accelerator.process_index < len(every):
            mine = every[self.accelerator.process_index]
            self.generator.set_state(mine["generator"])
            self._random = mine["random"]
        if self.position:
            self.position.load_state_dict(state["position"])
        if self.main:
            self.log.drop_from(self.step)
        logger.info("resumed %s at step %d after %.1f min", self.folder, self.step, self.seconds / 60)

    def _compare(self, theirs: Mapping[str, Any]) -> None:
        """Refuse a state of another run. Raises InputError."""
        if not theirs:
            if self.identity:  # saved before states said whose they are
                logger.warning(
                    "%s does not say of which run it is: it is taken for this one's.", self.state_path
                )
            return
        for name in {**self.identity, **theirs}:
            old, new = (one.get(name, "unknown") for one in (theirs, self.identity))
            if old != new:
                raise InputError(
                    f"{self.state_path} is of a run with {name} {old}, not {new}: choose another folder, or "
                    "the same settings."
                )

    def _set_rate(self) -> None:
        warm = min(1.0, (self.step + 1) / self.warmup)
        cosine = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * self.progress))
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * warm * cosine


def _alone(trackers: str, folder: Path) -> Accelerator:
    """Of a task that moves its own networks: it stays where they are."""
    made = make_accelerator(trackers=trackers, folder=folder)
    made.device_placement = False
    return made


def _disk_is_full(error: BaseException) -> bool:
    """torch reports a failed write as a RuntimeError of its own."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return "write" in str(error).lower() and "fail" in str(error).lower()
