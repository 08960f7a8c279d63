"""``eadnet info``: what a checkpoint holds."""

from __future__ import annotations

import argparse
import json
from typing import Any

from ..printable import printable
from .command import Command, say


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a file, or a bundled one: mini, motion")
    parser.add_argument("--json", action="store_true", help="the whole header, for programs")


def run(options: argparse.Namespace) -> None:
    from ..checkpoints import count_parameters, named_checkpoint, read_info

    path = named_checkpoint(options.checkpoint)
    info = read_info(path)
    if options.json:
        say(json.dumps(info, indent=1))
        return
    say(f"{path}\npreset      {printable(info.get('preset', 'unnamed'), 100)}")
    for name in ("resolution", "fps", "mask_region", "defaults"):
        if name in info:
            say(f"{name:12}{_flat(info[name])}")
    for name, count in count_parameters(path).items():
        say(f"{name:15}{info['components'][name]['class']:18}{count / 1e6:10.2f} M")


def _flat(value: Any) -> str:
    """In one line."""
    words = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
    return printable(words, 400)


COMMAND = Command("info", "what a checkpoint holds", arguments, run)
