"""EAD-Net's own parts in a file of their own, to be put on a LatentSync U-Net.

The parts are small beside the U-Net, start as identities, and can be trained with the U-Net frozen; so they
can be passed on without the weights they sit on. The file is a checkpoint (see `eadnet.checkpoints`) whose
header describes no component but an "adapter": the `ead` section of the U-Net's configuration.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch

from .checkpoints import FORMAT, HEADER, is_matrix, read_info, write_safetensors
from .errors import CheckpointError
from .modules.unet import EADUNet
from .network_config import build_without_memory
from .weights import check_keys, open_weights

# What a name of a weight contains when LatentSync has no such weight.
_PARTS = {"emotion_attn", "emotion_embedding", "stda"}


def is_ead_key(key: str) -> bool:
    """Whether a weight of the U-Net belongs to EAD-Net's parts."""
    return not _PARTS.isdisjoint(key.split("."))


def save_adapter(path: str | os.PathLike[str], unet: EADUNet, info: Mapping[str, Any]) -> None:
    """Write the EAD parts of ``unet`` as float16. ``info`` gives preset and resolution: `Preset.info`."""
    state = unet.state_dict()
    tensors = {
        key: value.detach().cpu().half().contiguous() for key, value in state.items() if is_ead_key(key)
    }
    if not tensors:
        raise CheckpointError("This U-Net has no EAD-Net parts to save: switch them on in its configuration.")
    header = {**info, "format": FORMAT, "components": {}, "adapter": unet.config["ead"]}
    write_safetensors(path, tensors, {HEADER: json.dumps(header)})


def read_adapter_info(path: str | os.PathLike[str], unet_info: Mapping[str, Any]) -> dict[str, Any]:
    """The adapter's header, without reading a tensor.

    Raises CheckpointError for a file that is no adapter or was trained for another resolution than the U-Net
    with the header ``unet_info``.
    """
    name, info = Path(path).name, read_info(path)
    if "adapter" not in info:
        raise CheckpointError(f"{name} is a checkpoint but not an adapter: choose an adapter, or none.")
    ours, theirs = info.get("resolution"), unet_info.get("resolution")
    if ours != theirs:
        raise CheckpointError(
            f"{name} was trained at {ours} pixels and the U-Net at {theirs}: choose two of the same "
            "resolution."
        )
    return info


Unet = TypeVar("Unet", bound=EADUNet)


def apply_adapter(
    unet: Unet,
    path: str | os.PathLike[str],
    unet_info: Mapping[str, Any],
    build: Callable[[Mapping[str, Any]], Unet] | None = None,
) -> Unet:
    """A U-Net with the very weights of ``unet`` and the adapter's parts, in the types of ``unet``; ``build``
    makes it of a configuration, where it is no `EADUNet`.

    Raises CheckpointError for a file that does not fit, as `read_adapter_info`, or lacks weights.
    """
    adapter = read_adapter_info(path, unet_info)["adapter"]
    state = unet.state_dict()
    matrices, dtype = state["conv_in.weight"].dtype, state["conv_in.bias"].dtype
    config = {**unet.config, "ead": adapter}
    advice = "choose one made for this U-Net."
    with open_weights(path) as file:
        what = f"The adapter {file.path.name}"
        planned = build_without_memory(
            EADUNet.from_config, config, len(state) + len(file.stored), what, advice
        )
        expected = {key: value for key, value in planned.state_dict().items() if is_ead_key(key)}
        check_keys(expected, file.stored, what, advice)
        parts = {
            key: file.tensor(key, matrices if is_matrix(key, kept.shape) else dtype)
            for key, kept in file.stored.items()
        }
    with torch.device("meta"):
        adapted: Any = (build or EADUNet.from_config)(config)
    own = {key: value for key, value in state.items() if not is_ead_key(key)}
    adapted.load_state_dict({**own, **parts}, assign=True)
    result: Unet = adapted.eval()
    return result
