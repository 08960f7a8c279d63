"""A larger audio encoder that begins as a trained smaller one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..errors import InputError
from .mini_audio import MiniAudioEncoder


def widened(encoder: MiniAudioEncoder, config: Mapping[str, Any]) -> MiniAudioEncoder:
    """A deeper or wider encoder that computes what `encoder` does: what is new adds nothing at first.

    Blocks beyond its own end in zeros. Channels beyond its own are normalised in groups of their own, and
    nothing old reads them until it is trained (as Net2Net, arXiv 1511.05641, with zeros instead of copies).

    Raises:
        InputError: the configuration is narrower, or its groups are of another size.
    """
    larger = MiniAudioEncoder.from_config({**encoder.config, **config})
    old, new = encoder.config, larger.config
    if new["width"] < old["width"] or new["width"] * old["groups"] != old["width"] * new["groups"]:
        raise InputError(
            f"An audio encoder {old['width']} wide in {old['groups']} groups cannot become "
            f"{new['width']} in {new['groups']}: make it wider by whole groups of "
            f"{old['width'] // old['groups']}."
        )
    ours, theirs = larger.state_dict(), encoder.state_dict()
    for name, value in ours.items():
        if name in theirs:
            _place(theirs[name], value)
        elif name.split(".")[-2] == "conv2":
            value.zero_()
    return larger


def _place(old: Tensor, new: Tensor) -> None:
    """Write `old` into the first rows and columns of `new`; its rows read nothing of the other columns."""
    rows = slice(0, len(old))
    if new.ndim > 1:
        new[rows, old.shape[1] :] = 0
        new[rows, : old.shape[1]] = old
    else:
        new[rows] = old
