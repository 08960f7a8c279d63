"""Runs the benchmarks in turn: `python -m benchmarks [NAME ...] [--write]`, by default all of them; a single
one with options of its own, as `python -m benchmarks soak --prompts 300`.
"""

from __future__ import annotations

import argparse
import runpy
import sys
from pathlib import Path

NAMES = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, add_help=False)
    parser.add_argument("-h", "--help", action="store_true", help="of this, or of the one named")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one or more of {', '.join(NAMES)}")
    parser.add_argument("--write", action="store_true", help="record the tables in benchmarks/results")
    options, own = parser.parse_known_args()
    unknown = sorted(set(options.names) - set(NAMES))
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}: choose from {', '.join(NAMES)}")
    if own and len(options.names) != 1:
        parser.error(f"{' '.join(own)}: options of its own need one benchmark's name before them")
    if options.help and len(options.names) != 1:
        parser.print_help()
        parser.exit()
    own += ["--help"] * options.help
    for name in options.names or NAMES:
        print(f"== {name}", flush=True)
        sys.argv = [name, *own, *(["--write"] if options.write else [])]
        runpy.run_module(f"benchmarks.{name}", run_name="__main__")


if __name__ == "__main__":
    main()
