"""The commands together. Adding one: a file beside this with a `Command`, and its place in `COMMANDS`."""

from __future__ import annotations

import argparse
import io
import logging
import sys
from collections.abc import Callable, Sequence
from typing import Any

from .. import __version__
from ..errors import CheckpointError, InputError
from ..printable import printable
from . import (
    caption,
    contact_sheet,
    convert,
    evaluate,
    export,
    fetch,
    generate,
    info,
    prepare,
    split_videos,
    synth,
    train,
)
from .command import Command

COMMANDS: tuple[Command, ...] = (
    generate.COMMAND,
    info.COMMAND,
    convert.COMMAND,
    fetch.COMMAND,
    contact_sheet.COMMAND,
    export.COMMAND,
    evaluate.COMMAND,
    caption.COMMAND,
    prepare.COMMAND,
    train.COMMAND,
    split_videos.COMMAND,
    synth.COMMAND,
)


class _CommandParser(argparse.ArgumentParser):
    """A sub-command's parser, which asks for its arguments when it is used: those of `generate` name samplers
    and lengths, and so import torch, which nobody needs who reads `eadnet --help` or runs `eadnet fetch`.
    Commands of a command, which are of this class too, have theirs already.
    """

    def __init__(
        self, *, fill: Callable[[argparse.ArgumentParser], object] | None = None, **settings: Any
    ) -> None:
        super().__init__(**settings)
        self._fill = fill

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        fill, self._fill = self._fill, None
        if fill is not None:
            fill(self)
        return super().parse_known_args(args, namespace)


def build_parser(commands: Sequence[Command] = COMMANDS) -> argparse.ArgumentParser:
    """The parser of the ``eadnet`` command."""
    parser = argparse.ArgumentParser(prog="eadnet", description="Emotion-aware talking heads.")
    parser.add_argument("--version", action="version", version=f"eadnet {__version__}")
    parser.add_argument("-v", "--verbose", action="store_true", help="log what is done")
    choices = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_CommandParser)
    for command in commands:
        child = choices.add_parser(
            command.name, help=command.help, description=command.help, fill=command.arguments
        )
        child.set_defaults(run=command.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 0, 2 for what the user can put right, 130 for Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):  # names of files may hold what the terminal cannot show
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    options = build_parser().parse_args(arguments)
    level = logging.INFO if options.verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(levelname)s %(message)s")
    try:
        options.run(options)
    except (InputError, CheckpointError) as error:
        print(f"eadnet: {error}", file=sys.stderr)
        return 2
    except OSError as error:  # a full disk, a place that is not to be read: whatever no sentence was made for
        print(f"eadnet: {printable(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("eadnet: stopped", file=sys.stderr)
        return 130
    return 0
