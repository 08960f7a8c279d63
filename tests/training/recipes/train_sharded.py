"""Train the adapter of the tests with weights in parts on all processes (FSDP 2), on processors.

accelerate itself leaves FSDP to cards: on processors its configuration file is passed over. So this tells its
state, which `prepare` asks how to treat a network, that FSDP was chosen. Run by torch's launcher. A fifth
word is the step at which it is to end as if it were killed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin

from eadnet.training.tasks import unet_on_set
from eadnet.training.trainer import Trainer
from tests.training.recipes.train_tiny import main


def sharded(**how: Any) -> Accelerator:
    made = make_accelerator(**how)
    AcceleratorState._shared_state["fsdp_plugin"] = FullyShardedDataParallelPlugin(
        fsdp_version=2,
        auto_wrap_policy="no_wrap",
        cpu_ram_efficient_loading=False,
        state_dict_type="SHARDED_STATE_DICT",
        reshard_after_forward=True,
    )
    AcceleratorState.distributed_type = property(
        lambda state: DistributedType.FSDP, lambda state, value: None
    )
    return made


def killed_at(step: int, optimize: Callable[..., float]) -> Callable[..., float]:
    def end(self: Trainer, *args: Any, **how: Any) -> float:
        if self.step == step:
            os._exit(9)
        return optimize(self, *args, **how)

    return end


make_accelerator = unet_on_set.make_accelerator

if __name__ == "__main__":
    unet_on_set.make_accelerator = sharded
    if sys.argv[5:]:
        Trainer.optimize = killed_at(int(sys.argv[5]), Trainer.optimize)  # type: ignore[method-assign]
    main(*sys.argv[1:5])
