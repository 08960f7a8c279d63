"""One process or many: accelerate's view of a run, and the trackers it writes to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError, no_such

if TYPE_CHECKING:
    from accelerate import Accelerator

SHARDED = ("FSDP", "DEEPSPEED")  # how accelerate calls what keeps weights in parts on all processes


def is_sharded(accelerator: Accelerator) -> bool:
    """Whether weights lie in parts on all processes, and are saved so."""
    return accelerator.distributed_type.value in SHARDED  # an enumeration of accelerate's, and no text


def make_accelerator(
    *,
    precision: str = "no",
    accumulation: int = 1,
    cpu: bool = False,
    trackers: str = "",
    folder: Path | None = None,
) -> Accelerator:
    """Accelerate's view of this run: its processes, and how it computes.

    Args:
        precision: "no", "bf16" or "fp16", of the forward pass; weights stay float32.
        accumulation: batches of which one step's gradient is made.
        cpu: whether to stay off a GPU that is there.
        trackers: names that accelerate knows (tensorboard, wandb, trackio ...), commas between, or none.
        folder: where trackers that write files write them.

    Raises InputError where accelerate or a tracker's package is missing, a name is none that it knows, or
    there is no GPU for fp16.
    """
    try:
        from accelerate import Accelerator, PartialState
        from accelerate.utils import GradientAccumulationPlugin, LoggerType
    except ModuleNotFoundError as error:
        raise InputError("Training needs the package accelerate: pip install 'ead-net[train]'.") from error
    if precision == "fp16" and PartialState(cpu=cpu).device.type == "cpu":
        # accelerate takes it, and computes in float32
        raise InputError("fp16 needs a GPU: use --precision bf16, or leave it out.")
    wanted = [name.strip() for name in trackers.split(",") if name.strip()]
    known = [kind.value for kind in LoggerType]
    for name in wanted:
        if name not in known:
            raise InputError(no_such("tracker", name, known))
    try:
        made = Accelerator(
            mixed_precision=precision,
            gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=accumulation),
            cpu=cpu,
            log_with=wanted or None,
            project_dir=folder,
        )
    except ValueError as error:
        raise InputError(f"Accelerate refuses these settings: {error}") from error
    if made.distributed_type.value == "FSDP" and made.state.fsdp_plugin.fsdp_version != 2:
        raise InputError(
            "Weights are sharded by FSDP 2 here, and accelerate's configuration says 1: set fsdp_version: 2 "
            "in it."
        )
    missing = set(wanted) - {str(getattr(name, "value", name)) for name in made.log_with}
    if missing:
        raise InputError(f"The tracker {min(missing)} is not installed: pip install {min(missing)}.")
    if wanted:
        _start_trackers(made, wanted, folder)
    return made


def _start_trackers(accelerator: Accelerator, names: list[str], folder: Path | None) -> None:
    """Open the run of every tracker; those that write files write them into the folder of the results.

    Raises InputError where one does not start: no account, no network, a service that refuses.
    """
    more: dict[str, dict[str, str]] = {}
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        more["wandb"] = {"dir": str(folder)}  # else it writes into the folder that is worked in
    try:
        accelerator.init_trackers("ead-net", init_kwargs=more)
    except Exception as error:  # every kind: the packages are others' and so are their errors
        advice = " (WANDB_MODE=offline needs no account)" if "wandb" in names else ""
        raise InputError(
            f"The tracker does not start: {error} Put that right{advice}, or leave --trackers out."
        ) from error
