"""`python -m tests.fuzz [INPUTS [BORDER ...]]`: so many inputs, a line for each border."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.comfy.conftest import make_comfy
from tests.fuzz.harness import BORDERS, COUNT, HEAD, Outcome, Report, run_border
from tests.fuzz.widgets import run_widgets, watched_server
from tests.in_comfy import ROOT, has_comfy
from tools.comfyui import link_pack


def main() -> int:
    every = [*BORDERS, "widgets"]
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("inputs", nargs="?", type=int, help="in all; by default a few for each border")
    parser.add_argument("borders", nargs="*", metavar="border", help=f"of {', '.join(every)}; by default all")
    options = parser.parse_args()
    if unknown := set(options.borders) - set(every):
        parser.error(f"there is no border {', '.join(sorted(unknown))}")
    borders = options.borders or (every if has_comfy() else list(BORDERS))
    count = COUNT if options.inputs is None else -(-options.inputs // len(borders))
    print(HEAD)
    reports: list[Report] = []
    for border in borders:
        with tempfile.TemporaryDirectory() as place:
            run = _on_the_server if border == "widgets" else _in_a_process
            reports.append(run(border, count, Path(place)))
        print(reports[-1].line(), flush=True)
    faults = [fault for report in reports for fault in report.faults]
    print(f"{sum(len(report.outcomes) for report in reports)} inputs, {len(faults)} faults")
    print(*faults, sep="\n")
    return 1 if faults else 0


def _say(outcome: Outcome) -> None:
    print(outcome.number, outcome.said, flush=True)


def _in_a_process(border: str, count: int, place: Path) -> Report:
    (place / "inputs").mkdir()
    return run_border(border, count, place / "inputs", _say)


def _on_the_server(border: str, count: int, place: Path) -> Report:
    comfy = make_comfy(place / "comfy")
    link_pack(ROOT, comfy.custom_nodes, ours=True)
    with watched_server(comfy) as (server, escapes):
        return run_widgets(server, escapes, count, _say)


if __name__ == "__main__":
    sys.exit(main())
