"""Expressions: what a face does over time, from speech, from a video, and edited."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from comfy_api.latest import io, ui

from ..eadnet.driving import motion
from ..eadnet.driving.closures import with_heard_closures
from ..eadnet.driving.curves import track_picture
from ..eadnet.driving.idle import Idle
from ..eadnet.driving.speech import (
    FPS,
    bundled_reader,
    bundled_sentences,
    check_preset,
    performance_scene,
    read_performance,
    with_idle_motion,
)
from ..eadnet.driving.video import track_from_video
from ..eadnet.errors import InputError
from ..eadnet.faces.landmarker import FaceLandmarker
from ..eadnet.media.audio import RATE, num_frames, to_mono_16k
from ..eadnet.media.speech import SpeechInMemory
from ..eadnet.rendering import Networks, RenderSettings
from ..eadnet.rig.track import Track, columns
from . import host
from .checks import checked, problems, widgets_problem
from .footage import opened
from .latents import decode_crops, encode_crops
from .live import LiveView
from .node import Node
from .sampling import Watcher
from .sockets import audio_of
from .types import (
    AudioEncoder,
    DiffusionModel,
    Emotion,
    EmotionTokens,
    Expression,
    GraphSmoother,
    Model,
    Smoother,
    schema,
)


def _outputs() -> list[io.Output]:
    """What all of them give: see `_with_curves`."""
    return [
        Expression.Output(display_name="expression", tooltip="For EAD-Net Render Rig or Re-emote Video."),
        io.Image.Output(display_name="curves", tooltip="The expression over time, for Preview Image."),
    ]


class EADNetExpressionFromSpeech(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetExpressionFromSpeech",
            display_name="EAD-Net Expression from Speech",
            description="Generates what a face does while it says the audio with the emotion: the expression "
            "of every frame, for EAD-Net Render Rig. Blinks, glances and head motion are added.",
            search_aliases=["lip sync", "lipsync", "audio to expression", "speech to face", "emotion"],
            inputs=[
                Model.Input("model", tooltip="The bundled motion (or mini), from EAD-Net Load Checkpoint."),
                io.Vae.Input("vae", tooltip="From the same loader."),
                AudioEncoder.Input("audio_encoder", tooltip="From the same loader."),
                io.Audio.Input("audio", tooltip="The speech, of any length and sample rate."),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=True,
                    tooltip="Random seed of the expression, the blinks and the head motion.",
                ),
                io.Float.Input(
                    "blinks",
                    default=18.0,
                    min=0.0,
                    max=120.0,
                    step=1.0,
                    tooltip="Blinks per minute. People blink about 10 to 30 times.",
                ),
                io.Float.Input(
                    "gaze",
                    default=1.0,
                    min=0.0,
                    max=3.0,
                    step=0.1,
                    tooltip="How far the eyes wander. 0 keeps them straight.",
                ),
                io.Float.Input(
                    "head_motion",
                    default=1.0,
                    min=0.0,
                    max=3.0,
                    step=0.1,
                    tooltip="How far the head sways and nods. 0 keeps it still.",
                ),
                io.MultiType.Input(
                    "emotion",
                    types=[Emotion, io.Conditioning],
                    optional=True,
                    tooltip="From EAD-Net Encode Emotion or EAD-Net Emotion Timeline.",
                ),
                Smoother.Input("tfrm", optional=True, tooltip="Temporal smoother, from the same loader."),
                Expression.Input(
                    "measured",
                    optional=True,
                    tooltip="An expression of which a part stays, for instance from EAD-Net Expression from "
                    "Video; the rest is generated to go with it. Needs the model motion.",
                ),
                io.Combo.Input(
                    "keep",
                    options=list(motion.KEPT),
                    default="head",
                    optional=True,
                    tooltip="Which part of the measured expression stays.",
                ),
            ],
            outputs=_outputs(),
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @checked
    def execute(
        cls,
        model: DiffusionModel,
        vae: io.Vae.Type,
        audio_encoder: host.Network,
        audio: dict[str, Any],
        seed: int,
        blinks: float,
        gaze: float,
        head_motion: float,
        emotion: Any = None,
        tfrm: GraphSmoother | None = None,
        measured: Track | None = None,
        keep: str = "head",
    ) -> io.NodeOutput:
        info = model.info
        moves = info.preset == motion.PRESET
        kept = None if measured is None else motion.Kept(measured, motion.KEPT[keep])
        if not moves and kept is not None:
            raise InputError(
                f"{info.preset} cannot keep a measured expression: load motion, or disconnect 'measured'."
            )
        if not moves:
            check_preset(info.preset)
        heard = audio_of(audio)
        speech = SpeechInMemory(to_mono_16k(heard.waveform, heard.rate))
        frames = num_frames(speech.samples / RATE, FPS)
        if frames == 0:
            raise InputError("The audio is shorter than half a frame: use longer audio.")
        feeling = None if emotion is None else EmotionTokens.of(emotion)
        settings = RenderSettings(seed=seed, window_mode=model.window_mode, savings=model.savings)
        amount = Idle(blinks, gaze, head_motion)
        watcher = Watcher(info, cls.hidden.unique_id, LiveView(cls.hidden.unique_id, frames))
        used = (model.network.use(), audio_encoder.use(), None if tfrm is None else tfrm.network.use())
        smoother: Any = None if tfrm is None else host.OnDemand(tfrm.network)
        if moves:
            with host.cancellable(*used):
                track = motion.sample_motion(
                    host.OnDemand(model.network),
                    info.codec,
                    audio_encoder.use(),
                    speech,
                    frames,
                    motion.motion_sampling(settings, info),
                    emotion=info.null_emotion if feeling is None else feeling.tokens,
                    null_emotion=info.null_emotion,
                    kept=kept,
                    tfrm=smoother,
                    sentences=None if feeling is None else bundled_sentences,
                    on_progress=lambda now: watcher(now.done, now.total, None),
                )
            track = with_idle_motion(with_heard_closures(track, speech), seed, amount, speech)
            if kept is not None:
                track = track.replaced(kept.track, groups=kept.names)
            return _with_curves(cls, track)
        reader = bundled_reader()
        scene = performance_scene(
            reader,
            speech,
            frames,
            info.mask_region,
            settings,
            None if feeling is None else feeling.tokens,
            None if feeling is None else feeling.null,
        )
        networks = Networks(
            unet=host.OnDemand(model.network),
            audio_encoder=audio_encoder.use(),
            tfrm=smoother,
            encode=lambda crops: encode_crops(vae, crops),
            decode=lambda latents: decode_crops(vae, latents),
            identity=(),
        )
        with host.cancellable(*used):
            track = read_performance(
                networks,
                scene,
                settings.sampling(info),
                reader,
                on_progress=lambda now: watcher(
                    now.done, now.total, None if now.sampling is None else now.sampling.denoised
                ),
            )
        track = with_idle_motion(track, seed, amount, speech)
        return _with_curves(cls, track)


class EADNetExpressionFromVideo(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetExpressionFromVideo",
            display_name="EAD-Net Expression from Video",
            description="Reads the expression of a face in a video, frame by frame, so that it moves another "
            "portrait.",
            search_aliases=["driving video", "face capture", "motion capture", "live portrait", "puppet"],
            inputs=[
                io.MultiType.Input(
                    "images",
                    types=[io.Image, io.Video],
                    tooltip="The driving video: a VIDEO (Load Video), or an IMAGE with its frames.",
                ),
                io.Float.Input(
                    "fps",
                    default=25.0,
                    min=1.0,
                    max=120.0,
                    step=0.01,
                    tooltip="Frames per second of an IMAGE. A VIDEO keeps its own frame rate.",
                ),
                io.Float.Input(
                    "head_motion",
                    default=1.0,
                    min=0.0,
                    max=3.0,
                    step=0.1,
                    tooltip="How far the head's turns are taken over. 0 keeps the head still.",
                ),
            ],
            outputs=_outputs(),
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, fps: float | None) -> bool | str:
        """Before the run: without the landmarker's file no face is found."""
        return problems([host.face_task_path]) or True

    @classmethod
    @checked
    def execute(cls, images: Any, fps: float, head_motion: float) -> io.NodeOutput:
        landmarker = FaceLandmarker(host.face_task_path(), blendshapes=True, device=host.compute_device())
        with opened(images, "images", fps) as footage:
            progress = host.NodeProgress(footage.count, cls.hidden.unique_id)

            def frames() -> Any:
                for number in range(footage.count):
                    yield footage.one(number)
                    progress.update(number + 1)

            track = track_from_video(frames(), float(footage.pictures.fps), landmarker, head_motion)
        return _with_curves(cls, track)


