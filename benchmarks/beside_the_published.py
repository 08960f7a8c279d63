"""How presets of LatentSync's size are sampled by default, beside how the published command samples, on
networks that are trained: `python -m benchmarks beside_the_published [--write]`.

No weights of that size can be had here, so its settings (DDIM in 20 steps, windows of 16 without overlap
whose borders stay, deep features at every third step) and ours are put on `motion`, `mini` (at its own noise
levels and at LatentSync's) and a small network of its layout with random weights. For each: work, distance
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
from torch import Tensor
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
from eadnet.media.charts import THEMES, Picture
from eadnet.media.images import write_png
from eadnet.modules.unet import DeepFeatures, EADUNet
from eadnet.presets import PRESETS
from eadnet.rendering import RenderSettings
from eadnet.sampling import LATENTSYNC_DDIM, Sampling, Savings
from eadnet.sampling.savings import Reuse
from eadnet.sampling.unipc import LOG_SNR
from experiments.motion.command import cases_of
from experiments.motion.measures import Case

UNHURRIED = 50
FRAMES = 1500  # of a clip whose work is counted
IMAGE = Path(__file__).parents[1] / "docs" / "images" / "work.png"
COMMAND = "published command: ddim, 20 steps, cache 3"


def ways(usual: Sampling) -> list[Way]:
    """The published command's first, then what is ours at these noise levels and with this overlap."""
    overlap = usual.overlap
    fixed = {"scheduler": "ddim", "steps": 20, "overlap": 0, "window_mode": "overlap", "savings": Savings()}
    found = [
        Way(COMMAND, {**fixed, "savings": Savings(3)}),
        Way("published, uncached", fixed),
        Way(f"ddim, 20 steps, overlap {overlap}", {**fixed, "overlap": overlap}),
        Way("ddim, 20 steps, moving, cache 3", {**fixed, "window_mode": "moving", "savings": Savings(3)}),
    ]
    trailing = {**usual.scheduler_config, "timestep_spacing": "trailing"}
    even = {**usual.scheduler_config, "timestep_spacing": LOG_SNR}
    quick = {**fixed, "scheduler": "unipc"}
    for interval in (1, 2):
        how = {**quick, "steps": 8, "overlap": overlap, "scheduler_config": trailing}
        name = f"unipc, 8 steps, trailing, overlap {overlap}" + (", cache 2" if interval == 2 else "")
        found.append(Way(name, {**how, "savings": Savings(interval)}))
    for steps in (3, 4, 5, 6):
        how = {**quick, "steps": steps, "scheduler_config": even}
        name = f"unipc, {steps} steps, even"
        found += [Way(f"{name}, overlap {n}", {**how, "overlap": n}) for n in sorted({0, 1, 2, 4, overlap})]
        found.append(Way(f"{name}, moving", {**how, "window_mode": "moving"}))
        thin = {"overlap": overlap, "savings": Savings(guidance_every=2)}
        found.append(Way(f"{name}, overlap {overlap}, guidance every 2nd", {**how, **thin}))
    how = {**quick, "steps": 8, "scheduler_config": even, "savings": Savings(2)}
    found += [Way(f"unipc, 8 steps, even, overlap {n}, cache 2", {**how, "overlap": n}) for n in (2, 4)]
    return found


def flops(preset: str, branches: int) -> tuple[int, int]:
    """Of an evaluation of a preset's U-Net for a window of 16 frames, and of one with kept deep features;
    counted on torch's meta device.
    """
    side = PRESETS[preset].resolution // 8
    with torch.device("meta"):
        unet = EADUNet.from_config(PRESETS[preset].unet_config).eval()
        x = torch.empty(branches, 13, 16, side, side)
        audio = torch.empty(branches, 16, 50, unet.config["cross_attention_dim"])
        emotion = None if unet.emotion_dim is None else torch.empty(branches, 77, unet.emotion_dim)
    return counted(unet, x, audio, emotion)


def counted(unet: EADUNet, x: Tensor, audio: Tensor, emotion: Tensor | None) -> tuple[int, int]:
    """FLOPs of a whole evaluation, and of one with its deep features."""
    deep, counts = DeepFeatures(), []
    for _ in range(2):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            unet(x, torch.zeros(len(x), device=x.device), audio, emotion, deep=deep)
        counts.append(counter.get_total_flops())
    return counts[0], counts[1]


def work(plan_frames: int, sampling: Sampling, whole: float, shallow: float, branches: int = 2) -> float:
    """FLOPs per output frame, when all branches of a window of 16 take so many."""
    plan, savings = sampling.plan(plan_frames), sampling.savings
    total = 0.0
    for step in range(plan.steps):
        frames = sum(stop - start for start, stop in plan.parts(step))
        share = 1.0 if savings.reuse(step, plan.steps) is Reuse.NOTHING else 1 / branches
        total += frames / 16 * share * (whole if step % savings.cache_interval == 0 else shallow)
    return total / plan_frames


def at_latentsyncs(subject: Subject) -> Subject:
    """The same network at LatentSync's noise levels and timesteps; what it predicts stays what it learned."""
    config = {**LATENTSYNC_DDIM, "prediction_type": subject.usual.scheduler_config["prediction_type"]}
    performed = subject.performed
    assert performed is not None

    def at(changes: dict[str, Any]) -> list[np.ndarray]:
        return performed({"scheduler_config": config, **changes})

    usual = replace(subject.usual, scheduler_config=config)
    return replace(subject, name=f"{subject.name}, LatentSync's noise levels", usual=usual, performed=at)


