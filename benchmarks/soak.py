"""Whether a server grows: many small prompts, and its memory and open files after each.

    python -m benchmarks.soak --prompts 300 --write

Every prompt has its own text, seed and prefix; two in three make a video in one node, the third by single
nodes, and one in ten is cancelled. The first fifth warms the server up.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks._servers import Bench, graph, render, servers
from tests.comfy.client import Event, Failed

WORDS = ("happy", "sad", "angry", "calm", "afraid", "surprised", "disgusted")


def soak(bench: Bench, prompts: int) -> list[tuple[float, int]]:
    """(megabytes, handles) after every prompt."""
    found = []
    started = time.monotonic()
    for number in range(prompts):
        text = f"{WORDS[number % len(WORDS)]}, take {number}"
        seconds = (0.2, 0.4)[number % 2]
        make, prefix = (graph if number % 3 == 2 else render), f"soak/{number % 7}/take {number}"
        cancel = number % 10 == 9
        made = _run(bench, make(4.0 if cancel else seconds, number, prefix, text), cancel)
        if made != (0 if cancel else 1):
            raise SystemExit(f"prompt {number} made {made} videos")
        found.append((bench.megabytes(), bench.handles()))
        if number % 25 == 24:
            memory, handles = found[-1]
            pace = (time.monotonic() - started) / (number + 1)
            print(f"{number + 1}: {memory:.0f} MiB, {handles} handles, {pace:.1f} s each", flush=True)
    return found


def _run(bench: Bench, workflow: dict, cancel: bool) -> int:
    """How many videos a prompt made."""

    def press(event: Event) -> None:
        if cancel and event[0] == "progress" and event[1]["value"] > 2:
            bench.client.interrupt()

    try:
        made = bench.client.run(workflow, press)
    except Failed as failed:
        if cancel and failed.kind == "execution_interrupted":
            return 0
        raise
    return sum(item["filename"].endswith(".mp4") for item in made)


def summary(found: list[tuple[float, int]]) -> list[str]:
    """The table: a fifth of the prompts a row."""
    fifth = max(1, len(found) // 5)
    lines = ["| prompts | memory, median (MiB) | handles, median | handles, most |", "|---|---:|---:|---:|"]
    for start in range(0, fifth * 5, fifth):
        part = found[start : start + fifth]
        memory, handles = [m for m, _ in part], [h for _, h in part]
        lines.append(
            f"| {start + 1} to {start + len(part)} | {median(memory):.1f} | {median(handles):.0f} "
            f"| {max(handles)} |"
        )
    second, last = found[fifth : 2 * fifth], found[-fifth:]
    change = 100 * (median(m for m, _ in last) / median(m for m, _ in second) - 1)
    lines += ["", f"From the second fifth to the last, memory changes by {change:+.1f} %."]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--prompts", type=int, default=300)
    parser.add_argument("--write", action="store_true", help="record the table in benchmarks/results")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, servers(Path(folder)) as (bench,):
        lines = summary(soak(bench, options.prompts))
        left = sorted(path.name for path in bench.files() if "soak" not in path.parts)
        lines.append(f"Beside the videos, {len(left)} files are left of the cancelled prompts.")
    print("\n".join(lines))
    if options.write:
        target = Path(__file__).parent / "results" / "soak.md"
        head = "# A server after many prompts\n\nReproduce with `python -m benchmarks.soak --write`.\n\n"
        target.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
