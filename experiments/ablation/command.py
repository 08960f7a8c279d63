"""`python -m experiments ablation`: the ablations, on what the stages of training have made in `--folder`.

Needs the stages render, autoencoder, encode and syncnet there; the video encoder and TFRM are trained if they
are missing. Cells that are finished are kept, so it can be stopped and started again, and seeds can be added.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path

import torch

from eadnet.errors import InputError
from eadnet.training.data.clips import ClipSet
from eadnet.training.recipes.budget import Budget
from eadnet.training.recipes.mini import denoiser_task, frozen_networks
from eadnet.training.recipes.networks import untrained_model
from eadnet.training.regressors.pictures import train_parameter_regressor
from eadnet.training.tasks.denoiser_task import DenoiserTask
from experiments.ablation.cells import Parts, Protocol, cells, measure, run_cell, same_protocol
from experiments.ablation.table import as_markdown
from experiments.ablation.variants import VARIANTS, Variant
from experiments.emotion_classifier import EmotionClassifier
from experiments.paths import RESULTS

logger = logging.getLogger(__name__)

REGRESSOR_STEPS = 1500


def parts_of(folder: Path, budget: Budget, start: Path | None = None) -> Parts:
    """What the cells share, from the folder of `mini`'s stages; all go on from the checkpoint `start` if
    there is one, else they have the trained encoders and a new U-Net. InputError where a stage is missing.
    """
    for stage, file in (
        ("render", "train/texts.json"),
        ("autoencoder", "vae/model.pt"),
        ("encode", "latents/train/target.npy"),
        ("encode", "latents/stills/stills.npy"),
        ("syncnet", "syncnet/model.pt"),
    ):
        if not (folder / file).exists():
            raise InputError(f"{folder} has no {file}: run `python -m eadnet.training {stage}` first.")
    if start:
        budget = replace(budget, text=0.0, audio=0.0)
    first, data, held_out = denoiser_task(folder, budget, start)
    clips = ClipSet(folder / "train")
    return Parts(
        data=data,
        held_out=held_out,
        frames=ClipSet(folder / "validation"),
        task=beginnings(first, whole=start is not None),
        networks=frozen_networks(folder, budget, first.crop),
        regressor=train_parameter_regressor(clips, folder / "ablation_regressor", steps=REGRESSOR_STEPS),
        classifier=EmotionClassifier(clips),
    )


def beginnings(first: DenoiserTask, whole: bool) -> Callable[[int], DenoiserTask]:
    """By seed, the task of `first` with a model of its own: all of `first`'s weights, or its encoders and a
    U-Net that begins at the seed's random weights.
    """
    encoders = ("audio_encoder.", "text_encoder.")
    shared = {k: v.clone() for k, v in first.model.state_dict().items() if whole or k.startswith(encoders)}

    def task(seed: int) -> DenoiserTask:
        torch.manual_seed(seed)
        model = untrained_model()
        model.load_state_dict(shared, strict=whole)
        return first.with_model(model)

    return task


def compare(
    parts: Parts,
    protocol: Protocol,
    root: Path,
    out: Path,
    variants: tuple[Variant, ...] = VARIANTS,
    start: str = "",
) -> None:
    """Run every cell, writing the table after each, so that it can be read on the way. `start` is the file
    that all went on from.
    """
    protocol.check()
    same_protocol(root, protocol, start)
    ceiling_file = root / "ceiling.json"
    if not ceiling_file.exists():
        found = measure(parts, protocol, None)
        ceiling_file.write_text(json.dumps(found))
    ceiling = json.loads(ceiling_file.read_text())
    results: dict[str, dict[int, dict[str, float]]] = {}
    for variant, seed in cells(variants, protocol.seeds):
        results.setdefault(variant.name, {})[seed] = run_cell(parts, protocol, variant, seed, root)
        out.parent.mkdir(parents=True, exist_ok=True)
        table = as_markdown(results, variants, ceiling)
        out.write_text("\n".join([*_head(protocol, start), *table]) + "\n", encoding="utf-8")
        logger.info("%s, seed %d is in %s", variant.name, seed, out)


def _head(protocol: Protocol, start: str) -> list[str]:
    beginning = f"`{start}`" if start else "the same trained encoders"
    return [
        "# What each part is worth",
        "",
        f"`mini` trained for {protocol.steps} steps from {beginning}, with and without each part; "
        f"{protocol.seeds} seeds in all. The full model has STDA from the start, TFRM after "
        f"sampling and in the loss (weight {protocol.tfrm:g}), the SyncNet loss ({protocol.sync:g}) and "
        f"TREPA ({protocol.trepa:g}). Measured on {protocol.clips} validation clips whose face is "
        f"regenerated in {protocol.sampling_steps} steps. Intervals are 95 % over seeds.",
        "",
        "Steps are equal, not minutes: a part also costs time. The confidence comes from the SyncNet that "
        "supervised, so it flatters those it trained; the mouth's r is independent of it. Repeat with "
        f"`{_command(protocol, start)}`.",
        "",
    ]


def _command(protocol: Protocol, start: str) -> str:
    """What repeats the comparison."""
    changed = {f.name: getattr(protocol, f.name) for f in fields(Protocol)}
    changed = {"steps": protocol.steps, "seeds": protocol.seeds} | {
        name: value for name, value in changed.items() if value != getattr(Protocol, name)
    }
    options = [f"--{name.replace('_', '-')} {value:g}" for name, value in changed.items()]
    return " ".join(["python -m experiments ablation", *options, *([f"--start {start}"] if start else [])])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m experiments ablation", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(".work/mini"), help="of mini's stages")
    parser.add_argument("--root", type=Path, default=Path(".work/ablations"), help="where cells are kept")
    parser.add_argument("--out", type=Path, default=RESULTS / "ablations.md")
    parser.add_argument("--start", type=Path, help="a checkpoint from which all variants go on")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--only", nargs="*", choices=[v.name for v in VARIANTS], help="these and the full model"
    )
    for field in fields(Protocol):
        flag = f"--{field.name.replace('_', '-')}"
        parser.add_argument(flag, type=type(field.default), default=field.default)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Raises InputError for settings that make no sense and for stages that are missing."""
    options = _parser().parse_args(argv)
    torch.set_num_threads(options.threads)
    protocol = Protocol(**{f.name: getattr(options, f.name) for f in fields(Protocol)})
    protocol.check()
    chosen = tuple(v for v in VARIANTS if not options.only or v.name in (*options.only, VARIANTS[0].name))
    parts = parts_of(options.folder, Budget(), options.start)
    start = options.start.name if options.start else ""
    compare(parts, protocol, options.root, options.out, chosen, start)
