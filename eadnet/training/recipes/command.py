"""Train `mini`: `python -m eadnet.training all --folder .work/mini`, or stage by stage.

`--config FILE` reads sizes, minutes, schedule and losses (see `configs/`); options given beside it win.
`ablate` compares the model with and without its parts; `grow` goes on from a checkpoint on a lent GPU.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import sys
import time
from pathlib import Path

import torch

from ..errors import InputError
from . import mini
from .config import MINUTES, Config, read_config, within
from .pictures import draw_pictures

STAGES = (
    "render",
    "autoencoder",
    "decoder",
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
    parser.add_argument("--workers", type=int, default=2, help="processes that render and encode")
    parser.add_argument("--threads", type=int, default=2, help="threads that train")
    parser.add_argument("--out", type=Path, default=Path("eadnet/assets/mini.safetensors"))
    parser.add_argument("--start", type=Path, help="a checkpoint whose networks to go on from")
    parser.add_argument("--results", type=Path, default=Path("docs/results/world"), help="where scores go")
    parser.add_argument("--score-clips", type=int, default=mini.TEST_CLIPS, help="held-out clips to score")
    parser.add_argument("--recordings", type=Path, nargs="*", default=[], help="real speech to try as well")
    parser.add_argument("--config", type=Path, metavar="TOML", help="sizes, minutes, schedule and losses")
    parser.add_argument("--minutes", type=float, help="time limit: of the stage, or of all that are trained")
    for field in dataclasses.fields(mini.Budget):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=type(field.default))
    return parser


def configured(options: argparse.Namespace) -> Config:
    """The configuration of the file, if any, with the options given on the command line."""
    config = read_config(options.config) if options.config else Config()
    given = {f.name: getattr(options, f.name) for f in dataclasses.fields(mini.Budget)}
    budget = dataclasses.replace(config.budget, **{k: v for k, v in given.items() if v is not None})
    if options.minutes is not None:
        if options.stage != "all" and options.stage not in MINUTES:
            raise InputError(f"The stage {options.stage} has no time limit: leave --minutes out.")
        budget = within(budget, options.minutes, MINUTES if options.stage == "all" else (options.stage,))
    return dataclasses.replace(config, budget=budget)


def main(arguments: list[str] | None = None) -> int:
    """Run stages; the exit status is 0, or 2 with a sentence for what the user can put right."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        if given[:1] == ["ablate"]:
            from .ablate import main as ablate

            ablate(given[1:])
        elif given[:1] == ["grow"]:
            from .grow import main as grow

            grow(given[1:])
        else:
            _train(_parser().parse_args(given))
    except (InputError, FloatingPointError) as error:
        logging.error("%s", error)
        return 2
    return 0


def _train(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    config = configured(options)
    budget, folder = config.budget, options.folder
    stages = {
        "render": lambda: mini.render(folder, budget, options.workers),
        "autoencoder": lambda: mini.autoencoder(folder, budget, options.start),
        "decoder": lambda: mini.decoder(folder, budget),
        "encode": lambda: mini.encode(folder, budget, options.workers),
        "denoiser": lambda: mini.denoiser(folder, budget, options.start, config.denoiser, config.losses),
        "smoother": lambda: mini.smoother(folder, budget, config.smoother.sampled),
        "syncnet": lambda: mini.syncnet(folder, budget),
        "assemble": lambda: mini.assemble(folder, options.out, {"budget": dataclasses.asdict(budget)}),
        "evaluate": lambda: mini.evaluate(
            folder, options.out, options.results, options.score_clips, tuple(options.recordings)
        ),
        "pictures": lambda: draw_pictures(options.out, Path("docs/images"), Path("workflows")),
    }
    for name in STAGES if options.stage == "all" else (options.stage,):
        started = time.monotonic()
        stages[name]()
        logging.info("%s took %.1f min", name, (time.monotonic() - started) / 60)


if __name__ == "__main__":
    sys.exit(main())