def default_work(frames: int = FRAMES) -> list[tuple[str, float, float]]:
    """(way, TFLOP of the U-Net per output frame, that over the published command's) at 256 and 512 pixels."""
    rows: list[tuple[str, float, float]] = []
    for old, new in (("latentsync-1.5", "ead-256"), ("latentsync-1.6", "ead-512")):
        plain, ead = flops(old, 2), flops(new, 3)
        usual = Sampling(PRESETS[old].scheduler_config, steps=20, overlap=0)
        own = RenderSettings().sampling(PRESETS[old])
        command = work(frames, replace(usual, savings=Savings(3)), *plain)
        before = replace(usual, overlap=4)
        eight = replace(before, scheduler="unipc", steps=8)
        thin = Savings(guidance_every=2)
        found = {
            COMMAND: command,
            "published, without its cache": work(frames, usual, *plain),
            f"{old}, ddim, 20 steps, overlap 4": work(frames, before, *plain),
            f"{old}, unipc, 8 steps": work(frames, eight, *plain),
            f"{old}, by default: 4 steps": work(frames, own, *plain),
            f"{old}, 3 steps, guidance every 2nd": work(frames, replace(own, steps=3, savings=thin), *plain),
            f"{new}, three branches, ddim, 20 steps": work(frames, before, *ead, branches=3),
            f"{new}, three branches, unipc, 8 steps": work(frames, eight, *ead, branches=3),
            f"{new}, three branches, by default: 4 steps": work(frames, own, *ead, branches=3),
            f"{new}, the same, guidance every 2nd step": work(
                frames, replace(own, savings=thin), *ead, branches=3
            ),
        }
        size = PRESETS[old].resolution
        rows += [(f"{size}: {name}", value * 1e-12, value / command) for name, value in found.items()]
    return rows


def work_table(rows: list[tuple[str, float, float]]) -> list[str]:
    lines = ["| | TFLOP a frame | over the published command's |", "|---|---:|---:|"]
    return lines + [f"| {name} | {value:.2f} | {ratio:.2f} |" for name, value, ratio in rows]


def work_chart(rows: list[tuple[str, float, float]]) -> np.ndarray:
    """A picture uint8 [H, W, 3]: a bar for each way, the published command's in another colour."""
    theme, most = THEMES["light"], max(ratio for _, _, ratio in rows)
    picture = Picture(900, 60 + 26 * len(rows), theme)
    picture.text(
        16, 12, "work of the U-Net per output frame, over that of the published command", 15, theme.ink
    )
    for place, (name, value, ratio) in enumerate(rows):
        top, right = 46 + 26 * place, 400 + 380 * ratio / most
        picture.text(392, top + 3, name, 12, theme.ink, "ra")
        colour = theme.muted if "published" in name else theme.line
        picture.box(400, top, right, top + 18, colour, 3)
        picture.text(right + 6, top + 3, f"{ratio:.2f}   ({value:.1f} TFLOP)", 12, theme.ink)
    return (picture.pixels() * 255).round().astype(np.uint8)


def measured(subject: Subject, chosen: list[Way], seeds: int, cases: list[Case]) -> Iterator[dict[str, Any]]:
    """A row for each way; what depends on the seed as [mean, least, most]. ``work`` is that of the U-Net per
    output frame of a minute at LatentSync's size, over the published command's.
    """
    whole, shallow = flops("latentsync-1.5", 2)
    usual = replace(subject.usual, savings=Savings(), scheduler="ddim")
    aims = [subject.run(replace(usual, steps=UNHURRIED, seed=seed)) for seed in range(seeds)]
    again = subject.run(replace(usual, steps=20, seed=seeds))
    command = work(FRAMES, replace(usual, **chosen[0].changes), whole, shallow)
    for way in chosen:
        sampling = replace(usual, **way.changes)
        found = [_one(subject, replace(sampling, seed=seed), aim) for seed, aim in enumerate(aims)]
        row: dict[str, Any] = {
            "model": subject.name,
            "way": way.name,
            "whole": found[0]["whole"],
            "shallow": found[0]["shallow"],
            "work": work(FRAMES, sampling, whole, shallow) / command,
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
        "| way | evaluations a frame (shallow) | work | distance | seams | jitter | mouth r "
        "| lips shut (wrongly) | expression r |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        cells = [
            row["way"],
            f"{row['whole']:.1f} ({row['shallow']:.1f})",
            f"{row['work']:.2f}",
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
    parser.add_argument("--models", nargs="*", default=["motion", "mini", "mini-latentsync", "random"])
    parser.add_argument("--cases", type=int, default=6, help="held-out recordings")
    parser.add_argument("--frames", type=int, default=101)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--speech", type=Path, help="where the recordings are, or are made")
    parser.add_argument("--ways", nargs="*", default=[], help="only these, by name, beside the command's")
    parser.add_argument("--flops", action="store_true", help="of the defaults at full size, alone")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if options.flops:
        rows = default_work()
        print("\n".join(work_table(rows)))
        if options.write:
            write_png(IMAGE, work_chart(rows))
        return
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        cases = cases_of(options.speech or Path(folder), options.cases) if options.cases else []
    for name in options.models:
        if name == "random":
            subject = random_latentsync(options.frames)
        elif name == "motion":
            subject = motion(options.frames, cases)
        else:
            subject = mini(options.frames, cases)
        if name == "mini-latentsync":
            subject = at_latentsyncs(subject)
        every = ways(subject.usual)
        chosen = every[:1] + [way for way in every[1:] if not options.ways or way.name in options.ways]
        found = []
        for row in measured(subject, chosen, options.seeds, cases):
            found.append(row)
            print(json.dumps({k: v for k, v in row.items() if k != "mouths"}), flush=True)
        print(f"\n{subject.name}\n\n{as_table(found)}\n", flush=True)
        if options.write:
            place = RESULTS / f"beside_the_published_{name}.json"
            place.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
