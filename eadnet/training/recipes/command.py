"""Train `mini`: `python -m eadnet.training all --folder .work/mini`, or stage by stage.

`--config FILE` reads sizes, minutes, schedule and losses (see `configs/`); options given beside it win.
`online` trains a checkpoint further on a GPU, on clips that are rendered meanwhile; `reader` trains the small
network that reads facial parameters from mini's latents; `motion` trains the model that moves a rig.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import sys
from pathlib import Path

import torch

from ...errors import InputError
from ...printable import get_logger
from . import mini, mini_data, networks
from .budget import MINUTES, Budget, within
from .config import Config, read_config
from .stages import run_stages

logger = get_logger(__name__)

STAGES = (
    "render",
    "autoencoder",
    "decoder",
    "encode",
    "denoiser",
    "smoother",
    "syncnet",
    "assemble",
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
    parser.add_argument("--start", type=Path, help="a checkpoint whose networks to train further")
    parser.add_argument("--config", type=Path, metavar="TOML", help="sizes, minutes, schedule and losses")
    parser.add_argument("--minutes", type=float, help="time limit: of the stage, or of all that are trained")
    for field in dataclasses.fields(Budget):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=type(field.default))
    return parser


def configured(options: argparse.Namespace) -> Config:
    """The configuration of the file, if any, with the options given on the command line."""
    config = read_config(options.config) if options.config else Config()
    given = {f.name: getattr(options, f.name) for f in dataclasses.fields(Budget)}
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
        if given[:1] == ["online"]:
            from .online import main as online

            online(given[1:])
        elif given[:1] == ["reader"]:
            from .reader import main as reader

            reader(given[1:])
        elif given[:1] == ["motion"]:
            from .motion import main as motion

            motion(given[1:])
        else:
            _train(_parser().parse_args(given))
    except (InputError, FloatingPointError) as error:
        logger.error("%s", error)
        return 2
    return 0


def _train(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    config = configured(options)
    budget, folder = config.budget, options.folder
    stages = {
        "render": lambda: mini_data.render(folder, budget, options.workers),
        "autoencoder": lambda: mini.autoencoder(folder, budget, options.start),
        "decoder": lambda: mini.decoder(folder, budget),
        "encode": lambda: mini_data.encode(folder, budget, options.workers),
        "denoiser": lambda: mini.denoiser(folder, budget, options.start, config.denoiser, config.losses),
        "smoother": lambda: mini.smoother(folder, budget, config.smoother.sampled),
        "syncnet": lambda: mini.syncnet(folder, budget),
        "assemble": lambda: networks.assemble(folder, options.out, {"budget": dataclasses.asdict(budget)}),
    }
    run_stages(stages, STAGES if options.stage == "all" else (options.stage,))
