"""``eadnet train``: train on a prepared set."""

from __future__ import annotations

import argparse
from importlib.util import find_spec

from ..errors import InputError
from .command import Command, say


def _left_out() -> bool:
    """Whether this is the node registry's archive, which trains nothing."""
    return find_spec("..training", __package__) is None


def arguments(parser: argparse.ArgumentParser) -> None:
    if _left_out():
        parser.add_argument("anything", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
        return
    from ..training.recipes import set_command

    set_command.arguments(parser)


def run(options: argparse.Namespace) -> None:
    if _left_out():
        raise InputError(
            "This installation came without training, which no node needs. Clone the repository to use "
            "`eadnet train`."
        )
    from ..training.recipes import set_command

    say(set_command.run(options))


COMMAND = Command("train", "train on a prepared set", arguments, run)
