"""``eadnet synth``: synthetic people, and data sets of them."""

from __future__ import annotations

import argparse
from importlib.util import find_spec

from ..errors import InputError
from .command import Command, say


def _left_out() -> bool:
    """Whether this is the node registry's archive, which has no synthetic world."""
    return find_spec("..synthetic", __package__) is None


def arguments(parser: argparse.ArgumentParser) -> None:
    if _left_out():
        parser.add_argument("anything", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
        return
    from ..synthetic import commands

    commands.arguments(parser)


def run(options: argparse.Namespace) -> None:
    if _left_out():
        raise InputError(
            "This installation came without the synthetic world, which no node needs. Clone the repository "
            "to use `eadnet synth`."
        )
    from ..synthetic import commands

    try:
        say(commands.run(options))
    except ModuleNotFoundError as error:
        raise InputError(
            f"The synthetic world needs the package {error.name}: pip install 'ead-net[synthetic]'."
        ) from error


COMMAND = Command("synth", "render synthetic people, make data sets of them", arguments, run)
