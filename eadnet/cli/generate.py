"""``eadnet generate``: a portrait or a video says a recording."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from .command import Command, say
from .detector import face_detector
from .progress import ProgressLine
from .rigged import METHODS, animate, portrait_rig, re_emote

if TYPE_CHECKING:
    import torch
    from torch import nn

    from ..driving.motion import MotionModel
    from ..rendering import Model, RenderSettings, StageProgress


def arguments(parser: argparse.ArgumentParser) -> None:
    from ..media.lengths import LENGTH_MODES
    from ..sampling.plan import MODES
    from ..sampling.schedulers import SCHEDULERS

    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--portrait", type=Path, metavar="IMG", help="the face, as an image")
    source.add_argument(
        "--video",
        type=Path,
        metavar="VID",
        help="the face, as a video, an animated GIF, WebP or APNG, or a folder with an image sequence "
        "(bounces when short)",
    )
    parser.add_argument(
        "--face-detector",
        type=Path,
        metavar="FILE",
        help="face_landmarker.task or YuNet's .onnx: finds the face in the video and writes whole frames, or "
        "(.task) the portrait's for the rig; default for a portrait: the one of 'eadnet fetch faces'",
    )
    parser.add_argument("--face", metavar="NUMBERS", help="the face by hand: a box or five points")
    parser.add_argument("--face-index", type=int, metavar="N", help="which face, from the left, from 0")
    parser.add_argument(
        "--colour-match",
        type=float,
        default=0.5,
        metavar="SHARE",
        help="with a tracked face: how far its colours are matched to its surroundings, 0 to 1",
    )
    parser.add_argument(
        "--feather",
        type=float,
        default=0.05,
        metavar="SHARE",
        help="with a tracked face: width of its soft mask edge, 0 to 0.25 of the crop",
    )
    parser.add_argument(
        "--method",
        choices=METHODS,
        default=METHODS[0],
        help="rig moves the picture's own pixels, photographs too; pixels has the model draw the face; auto "
        "is rig for a portrait where a face is found and no other checkpoint is given, and a video without "
        "--audio",
    )
    parser.add_argument(
        "--strength", type=float, default=1.0, metavar="TIMES", help="with rig: of the emotion, 0 to 2"
    )
    parser.add_argument(
        "--blinks", type=float, default=18.0, metavar="PER_MINUTE", help="with rig: how often it blinks"
    )
    parser.add_argument(
        "--head-motion", type=float, default=1.0, metavar="TIMES", help="with rig: 0 keeps the head still"
    )
    parser.add_argument(
        "--audio",
        type=Path,
        help="the speech; a video with --method rig needs none: it keeps its own sound and lips, and gets "
        "the emotion alone",
    )
    parser.add_argument(
        "--emotion", default="", metavar="TEXT", help="emotion text: emotion first, then what the face does"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="MP4", help="where the video goes")
    parser.add_argument(
        "--checkpoint",
        metavar="FILE",
        help="a file, or a bundled model: motion moves the pixels of portraits and videos (their default), "
        "mini draws drawn heads (the default otherwise)",
    )
    parser.add_argument(
        "--audio-encoder", type=Path, metavar="FILE", help="converted Whisper, if the checkpoint has none"
    )
    parser.add_argument(
        "--vae", type=Path, metavar="FILE", help="Stable Diffusion VAE, if the checkpoint has none"
    )
    parser.add_argument(
        "--text-encoder", type=Path, metavar="DIR", help="CLIP ViT-L/14, if the checkpoint has none"
    )
    parser.add_argument("--adapter", type=Path, metavar="FILE", help="EAD-Net's parts for LatentSync's U-Net")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="default: the checkpoint's")
    parser.add_argument("--audio-guidance", type=float, help="cfg for the audio; 1 is no guidance")
    parser.add_argument("--emotion-guidance", type=float, help="cfg for the emotion text; 1 is no guidance")
    parser.add_argument(
        "--scheduler",
        choices=(*SCHEDULERS, "auto"),
        default="auto",
        help="auto is the checkpoint's own: unipc in 4 steps for LatentSync, else ddim",
    )
    parser.add_argument("--window", type=int, default=16, help="frames per context window (context_length)")
    parser.add_argument(
        "--overlap", type=int, default=4, help="frames shared by neighbouring windows (context_overlap)"
    )
    parser.add_argument(
        "--window-mode",
        choices=MODES,
        default=MODES[0],
        help="moving: windows without overlap whose borders differ from step to step, a quarter faster",
    )
    parser.add_argument(
        "--cache-interval",
        type=int,
        default=1,
        metavar="STEPS",
        help="run the network's deep layers at every n-th step only; 1 is every step",
    )
    parser.add_argument(
        "--guidance-start", type=float, default=0.0, metavar="SHARE", help="of the steps, where cfg begins"
    )
    parser.add_argument(
        "--guidance-end", type=float, default=1.0, metavar="SHARE", help="of the steps, where cfg ends"
    )
    parser.add_argument(
        "--guidance-every",
        type=int,
        default=1,
        metavar="STEPS",
        help="between, evaluate what cfg adds at every n-th step only",
    )
    parser.add_argument("--smoothing", type=float, default=1.0, help="strength of the TFRM, 0 to 1")
    parser.add_argument(
        "--length", choices=LENGTH_MODES, default="bounce", help="if audio and video differ in length"
    )
    parser.add_argument(
        "--fps",
        type=float,
        help="frames per second of a portrait, an image sequence or a WebP; a video keeps its own",
    )
    parser.add_argument(
        "--no-silence-gate", action="store_true", help="do not close the mouth in pauses of the speech"
    )
    parser.add_argument(
        "--no-face-check",
        action="store_true",
        help="do not look whether a face sits where the model expects it in the centred square",
    )
    parser.add_argument("--resume", action="store_true", help="continue an interrupted render")
    parser.add_argument("--device", default="cpu", help="for instance cuda")
    parser.add_argument("--half", action="store_true", help="denoise and decode in float16 (GPU)")
    parser.add_argument(
        "--compile", action="store_true", help="compile the network first (GPU, long videos), where possible"
    )
    parser.add_argument("--contact-sheet", type=Path, metavar="PNG", help="also write a sheet of frames")


def run(options: argparse.Namespace) -> None:
    from ..faces.choice import Choice
    from ..rendering import open_scene, render_to_file

    for name in ("eadnet.rendering", "eadnet.modules.text_encoder"):  # what the render will need, and reads
        logging.getLogger(name).setLevel(logging.INFO)
    line = ProgressLine(sys.stderr)

    def show(now: StageProgress) -> None:
        line(now.stage, now.done, now.total, now.seconds_left)

    settings = _settings(options)
    _check_places(options)
    if options.video and (options.method == "rig" or (options.method == "auto" and options.audio is None)):
        _check_unused(options)
        re_emote(options, settings, _driver(options), _device(options), show)
        _sheet(options)
        return
    if options.audio is None:
        raise InputError("The speech is missing: give --audio.")
    if options.portrait and (rig := portrait_rig(options, _device(options))) is not None:
        _check_unused(options)
        animate(options, rig, settings, _driver(options), show)
        _sheet(options)
        return
    detector = face_detector(options.face_detector, options.face)
    choice = None if options.face_index is None else Choice("index", "left-right", options.face_index)
    model = _model(options)
    with open_scene(
        model,
        options.audio,
        options.emotion,
        portrait=options.portrait,
        video=options.video,
        settings=settings,
        detector=detector,
        choice=choice,
        on_progress=show,
    ) as scene:
        made = render_to_file(
            options.out,
            model.networks(),
            scene,
            settings.sampling(model.checkpoint),
            smoothing=settings.smoothing,
            resume=options.resume,
            on_progress=show,
        )
        say(f"{options.out}: {made.frames} frames, {float(made.frames / scene.fps):.2f} s")
    _sheet(options)


def _check_unused(options: argparse.Namespace) -> None:
    """Raise InputError for what the rig, which is going to be used, cannot take."""
    if options.adapter is not None:
        raise InputError(
            "--adapter is for a network that generates pixels, and the rig would move those of the input: "
            "add --method pixels, or leave --adapter out."
        )


def _check_places(options: argparse.Namespace) -> None:
    """Raise InputError where a result cannot be written: before anything is computed."""
    from ..media.places import Named, check_place
    from ..rendering.film import file_place

    file_place(options.out)
    if options.contact_sheet:
        if os.path.isdir(options.contact_sheet):  # a name that is too long is no folder, and no error yet
            raise InputError(f"'{options.contact_sheet}' is a folder: give the name of a PNG file in it.")
        check_place(Named(options.contact_sheet.absolute(), "the contact sheet"))


def _sheet(options: argparse.Namespace) -> None:
    if options.contact_sheet:
        from .contact_sheet import write_sheet

        write_sheet(options.out, options.contact_sheet)


def _settings(options: argparse.Namespace) -> RenderSettings:
    from ..rendering import RenderSettings
    from ..sampling import Savings

    return RenderSettings(
        seed=options.seed,
        steps=options.steps,
        audio_guidance=options.audio_guidance,
        emotion_guidance=options.emotion_guidance,
        scheduler=None if options.scheduler == "auto" else options.scheduler,
        window=options.window,
        overlap=options.overlap,
        smoothing=options.smoothing,
        length=options.length,
        fps=options.fps,
        silence_gate=not options.no_silence_gate,
        colour_match=options.colour_match,
        feather=options.feather,
        check_face=not options.no_face_check,
        window_mode=options.window_mode,
        savings=Savings(
            options.cache_interval, options.guidance_start, options.guidance_end, options.guidance_every
        ),
    )


def _driver(options: argparse.Namespace) -> Model | MotionModel:
    """What moves a rig: the checkpoint that was asked for, or the bundled motion."""
    import torch

    from ..driving.motion import MotionModel, is_motion

    if options.checkpoint is None or is_motion(options.checkpoint):
        model = MotionModel.load(options.checkpoint)
        model = model.to(_device(options), torch.float16 if options.half else None)
        _compile(options, model.unet)
        return model
    return _model(options)


def _model(options: argparse.Namespace) -> Model:
    """The networks, on their device."""
    import torch

    from ..rendering import load_model

    model = load_model(
        options.checkpoint or "mini",
        audio_encoder=options.audio_encoder,
        vae=options.vae,
        text_encoder=options.text_encoder,
        adapter=options.adapter,
    )
    model = model.to(_device(options), torch.float16 if options.half else None)
    _compile(options, model.unet)
    return model


def _compile(options: argparse.Namespace, unet: nn.Module) -> None:
    from ..modules.compiling import compile_where_possible

    if options.compile:
        compile_where_possible(unet, _device(options))


def _device(options: argparse.Namespace) -> torch.device:
    from ..memory import check_device

    return check_device(options.device)


COMMAND = Command("generate", "make a face say a recording with an emotion", arguments, run)
