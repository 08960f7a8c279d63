"""A whole talking video in one node, of any length."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from comfy_api.latest import InputImpl, io, ui
from torch import Tensor

from ..eadnet.errors import InputError
from ..eadnet.faces.crops import to_pictures
from ..eadnet.faces.masks import REGIONS, mask_image
from ..eadnet.media.lengths import LENGTH_MODES
from ..eadnet.modules.operations import placement
from ..eadnet.rendering import (
    Networks,
    RenderSettings,
    Sources,
    photograph_note,
    render_to_file,
    speech_of,
)
from ..eadnet.rendering.memory import branches, deep_memory, unet_memory
from ..eadnet.sampling import Sampling
from . import host
from .checks import checked, problems, widgets_problem
from .face_check import InstalledDetector, check_face_widget, crop_shown_on_refusal
from .footage import opened
from .latents import finite_vae
from .live import Decode, LiveView
from .node import Node
from .notes import with_notes
from .sampling import (
    Watcher,
    chosen_sampler,
    emotion_scale,
    sampling_widgets,
    small_decoder,
    window_problem,
)
from .sockets import audio_of
from .types import (
    AudioEncoder,
    DiffusionModel,
    Emotion,
    EmotionTokens,
    FaceTrackSocket,
    GraphSmoother,
    Model,
    Smoother,
    TrackAndRegion,
    schema,
)

AUTO = "auto"
# What a first film does not need to know.
ADVANCED = (
    *("scheduler", "window", "overlap", "smoothing", "silence_gate"),
    *("mask_region", "feather", "colour_match", "resume", "check_face"),
)


class EADNetRenderVideo(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetRenderVideo",
            display_name="EAD-Net Render Video (Talking Head)",
            description="Generates a talking video from a portrait or a video and speech, of any length, in "
            "constant memory. It is saved while it is generated; after a crash the same workflow "
            "continues where it stopped.",
            search_aliases=[
                "talking head",
                "talking portrait",
                "lip sync",
                "lipsync",
                "avatar",
                "speech to video",
                "emotion",
                "long video",
                "dubbing",
            ],
            is_output_node=True,
            advanced=ADVANCED,
            inputs=[
                Model.Input("model", tooltip="From EAD-Net Load Checkpoint or EAD-Net Load LatentSync."),
                io.Vae.Input(
                    "vae", tooltip="The checkpoint's VAE. For LatentSync: Load VAE with SD 1.5's VAE."
                ),
                AudioEncoder.Input("audio_encoder", tooltip="From the same loader as the model."),
                io.MultiType.Input(
                    "source",
                    types=[io.Video, io.Image],
                    tooltip="A VIDEO (Load Video), read frame by frame at its own frame rate, or an IMAGE: a "
                    "portrait or frames.",
                ),
                *sampling_widgets(),
                io.Float.Input(
                    "smoothing",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="Strength of temporal smoothing, if tfrm is connected. 0 is off.",
                ),
                io.Combo.Input(
                    "length",
                    options=list(LENGTH_MODES),
                    default=LENGTH_MODES[0],
                    tooltip="If audio and video differ in length: bounce (play back and forth), loop or "
                    "hold (freeze the last frame) last as long as the audio; cut_off as the shorter, "
                    "silence as the longer.",
                ),
                io.Float.Input(
                    "fps",
                    default=25.0,
                    min=1.0,
                    max=120.0,
                    step=0.01,
                    tooltip="Frames per second for an IMAGE. A VIDEO keeps its own frame rate.",
                ),
                io.Boolean.Input(
                    "silence_gate",
                    default=True,
                    tooltip="Close the mouth in pauses of the speech.",
                ),
                io.Combo.Input(
                    "mask_region",
                    options=[AUTO, *REGIONS],
                    default=AUTO,
                    tooltip="The region to generate. auto is the region that the model was trained on.",
                ),
                io.Float.Input(
                    "feather",
                    default=0.05,
                    min=0.0,
                    max=0.25,
                    step=0.01,
                    tooltip="With a track: width of the soft mask edge, inwards, as a fraction of the "
                    "crop's width.",
                ),
                io.Float.Input(
                    "colour_match",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="With a track: how far the face's colours are matched to its surroundings.",
                ),
                io.Boolean.Input(
                    "resume",
                    default=True,
                    tooltip="Continue an interrupted render of the same inputs where it stopped, with "
                    "identical frames.",
                ),
                io.String.Input(
                    "filename_prefix",
                    default="video/EAD-Net",
                    tooltip="Path and name of the video in the output folder, as in Save Video.",
                ),
                io.Audio.Input(
                    "audio",
                    optional=True,
                    tooltip="The speech, of any length and sample rate. Unconnected: the video's own audio.",
                ),
                io.MultiType.Input(
                    "emotion",
                    types=[Emotion, io.Conditioning],
                    optional=True,
                    tooltip="From EAD-Net Encode Emotion or EAD-Net Emotion Timeline.",
                ),
                Smoother.Input(
                    "tfrm", optional=True, tooltip="Temporal smoother, from EAD-Net Load Checkpoint."
                ),
                FaceTrackSocket.Input(
                    "track",
                    optional=True,
                    tooltip="From EAD-Net Track Face, for the same frames: the result has the full frames. "
                    "Unconnected: the centred square is cropped and is the result.",
                ),
                check_face_widget(),
            ],
            outputs=[
                io.Video.Output(display_name="video", tooltip="The finished video. It is saved already.")
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.dynprompt],
        )

    @classmethod
    def validate_inputs(
        cls, window: int | None, overlap: int | None, filename_prefix: str | None = None
    ) -> bool | str:
        said = [window_problem(window, overlap), widgets_problem(cls, filename_prefix=filename_prefix)]
        if isinstance(filename_prefix, str) and not said[1]:
            said.append(problems([lambda: host.check_prefix("filename_prefix", filename_prefix)]))
        return " ".join(filter(None, said)) or True

    @classmethod
    def fingerprint_inputs(cls, **inputs: Any) -> int:
        """Changes when a finished video was moved or deleted: then it is made again."""
        return host.vanished_results(inputs)

    @classmethod
    @checked
    def execute(
        cls,
        model: DiffusionModel,
        vae: io.Vae.Type,
        audio_encoder: host.Network,
        source: Any,
        seed: int,
        steps: int,
        audio_guidance: float,
        emotion_guidance: float,
        scheduler: str,
        window: int,
        overlap: int,
        smoothing: float,
        length: str,
        fps: float,
        silence_gate: bool,
        mask_region: str,
        feather: float,
        colour_match: float,
        resume: bool,
        filename_prefix: str,
        audio: Any = None,
        emotion: Any = None,
        tfrm: GraphSmoother | None = None,
        track: TrackAndRegion | None = None,
        check_face: bool = True,
    ) -> io.NodeOutput:
        if problem := window_problem(window, overlap):
            raise InputError(problem)
        host.check_prefix("filename_prefix", filename_prefix)
        info = model.drawing()
        region = mask_image(info.mask_region if mask_region == AUTO else mask_region, info.resolution)
        feeling = None if emotion is None else EmotionTokens.of(emotion)
        settings = RenderSettings(
            seed=seed,
            steps=steps,
            audio_guidance=audio_guidance,
            emotion_guidance=emotion_scale(feeling, audio_guidance, emotion_guidance),
            scheduler=chosen_sampler(scheduler),
            window=window,
            overlap=overlap,
            window_mode=model.window_mode,
            savings=model.savings,
            smoothing=smoothing,
            length=length,
            silence_gate=silence_gate,
            colour_match=colour_match,
            feather=feather,
        )
        sampling = replace(
            settings.sampling(info),
            device=host.compute_device(),
            dtype=placement(model.network.use())[1],
        )
        with (
            ExitStack() as stack,
            _opened(source, audio, fps) as sources,
            speech_of(sources.sound, host.temporary_folder()) as speech,
        ):
            scene = sources.scene(
                speech,
                sources.length(length, speech.seconds),
                region,
                settings,
                track=None if track is None else track.track,
                emotion=None if feeling is None else feeling.to_sample(),
                null_emotion=None if feeling is None else feeling.null,
            )
            live = LiveView(cls.hidden.unique_id, scene.length.frames, float(scene.fps), small_decoder(model))
            watcher = Watcher(info, cls.hidden.unique_id, live)
            if check_face:
                with crop_shown_on_refusal(cls):
                    scene.check_face(info.framing, InstalledDetector())
            notes: list[str] = []
            networks = _networks(model, vae, audio_encoder, tfrm, sampling, notes.append)
            stack.enter_context(host.cancellable(*networks.identity, networks.smoother))
            networks = replace(networks, decode=_shown(networks.decode, live))
            first = scene.first_crop()
            if not live.pictures(first):  # what will be animated
                host.show_picture(_bytes(first), cls.hidden.unique_id)
            notes.append(
                photograph_note(info.preset, first, lambda crop: networks.decode(networks.encode(crop)))
            )
            made = render_to_file(
                host.output_place(filename_prefix, *sources.pictures.size),
                networks,
                scene,
                sampling,
                smoothing=smoothing,
                resume=resume,
                unfinished=host.unfinished_folder(),
                on_progress=watcher.stage,
                check=host.check_cancelled,
            )
            notes += sources.notes(speech)
        host.note_result(cls, made.path)
        shown = ui.PreviewVideo([host.saved_result(made.path)])
        return with_notes(cls, InputImpl.VideoFromFile(str(made.path)), notes=notes, shown=shown)


def _shown(decode: Decode, live: LiveView) -> Decode:
    """The decoder, with all that it gives shown: pictures that are made anyway."""

    def decoded(latents: Tensor) -> Tensor:
        crops = decode(latents)
        live.pictures(crops)
        return crops

    return decoded


def _bytes(crop: Tensor) -> np.ndarray:
    """A crop [1, 3, R, R] in [-1, 1] as uint8 [R, R, 3]."""
    pixels: np.ndarray = (to_pictures(crop)[0] * 255).round().to(torch.uint8).cpu().numpy()
    return pixels


def _networks(
    model: DiffusionModel,
    vae: io.Vae.Type,
    audio_encoder: host.Network,
    tfrm: GraphSmoother | None,
    sampling: Sampling,
    say: Callable[[str], None],
) -> Networks:
    """The networks as a render uses them; each is loaded onto its device when it is called."""
    scale, side = model.info.latent_scale, model.info.resolution // 8
    if tfrm is not None and tfrm.latent_scale != scale:
        raise InputError(
            "This TFRM is of another kind of model: connect the tfrm output of the model's own loader."
        )

    coder = finite_vae(vae, scale, say)
    smoother: Any = None if tfrm is None else host.OnDemand(tfrm.network)
    used = [model.network.use(), audio_encoder.use()]
    return Networks(
        unet=host.OnDemand(
            model.network,
            lambda module: (
                unet_memory(module, sampling.window, side, branches=branches(sampling))
                + deep_memory(module, sampling, sampling.window, side)
            ),
        ),
        audio_encoder=audio_encoder.use(),
        tfrm=smoother,
        encode=coder.encode,
        decode=coder.decode,
        vae=coder,
        identity=(*used, host.vae_network(vae), scale),
        smoother=None if tfrm is None else tfrm.network.use(),
    )


@contextmanager
def _opened(source: Any, audio: Any, fps: float) -> Iterator[Sources]:
    """The frames, and the audio: the connected one, or the video's own."""
    given = None if audio is None else audio_of(audio)
    with opened(source, "source", fps, sound=given is None) as footage:
        sound = footage.sound if given is None else given.sound()
        if sound is None:
            raise InputError("The audio input is empty: connect the speech.")
        heard = None if given is None else (given.waveform, given.rate)
        still = isinstance(source, Tensor) and footage.count == 1
        identity = (*footage.identity, heard)
        read = Sources(footage.pictures, sound, identity, still, is_own_sound=given is None)
        yield read.watched(host.check_cancelled)
