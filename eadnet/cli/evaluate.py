"""``eadnet evaluate``: score a folder of videos."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from .command import Command, say


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("generated", type=Path, metavar="GENERATED_DIR", help="videos of one face each")
    parser.add_argument("--reference", type=Path, metavar="DIR", help="ground-truth videos of the same names")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the report goes")
    parser.add_argument(
        "--models", type=Path, metavar="DIR", help="syncnet_v2.safetensors and other networks"
    )
    parser.add_argument("--mini", type=Path, metavar="FILE", help="checkpoint with mini's SyncNet")
    parser.add_argument(
        "--protocol",
        choices=("mead", "hdtf"),
        help="a table of the papers' test clips beside the real ones",
    )
    parser.add_argument(
        "--list",
        metavar="LIST",
        help="the protocol's clips: eat-100, eat-985, musetalk-20, edtalk-77, or a file of names",
    )
    parser.add_argument(
        "--silent", type=Path, metavar="DIR", help="videos made with silent sound, for the protocol"
    )
    parser.add_argument("--no-faces", action="store_true", help="score the centred square of every frame")


def run(options: argparse.Namespace) -> None:
    from ..errors import InputError
    from ..evaluation.folder import evaluate

    def show(done: int, total: int) -> None:
        sys.stderr.write(f"{done}/{total}\n")

    if options.protocol:
        _by_protocol(options, show)
        return
    if options.list or options.silent:
        raise InputError("--list and --silent belong to a --protocol: name one.")

    result = evaluate(
        options.generated,
        options.out,
        options.reference,
        options.models,
        options.mini,
        faces=not options.no_faces,
        on_clip=show,
    )
    for metric in result.metrics():
        total = result.totals[metric.key]
        say(
            f"{metric.title:28}{total.mean:10.{metric.digits}f}  "
            f"[{total.low:.3g}, {total.high:.3g}]  n={total.count}"
        )
    for found in result.sets:
        say(f"{found.title:28}{found.value:10.3f}  {found.generated} and {found.reference} features")
    for clip in result.not_scored():
        say(f"{clip.name}: not scored: {clip.problem}")
    for title, reason in result.missing.items():
        say(f"{title}: not computed: {reason}")
    say(options.out / "index.html")


def _by_protocol(options: argparse.Namespace, show: Callable[[int, int], None]) -> None:
    from ..errors import InputError
    from ..evaluation.paper_table import TABLE, paper_table
    from ..evaluation.protocols import find_protocol

    if options.reference is None:
        raise InputError("A protocol compares with the real clips: give their folder with --reference.")
    table = paper_table(
        find_protocol(options.protocol, options.list),
        options.generated,
        options.reference,
        options.out,
        options.models,
        options.mini,
        not options.no_faces,
        options.silent,
        show,
    )
    say(table.markdown(options.generated.name))
    say(options.out / TABLE)


COMMAND = Command("evaluate", "score a folder of videos, with a report", arguments, run)
