"""``eadnet synth``: synthetic people, and data sets of them."""

from __future__ import annotations

import argparse

from ..errors import InputError
from .command import Command


def arguments(parser: argparse.ArgumentParser) -> None:
    from ..synthetic import commands

    commands.arguments(parser)


def run(options: argparse.Namespace) -> None:
    from ..synthetic import commands

    try:
        print(commands.run(options))
    except ModuleNotFoundError as error:
        raise InputError(
            f"The synthetic world needs the package {error.name}: pip install 'ead-net[synthetic]'."
        ) from error


COMMAND = Command("synth", "render synthetic people, make data sets of them", arguments, run)
