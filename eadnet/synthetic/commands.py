"""`eadnet synth`: render people and clips from parameters or a seed, and make data sets of them."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import InputError

LONGEST = 25 * 60  # frames of a rendered clip: a minute holds in memory at any size people watch


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add `render` and `make` to the parser of `eadnet synth`."""
    choices = parser.add_subparsers(required=True, metavar="render | make")
    _render_arguments(
        choices.add_parser(
            "render",
            help="an image, a video or a sheet of frames",
            description="An image (.png) or video (.mp4) of a synthetic person: a still face, a sentence "
            "(--say), or the clip of a seed (--clip).",
        )
    )
    _make_arguments(
        choices.add_parser(
            "make", help="a data set of clips", description="A folder of clips; goes on where it stopped."
        )
    )


def _render_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", type=Path, metavar="OUT", help="a .png or .mp4 file")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--clip", action="store_true", help="the clip of the seed, as data sets hold it")
    what.add_argument("--say", metavar="TEXT", help="what the person says")
    parser.add_argument("--seed", type=int, default=0, help="which person, and which clip")
    parser.add_argument("--split", default="train", help="train, validation or test: whose people")
    parser.add_argument("--frames", type=int, default=75, help="length of --clip at 25 frames per second")
    parser.add_argument("--size", type=int, default=256, help="pixels, 1 to 2048")
    parser.add_argument("--emotion", default="neutral", help="the face, one of the eight emotions")
    parser.add_argument("--intensity", type=float, default=1.0, help="of the emotion, 0 to 1")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a facial parameter, repeatable"
    )
    parser.add_argument("--voice", default="en-us+f2", help="a language, with a speaker: en-us+f2")
    parser.add_argument("--rate", type=int, default=165, help="words a minute")
    parser.add_argument("--pitch", type=int, default=50, help="0 to 99")
    parser.add_argument("--sheet", type=int, metavar="N", help="a picture of N frames instead of one")
    parser.add_argument("--truth", type=Path, metavar="NPZ", help="also parameters, landmarks and masks")
    parser.set_defaults(synth=_render)


def _make_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--split", default="train", help="train, validation or test")
    parser.add_argument("--count", type=int, default=100, help="clips")
    parser.add_argument("--seed", type=int, default=0, help="of the first clip; the others follow it")
    parser.add_argument("--frames", type=int, default=32, help="of each clip, at 25 frames per second")
    parser.add_argument("--size", type=int, default=128, help="pixels, 1 to 2048")
    parser.add_argument("--workers", type=int, default=1, help="processes that render")
    parser.set_defaults(synth=_make)


def run(options: argparse.Namespace) -> str:
    """Do what the options say; returns a line for the user. Raises InputError for what cannot be done."""
    line: str = options.synth(options)
    return line


def _parameter(text: str) -> tuple[str, float]:
    name, equals, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not equals or number != number:
        raise InputError(f"--set {text} is no setting: write a name and a number, such as smile_l=0.8.")
    return name.strip(), number


def _render(options: argparse.Namespace) -> str:
    from . import studio

    studio.check_kind(options.out)
    if options.sheet is not None and options.out.suffix.lower() not in studio.PICTURES:
        raise InputError(f"A sheet is a picture: {options.out.name} must end in .png.")
    if options.clip:
        if options.frames > LONGEST:
            raise InputError(f"A clip of {options.frames} frames is too long: give at most {LONGEST}.")
        scene = studio.drawn(options.seed, options.split, options.frames)
    else:
        identity = studio.person(options.seed, options.split)
        parameters = studio.face(
            options.emotion, options.intensity, dict(_parameter(text) for text in options.set)
        )
        if options.say is None:
            scene = studio.still(identity, parameters)
        else:
            scene = studio.spoken(
                identity,
                parameters,
                options.say,
                voice=options.voice,
                rate=options.rate,
                pitch=options.pitch,
                seed=options.seed,
            )
    if len(scene.params) > LONGEST:
        raise InputError(f"The sentence lasts {len(scene.params) / 25:.0f} s: give at most a minute of text.")
    frames = studio.render_scene(scene, options.size)
    studio.write_scene(scene, frames, options.out, options.sheet)
    if options.truth:
        studio.write_truth(scene, frames, options.truth)
    caption = f": {scene.caption}" if scene.caption else ""
    return f"{options.out}: {len(frames)} frame{'s' if len(frames) > 1 else ''}{caption}"


def _make(options: argparse.Namespace) -> str:
    from .datasets import DatasetShape, make_dataset

    shape = DatasetShape(options.count, options.frames, options.size)
    make_dataset(options.folder, options.split, shape, first_seed=options.seed, workers=options.workers)
    return f"{options.folder}: {shape.clips} {options.split} clips of {shape.frames} frames"
