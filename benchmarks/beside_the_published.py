"""How presets of LatentSync's size are sampled by default, beside how the published command samples, on
networks that are trained: `python -m benchmarks beside_the_published [--write]`.

No weights of that size can be had here, so its settings (DDIM in 20 steps, windows of 16 without overlap
whose borders stay, deep features at every third step) and ours are put on `motion`, `mini` and a small
network of its layout with random weights. For each: FLOPs of the U-Net over the published command's, distance
to an unhurried run (50 steps, overlapping windows, nothing left out), the change at borders beside the
unhurried run's at the same frames, and jitter over its; and on trained ones the mouth and the expression of
held-out recordings. What the command itself makes is in `side_by_side --closeness`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.fewer_evaluations import (
    RESULTS,
    Subject,
    Way,
    away,
    jitter,
    mini,
    motion,
    of_cases,
    random_latentsync,
    seam_ratio,
)
from eadnet.modules.unet import DeepFeatures, EADUNet
from eadnet.sampling import Sampling, Savings
from experiments.motion.command import cases_of
from experiments.motion.measures import Case

UNHURRIED = 50
COMMAND = "published command: ddim, 20 steps, cache 3"


def ways(overlap: int) -> list[Way]:
    """The published command's first. ``overlap`` is what a model of ours usually has."""
    fixed = {"scheduler": "ddim", "steps": 20, "overlap": 0, "window_mode": "overlap"}
    found = [
        Way(COMMAND, {**fixed, "savings": Savings(3)}),
        Way("published, uncached", {**fixed, "savings": Savings()}),
        Way(f"ddim, 20 steps, overlap {overlap}", {**fixed, "overlap": overlap, "savings": Savings()}),
        Way("ddim, 20 steps, moving", {**fixed, "window_mode": "moving", "savings": Savings()}),
        Way("ddim, 20 steps, moving, cache 3", {**fixed, "window_mode": "moving", "savings": Savings(3)}),
    ]
    for mode, lap in (("moving", 0), ("overlap", 2), ("overlap", overlap)):
        for steps, interval in ((8, 1), (8, 2), (10, 2), (12, 2)):
            name = f"unipc, {steps} steps, {'moving' if mode == 'moving' else f'overlap {lap}'}"
            changes = {
                "scheduler": "unipc",
                "steps": steps,
                "window_mode": mode,
                "savings": Savings(interval),
            }
            found.append(
                Way(f"{name}, cache {interval}" if interval > 1 else name, {**changes, "overlap": lap})
            )
    return found


def shallow_share(unet: EADUNet, frames: int) -> float:
    """FLOPs of an evaluation with kept deep features over those of a whole one."""
    side = unet.config["sample_size"] if unet.config["sample_size"] < 64 else 8
    x = torch.zeros(1, unet.config["in_channels"], frames, side, side)
    audio = torch.zeros(1, frames, 10, unet.config["cross_attention_dim"])
    emotion = None if unet.emotion_dim is None else torch.zeros(1, 8, unet.emotion_dim)
    deep, counts = DeepFeatures(), []
    for _ in range(2):
        with FlopCounterMode(display=False) as counted, torch.no_grad():
            unet(x, 500, audio, emotion, deep=deep)
        counts.append(counted.get_total_flops())
    return counts[1] / counts[0]


def measured(
    subject: Subject, chosen: list[Way], seeds: int, seed_of_frames: int, cases: list[Case]
) -> Iterator[dict[str, Any]]:
    """A row for each way; what depends on the seed as [mean, least, most]."""
    share = shallow_share(subject.unet.unet, seed_of_frames)  # type: ignore[arg-type]
    usual = replace(subject.usual, savings=Savings(), scheduler="ddim")
    aims = [subject.run(replace(usual, steps=UNHURRIED, seed=seed)) for seed in range(seeds)]
    again = subject.run(replace(usual, seed=seeds))  # in 20 steps
    spent: dict[str, float] = {}
    for way in chosen:
        sampling = replace(usual, **way.changes)
        found = [_one(subject, replace(sampling, seed=seed), aim) for seed, aim in enumerate(aims)]
        whole, shallow = found[0]["whole"], found[0]["shallow"]
        spent[way.name] = whole + share * shallow
        row: dict[str, Any] = {
            "model": subject.name,
            "way": way.name,
            "whole": whole,
            "shallow": shallow,
            "flops": spent[way.name] / spent[chosen[0].name],
            "time": float(np.median([one["time"] for one in found])),
            "another seed": away(again, aims[0]),
        }
        for name in ("distance", "seam", "jitter"):
            values = [one[name] for one in found]
            row[name] = [float(np.mean(values)), min(values), max(values)]
        if subject.performed is not None and cases:
            row |= of_cases(subject.performed(way.changes | {"scheduler": sampling.scheduler}), cases)
        yield row


def _one(subject: Subject, sampling: Sampling, aim: np.ndarray) -> dict[str, float]:
    subject.unet.whole = subject.unet.shallow = 0
    started = time.process_time()
    made = subject.run(sampling)
    spent = time.process_time() - started
    plan = sampling.plan(len(made))
    borders = {border for part in plan.parts(plan.steps - 1) for border in part}
    return {
        "whole": subject.unet.whole / len(made),
        "shallow": subject.unet.shallow / len(made),
        "time": spent,
        "distance": away(made, aim),
        "seam": seam_ratio(made, aim, borders),
        "jitter": jitter(made) / jitter(aim),
    }


def as_table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| way | evaluations a frame (shallow) | FLOPs | distance | seams | jitter | mouth r "
        "| lips shut (wrongly) | expression r |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        cells = [
            row["way"],
            f"{row['whole']:.1f} ({row['shallow']:.1f})",
            f"{row['flops']:.2f}",
            *(f"{a:.3f} [{b:.3f}..{c:.3f}]" for a, b, c in (row[k] for k in ("distance", "seam", "jitter"))),
            *(
                (f"{row['mouth']:.3f}", f"{row['shut']:.2f} ({row['shut wrongly']:.2f})")
                if "mouth" in row
                else ("", "")
            ),
            f"{row['expression']:.3f}" if "mouth" in row else "",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="*", default=["motion", "mini", "random"])
    parser.add_argument("--cases", type=int, default=6, help="held-out recordings")
    parser.add_argument("--frames", type=int, default=101)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--speech", type=Path, help="where the recordings are, or are made")
    parser.add_argument("--ways", nargs="*", default=[], help="only these, by name, beside the command's")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        cases = cases_of(options.speech or Path(folder), options.cases) if options.cases else []
    for name in options.models:
        if name == "random":
            subject = random_latentsync(options.frames)
        else:
            subject = motion(options.frames, cases) if name == "motion" else mini(options.frames, cases)
        every = ways(subject.usual.overlap)
        chosen = every[:1] + [way for way in every[1:] if not options.ways or way.name in options.ways]
        rows = []
        for row in measured(subject, chosen, options.seeds, subject.usual.window, cases):
            rows.append(row)
            print(json.dumps({k: v for k, v in row.items() if k != "mouths"}), flush=True)
        print(f"\n{subject.name}\n\n{as_table(rows)}\n", flush=True)
        if options.write:
            place = RESULTS / f"beside_the_published_{name}.json"
            place.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
