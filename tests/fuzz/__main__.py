"""`python -m tests.fuzz [INPUTS [BORDER ...]]`: so many inputs, a line for each border."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.fuzz.harness import BORDERS, COUNT, HEAD, Report, run_border


def main(arguments: list[str]) -> int:
    borders = arguments[1:] or list(BORDERS)
    count = -(-int(arguments[0]) // len(borders)) if arguments else COUNT
    print(HEAD)
    reports: list[Report] = []
    for border in borders:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "inputs"
            folder.mkdir()
            reports.append(run_border(border, count, folder, lambda o: print(o.number, o.said, flush=True)))
        print(reports[-1].line(), flush=True)
    faults = [fault for report in reports for fault in report.faults]
    print(f"{sum(len(report.outcomes) for report in reports)} inputs, {len(faults)} faults")
    print(*faults, sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
