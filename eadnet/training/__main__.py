"""Train `mini`: `python -m eadnet.training all --folder .work/mini`, or stage by stage."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import time
from pathlib import Path

import torch

from . import mini
from .pictures import draw_pictures

STAGES = (
    "render",
    "autoencoder",
    "encode",
    "denoiser",
    "smoother",
    "syncnet",
    "assemble",
    "evaluate",
    "pictures",
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m eadnet.training", description=__doc__)
    parser.add_argument("stage", choices=("all", *STAGES))
    parser.add_argument(
        "--folder", type=Path, default=Path(".work/mini"), help="where data, logs and weights go"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes that render")
    parser.add_argument("--threads", type=int, default=2, help="threads that train")
    parser.add_argument("--out", type=Path, default=Path("eadnet/assets/mini.safetensors"))
    parser.add_argument("--start", type=Path, help="a checkpoint whose networks to go on from")
    parser.add_argument("--results", type=Path, default=Path("docs/results"), help="where scores go")
    parser.add_argument("--score-clips", type=int, default=mini.TEST_CLIPS, help="held-out clips to score")
    parser.add_argument("--recordings", type=Path, nargs="*", default=[], help="real speech to try as well")
    for field in dataclasses.fields(mini.Budget):
        kind = type(field.default)
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, default=field.default)
    return parser


def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(options.threads)
    budget = mini.Budget(**{f.name: getattr(options, f.name) for f in dataclasses.fields(mini.Budget)})
    folder: Path = options.folder
    stages = {
        "render": lambda: mini.render(folder, budget, options.workers),
        "autoencoder": lambda: mini.autoencoder(folder, budget, options.start),
        "encode": lambda: mini.encode(folder),
        "denoiser": lambda: mini.denoiser(folder, budget, options.start),
        "smoother": lambda: mini.smoother(folder, budget),
        "syncnet": lambda: mini.syncnet(folder, budget),
        "assemble": lambda: mini.assemble(folder, options.out, {"budget": dataclasses.asdict(budget)}),
        "evaluate": lambda: mini.evaluate(
            folder, options.out, options.results, options.score_clips, options.recordings
        ),
        "pictures": lambda: draw_pictures(options.out, Path("docs/images"), Path("workflows")),
    }
    for name in STAGES if options.stage == "all" else (options.stage,):
        started = time.monotonic()
        stages[name]()
        logging.info("%s took %.1f min", name, (time.monotonic() - started) / 60)


if __name__ == "__main__":
    main()
