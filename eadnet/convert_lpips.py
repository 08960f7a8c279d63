"""LPIPS out of the two files that it is published as: a classifier of torchvision's, and weights of channels.

`vgg16-397923af.pth` with `vgg.pth`, or `alexnet-owt-7be5be79.pth` with `alex.pth` of version 0.1.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch

from .checkpoints import FORMAT, HEADER, write_safetensors
from .errors import CheckpointError
from .modules.lpips import LPIPS, TRUNKS
from .published import State, detect
from .weights import check_keys, finite

NAMES = {"vgg16": "lpips-vgg.safetensors", "alexnet": "lpips-alex.safetensors"}


def convert_lpips(
    trunk: str | os.PathLike[str], weights: str | os.PathLike[str], dst: str | os.PathLike[str] | None = None
) -> Path:
    """Both files into a checkpoint with the component "lpips", in their own precision; by default beside the
    first, named `lpips-vgg.safetensors` or `lpips-alex.safetensors`.

    Raises CheckpointError for files that are missing, broken, or do not belong together.
    """
    classifier, channels = detect(trunk), detect(weights)
    for published, kind, what in (
        (classifier, "lpips_trunk", "VGG16 or AlexNet of torchvision's"),
        (channels, "lpips_weights", "weights of LPIPS' channels (vgg.pth or alex.pth)"),
    ):
        if published.kind != kind:
            raise CheckpointError(f"{published.path.name} is a {published.kind} file, not {what}.")
    with torch.device("meta"):
        known = {name: LPIPS(name).state_dict() for name in TRUNKS}
    state = {key: value for key, value in classifier.tensors.items() if key.startswith("features.")}
    name = next((name for name in TRUNKS if _is_trunk(state, known[name])), "")
    if not name:
        raise CheckpointError(
            f"{classifier.path.name} is neither VGG16 nor AlexNet as torchvision publishes them: choose "
            "vgg16-397923af.pth or alexnet-owt-7be5be79.pth."
        )
    state |= {
        f"lin.{key.partition('.')[0].removeprefix('lin')}": value.flatten()
        for key, value in channels.tensors.items()
        if key.startswith("lin") and key.endswith(".model.1.weight")
    }
    both = f"{classifier.path.name} with {channels.path.name}"
    advice = "the two do not belong together, choose VGG's or AlexNet's both times."
    check_keys(known[name], state, both, advice)
    stored = {f"lpips.{key}": finite(value, f"{key} in {both}").contiguous() for key, value in state.items()}
    target = Path(dst) if dst else classifier.path.with_name(NAMES[name])
    if target.suffix != ".safetensors":
        raise CheckpointError(f"The checkpoint {target.name} must be named .safetensors: give another name.")
    header = {
        "preset": target.stem,
        "format": FORMAT,
        "components": {"lpips": {"class": "LPIPS", "config": {"trunk": name}}},
        "converted_from": both,
    }
    write_safetensors(target, stored, {HEADER: json.dumps(header)})
    return target


def _is_trunk(state: State, network: State) -> bool:
    shapes = {key: tuple(value.shape) for key, value in network.items() if key.startswith("features.")}
    return {key: tuple(value.shape) for key, value in state.items()} == shapes