_EDITS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("mouth", ("mouth",), "Mouth and jaw: how far they open and move."),
    ("smile", ("smile", "dimple", "frown"), "Corners of the mouth, up and down."),
    ("brows", ("brows",), "Brows, up and down."),
    ("lids", ("lids",), "Lids, wider and narrower. Blinks are apart."),
    ("blink", ("blink",), "How far blinks close the eyes. 0 is none."),
    ("gaze", ("gaze",), "Eye movements."),
    ("head", ("head",), "Head motion."),
    ("emotion", ("emotion",), "Everything that speech does not use: the strength of the emotion."),
)


class EADNetEditExpression(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetEditExpression",
            display_name="EAD-Net Edit Expression",
            description="Strengthens or weakens parts of an expression, and adds constants by name.",
            search_aliases=["expression editor", "emotion strength", "mouth openness", "blink rate"],
            inputs=[
                Expression.Input("expression", tooltip="From EAD-Net Expression from Speech or from Video."),
                *(
                    io.Float.Input(
                        name, default=1.0, min=0.0, max=3.0, step=0.05, tooltip=f"{help} 1 is as it is."
                    )
                    for name, _, help in _EDITS
                ),
                io.String.Input(
                    "add",
                    default="",
                    multiline=True,
                    placeholder="smile 0.2\ngaze_x -0.1",
                    tooltip="Constants to add, one a line: a parameter or group, and a number.",
                ),
                Expression.Input(
                    "mouth_from",
                    optional=True,
                    tooltip="Takes mouth and jaw from this expression instead, for instance from speech.",
                ),
            ],
            outputs=_outputs(),
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, add: str | None) -> bool | str:
        if add is None:  # it comes by a link
            return True
        return widgets_problem(cls, add=add) or problems([lambda: _constants(add)]) or True

    @classmethod
    @checked
    def execute(
        cls, expression: Track, add: str, mouth_from: Track | None = None, **amounts: float
    ) -> io.NodeOutput:
        track = expression
        if mouth_from is not None:
            track = track.replaced(mouth_from.resampled(track.fps), groups=("mouth",))
        multiply = {part: amounts[name] for name, parts, _ in _EDITS for part in parts if amounts[name] != 1}
        return _with_curves(cls, track.edited(multiply=multiply, add=_constants(add)))


def _constants(text: str) -> dict[str, float]:
    """Lines of a name and a number. Raises InputError that names every bad line."""
    added: dict[str, float] = {}

    def read(number: int, line: str) -> None:
        words = line.replace(":", " ").replace("=", " ").split()
        try:
            (name, value), amount = words, float(words[-1])
        except ValueError:
            raise InputError(f"add, line {number}: write a name and a number, like 'smile 0.2'.") from None
        if not -1 <= amount <= 1:
            raise InputError(f"add, line {number}: {name} is {value}; use a number from -1 to 1.")
        try:
            columns(name)
        except InputError as error:
            raise InputError(f"add, line {number}: {error}") from error
        added[name] = added.get(name, 0.0) + amount

    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip(" \t:=")]
    if said := problems(partial(read, *line) for line in lines):
        raise InputError(said)
    return added


def _with_curves(node: type[io.ComfyNode], track: Track) -> io.NodeOutput:
    curves = torch.from_numpy(track_picture(track))[None]
    return io.NodeOutput(track, curves, ui=ui.PreviewImage(curves, cls=node))
