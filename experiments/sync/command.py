"""Can the sync scores be trusted? `mini`'s SyncNet and the meter without weights, against known offsets.

    python -m experiments sync                           every part that needs no recordings
    python -m experiments sync offsets speed             some parts
    python -m experiments sync --recordings MEDIA --models MODELS --write

Each part leaves its section in --data; --write puts the sections that are there into docs/results/sync.md,
below what is written there by hand.
The test clips are rendered once (people, voices and sentences that no training clip has) and kept in --data.
MEDIA holds real recordings with a MANIFEST.json (file, best_audio_lag_ms), MODELS the face detector
(YuNet) and face-api's landmarks.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from eadnet.checkpoints import bundled_mini
from experiments.paths import RESULTS
from experiments.sync.clips import CLIPS, FRAMES, FURTHEST, VALIDATION_CLIPS, Bench
from experiments.sync.offsets import codec, mark, offsets, short, tracked, untrained
from experiments.sync.performance import speed, streaming
from experiments.sync.published import published
from experiments.sync.real import real_faces
from experiments.sync.recordings import meter

PAGE = RESULTS / "sync.md"


@dataclass(frozen=True)
class Part:
    title: str
    text: str
    measure: Callable[[Bench], list[str]]


PARTS = {
    "offsets": Part(
        "Known offsets: `mini`",
        f"Held-out clips of {FRAMES} frames, each with its sound moved by -{FURTHEST} to {FURTHEST} frames; "
        "what moves past an end is lost, silence fills the gap. AUC: how often the confidence with the own "
        "sound beats that with the next clip's.",
        offsets,
    ),
    "codec": Part("The same through the autoencoder", "As `mini` shows what it made.", codec),
    "tracked": Part(
        "The same in crops by the tracker",
        "As `eadnet evaluate` crops faces where it has YuNet's file.",
        tracked,
    ),
    "untrained": Part("Control: untrained", "Chance for an exact offset is 1 of 31.", untrained),
    "mark": Part(
        "From which confidence on the lips follow the sound",
        f"The mark is chosen on {VALIDATION_CLIPS} validation clips and tested on {CLIPS} test clips: other "
        "people, voices and sentences. Other sounds: every clip with the sound of every other.",
        mark,
    ),
    "short": Part(
        "The mark on short clips",
        f"The first frames of {VALIDATION_CLIPS} test clips; fewer offsets can be searched.",
        short,
    ),
    "speed": Part(
        "Speed and memory: `mini`",
        "Random crops of 128 pixels at 25 fps, each length in a process of its own.",
        speed,
    ),
    "streaming": Part(
        "Memory of `eadnet evaluate`",
        "A whole video file of drawn clips: sync by `mini`, flicker and warped difference, without a "
        "detector. Each length in a process of its own, after a video of 5 s.",
        streaming,
    ),
    "published": Part(
        "Against the published code",
        "SyncNet v2 on weights and inputs that are made from names, and the audio features of it and of "
        "LatentSync. Relative error: norm of the difference over norm of the published numbers.",
        published,
    ),
    "meter": Part(
        "Real recordings: the meter without weights",
        "Ridge regression from log-mel to the opening of the mouth, fitted on all other clips. Offsets are "
        "frames by which the sound is early; negative is late. Control: the highest r over 21 lags with "
        "another clip's sound.",
        meter,
    ),
    "faces": Part(
        "Real recordings: `motion`'s SyncNet",
        "Recordings of people who talk, cut into parts; what is expected is made from the sound of each part "
        "alone. The distance at the true place against those at places three frames away and more; the "
        "offset of 31; the confidence with the own sound against eight others'.",
        real_faces,
    ),
}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m experiments sync",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}; default: all")
    parser.add_argument("--checkpoint", type=Path, default=bundled_mini(), help="a file with mini's SyncNet")
    parser.add_argument(
        "--data", type=Path, default=Path(".work/sync"), help="where clips and sections are kept"
    )
    parser.add_argument("--codec-clips", type=int, default=24, help="clips to pass through the autoencoder")
    parser.add_argument("--recordings", type=Path, help="folder of real recordings with a MANIFEST.json")
    parser.add_argument("--models", type=Path, help="folder of face detectors")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--write", action="store_true", help="make docs/results/sync.md of the sections")
    options = parser.parse_args(argv)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no part {min(unknown)}: choose from {', '.join(PARTS)}")
    torch.set_num_threads(options.threads)
    bench = Bench(options)
    for name in options.parts or PARTS:
        real = (options.recordings, options.models)
        needed = {"meter": real, "faces": real, "tracked": (options.models,)}.get(name, ())
        if None in needed:
            print(f"{name}: skipped, it needs --models" + " and --recordings" * (len(needed) == 2))
            continue
        section = "\n".join(PARTS[name].measure(bench))
        kept = options.data / "sections" / f"{name}.md"
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(section, encoding="utf-8")
        print(f"## {PARTS[name].title}\n\n{section}\n", flush=True)
    if options.write:
        before = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(_page(before, options.data / "sections"), encoding="utf-8")


def _page(before: str, sections: Path) -> str:
    """The page with new sections; what is written above them by hand, and older sections, stay."""
    top, *older = before.split("\n## ")
    known = {title: body.strip() for title, _, body in (block.partition("\n") for block in older)}
    lines = [top.rstrip(), ""]
    for name, part in PARTS.items():
        kept = sections / f"{name}.md"
        if kept.is_file():
            body = f"{part.text}\n\n{kept.read_text(encoding='utf-8').strip()}"
        else:
            body = known.get(part.title, f"{part.text}\n\nNot measured.")
        lines += [f"## {part.title}", "", body, ""]
    return "\n".join(lines)
