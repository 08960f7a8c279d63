"""A whole talking film in one node, as long as the recording."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

from comfy_api.latest import InputImpl, io, ui
from torch import Tensor

from ..eadnet.errors import InputError
from ..eadnet.faces.crops import check_pictures, to_pictures, without_alpha
from ..eadnet.faces.masks import REGIONS, mask_image
from ..eadnet.media.lengths import LENGTH_MODES, choose_length
from ..eadnet.media.reader import Pictures, PicturesInMemory, VideoReader
from ..eadnet.media.sound import Sound, SoundFile, SoundInMemory
from ..eadnet.media.speech import record_speech
from ..eadnet.produce import produce
from ..eadnet.render import CentreSquare, Networks, RenderProgress, Scene
from ..eadnet.render import TrackedFace as FaceInFrames
from ..eadnet.sampling import SCHEDULERS, Sampling
from . import host
from .types import (
    AudioEncoder,
    Denoiser,
    Emotion,
    EmotionTokens,
    Face,
    GraphSmoother,
    Model,
    ModelInfo,
    Smoother,
    TrackedFace,
    schema,
)

AUTO = "auto"

# Seconds by which the sound of a video may outlast its pictures without having anything to say.
_PADDING = 0.15


class EADNetRenderVideo(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetRenderVideo",
            display_name="EAD-Net Render Video",
            description="Makes a portrait or a video speak, for a sentence or for an hour, in memory that "
            "does not grow with length. The film is written while it is made: it plays even after a crash, "
            "and the same job continues where it stopped.",
            search_aliases=["talking head", "lip sync", "lipsync", "long video", "streaming", "dubbing"],
            is_output_node=True,
            inputs=[
                Model.Input("model", tooltip="The denoiser, from a loader."),
                io.Vae.Input(
                    "vae", tooltip="The model's autoencoder; for LatentSync, Load VAE with SD 1.5's."
                ),
                AudioEncoder.Input("audio_encoder", tooltip="From the loader that the model comes from."),
                io.MultiType.Input(
                    "source",
                    types=[io.Video, io.Image],
                    tooltip="A video (Load Video), read frame by frame, which keeps its own frame rate; or a "
                    "portrait, or frames.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=True,
                    tooltip="Another seed, another take. The same seed gives the same film on every device.",
                ),
                io.Int.Input(
                    "steps",
                    default=8,
                    min=1,
                    max=200,
                    tooltip="More steps, finer pictures, more time. mini is good with 8, LatentSync with 20.",
                ),
                io.Float.Input(
                    "audio_guidance",
                    default=1.5,
                    min=0.0,
                    max=20.0,
                    step=0.1,
                    tooltip="How strictly the mouth follows the sound. 1 is no guidance, 1.5 usual.",
                ),
                io.Float.Input(
                    "emotion_guidance",
                    default=1.5,
                    min=0.0,
                    max=20.0,
                    step=0.1,
                    tooltip="How strongly the sentence shows. 0 ignores it, 1 is no guidance. The same value "
                    "for both guidances saves a third of the time.",
                ),
                io.Combo.Input(
                    "scheduler",
                    options=list(SCHEDULERS),
                    default=SCHEDULERS[0],
                    tooltip="ddim is what the models were measured with; dpmpp_2m and euler need fewer "
                    "steps; lcm is for models distilled to a few steps.",
                ),
                io.Int.Input(
                    "window",
                    default=16,
                    min=1,
                    max=64,
                    tooltip="Frames denoised together. The models were trained on 16 and know at most 24. "
                    "Halved when memory runs out.",
                ),
                io.Int.Input(
                    "overlap",
                    default=4,
                    min=0,
                    max=63,
                    tooltip="Frames that neighbouring windows share and blend. More is smoother and slower.",
                ),
                io.Float.Input(
                    "smoothing",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="Strength of the TFRM, if one is connected. 0 is off.",
                ),
                io.Combo.Input(
                    "length",
                    options=list(LENGTH_MODES),
                    default=LENGTH_MODES[0],
                    tooltip="When sound and video last differently long: a short video plays back and forth "
                    "(bounce), starts again (loop) or stops at its end (hold), all as long as the sound; "
                    "cut_off ends with the shorter, silence with the longer.",
                ),
                io.Float.Input(
                    "fps",
                    default=25.0,
                    min=1.0,
                    max=120.0,
                    step=0.01,
                    tooltip="Frames per second for a portrait or frames. A video keeps its own.",
                ),
                io.Boolean.Input(
                    "silence_gate",
                    default=True,
                    tooltip="Close the mouth in the pauses of the recording.",
                ),
                io.Combo.Input(
                    "mask_region",
                    options=[AUTO, *REGIONS],
                    default=AUTO,
                    tooltip="What is generated anew. auto takes what the model was trained on.",
                ),
                io.Float.Input(
                    "feather",
                    default=0.05,
                    min=0.0,
                    max=0.25,
                    step=0.01,
                    tooltip="With a track: width of the soft edge, inwards, as a share of the crop's side.",
                ),
                io.Float.Input(
                    "colour_match",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="With a track: how far the face takes on the colours of what surrounds it.",
                ),
                io.Boolean.Input(
                    "resume",
                    default=True,
                    tooltip="Continue the same film where an earlier attempt was broken off, with identical "
                    "frames.",
                ),
                io.String.Input(
                    "filename_prefix",
                    default="video/EAD-Net",
                    tooltip="Where the film is saved in the output folder, as in Save Video.",
                ),
                io.Audio.Input(
                    "audio",
                    optional=True,
                    tooltip="The recording to say, of any length and rate. Unconnected: the video's own "
                    "sound.",
                ),
                io.MultiType.Input(
                    "emotion",
                    types=[Emotion, io.Conditioning],
                    optional=True,
                    tooltip="From EAD-Net Encode Emotion or EAD-Net Emotion Timeline.",
                ),
                Smoother.Input("tfrm", optional=True, tooltip="From EAD-Net Load Checkpoint."),
                Face.Input(
                    "track",
                    optional=True,
                    tooltip="From EAD-Net Track Face, for the same frames: the result shows the whole "
                    "frames. Unconnected: the centred square is the face and the result.",
                ),
            ],
            outputs=[
                io.Video.Output(display_name="video", tooltip="The finished film, which is saved already.")
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, window: int, overlap: int) -> bool | str:
        if not 0 <= overlap < window:
            return f"The overlap is {overlap} frames: use 0 to {window - 1} for a window of {window}."
        return True

    @classmethod
    def execute(
        cls,
        model: Denoiser,
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
        audio: dict[str, Any] | None = None,
        emotion: Any = None,
        tfrm: GraphSmoother | None = None,
        track: TrackedFace | None = None,
    ) -> io.NodeOutput:
        info = model.info
        region = mask_image(info.mask_region if mask_region == AUTO else mask_region, info.resolution)
        feeling = None if emotion is None else EmotionTokens.of(emotion)
        if feeling is not None and feeling.is_null():
            # The empty sentence guides nowhere; equal scales spare the evaluation that would find that out.
            emotion_guidance = audio_guidance
        weights = next(model.network.use().parameters())  # tells one checkpoint from another
        how = Sampling(
            scheduler_config=info.scheduler_config,
            scheduler=scheduler,
            steps=steps,
            audio_guidance=audio_guidance,
            emotion_guidance=emotion_guidance,
            seed=seed,
            window=window,
            overlap=overlap,
            shared_noise=info.shared_noise,
            device=host.compute_device(),
            dtype=weights.dtype,
        )
        key = _fingerprint(source, audio, feeling, track, info, weights, region, length, fps, silence_gate)
        with _opened(source, audio, fps) as (pictures, own_sound):
            sound: Sound = own_sound
            speech = record_speech(sound, host.temporary_folder() / f"eadnet_{key}.f32")
            try:
                available = None if isinstance(source, Tensor) and len(source) == 1 else pictures.count
                apart = 0.0 if available is None else abs(speech.seconds - float(available / pictures.fps))
                if audio is None and apart < _PADDING:  # a codec's padding is no reason to turn round
                    length = "cut_off"
                scene = Scene(
                    pictures=pictures,
                    face=_face(track, region, colour_match, feather),
                    region=region,
                    speech=speech,
                    fps=pictures.fps,
                    length=choose_length(length, speech.seconds, pictures.fps, available),
                    emotion=None if feeling is None else feeling.tokens,
                    null_emotion=None if feeling is None else feeling.null,
                    silence_gate=silence_gate,
                )
                film = host.film_path(filename_prefix, key, *pictures.size)
                made = produce(
                    film,
                    _networks(info, model, vae, audio_encoder, tfrm, window),
                    scene,
                    how,
                    sound,
                    smoothing=smoothing,
                    resume=resume,
                    fingerprint=f"{key} {feather} {colour_match}",
                    on_progress=_Watcher(info, cls.hidden.unique_id),
                )
            finally:
                speech.path.unlink(missing_ok=True)
            assert made.frames == scene.length.frames
            path, saved = host.place_film(film, filename_prefix, *pictures.size)
        return io.NodeOutput(InputImpl.VideoFromFile(str(path)), ui=ui.PreviewVideo([saved]))


class _Watcher:
    """Progress for every window, a preview after every finished one, and Cancel."""

    def __init__(self, info: ModelInfo, node_id: str | None) -> None:
        self._node_id = node_id
        self._preview = host.latent_previewer(info.latent_rgb)
        self._progress: host.Progress | None = None

    def __call__(self, now: RenderProgress) -> None:
        if self._progress is None or now.done == 1:
            self._progress = host.Progress(now.total, self._node_id)
        clean = now.sampling.denoised
        self._progress.update(now.done, None if clean is None else self._preview(clean))


def _face(track: TrackedFace | None, region: Tensor, colour_match: float, feather: float) -> Any:
    if track is None:
        return CentreSquare(region)
    return FaceInFrames(track.track, region, colour_match, round(feather * region.shape[-1]))


def _networks(
    info: ModelInfo,
    model: Denoiser,
    vae: io.Vae.Type,
    audio_encoder: host.Network,
    tfrm: GraphSmoother | None,
    window: int,
) -> Networks:
    """The networks as a render uses them; each is fetched when it is called."""
    scale, side = info.latent_scale, info.resolution // 8
    if tfrm is not None and tfrm.latent_scale != scale:
        raise InputError(
            "This TFRM belongs to another kind of model: connect that of the model's checkpoint."
        )

    def encode(crops: Tensor) -> Tensor:
        latents = vae.encode(to_pictures(crops))
        if tuple(latents.shape[1:]) != (4, side, side):
            raise InputError(
                f"This VAE turns a picture into {list(latents.shape[1:])} where {[4, side, side]} is needed: "
                "connect the checkpoint's own VAE or, for LatentSync, Stable Diffusion 1.5's."
            )
        return latents.float() * scale

    smoother: Any = None
    if tfrm is not None:
        smoother = host.OnDemand(tfrm.network)
    return Networks(
        unet=host.OnDemand(model.network, lambda module: host.unet_memory(module, window, side)),
        audio_encoder=audio_encoder.use(),
        tfrm=smoother,
        encode=encode,
        decode=lambda latents: vae.decode((latents / scale).cpu()).movedim(-1, 1) * 2 - 1,
    )


@contextmanager
def _opened(source: Any, audio: dict[str, Any] | None, fps: float) -> Iterator[tuple[Pictures, Sound]]:
    """The pictures, and the recording: the one given, or the video's own."""
    if isinstance(source, Tensor):
        check_pictures(source[:1])
        if audio is None:
            raise InputError("There is no sound: connect a recording.")
        frames = source if source.shape[-1] == 3 else without_alpha(source.float().clamp(0, 1))[..., :3]
        yield PicturesInMemory(frames, Fraction(fps).limit_denominator(1001)), _given(audio)
        return
    file = source.get_stream_source()
    with tempfile.TemporaryDirectory(dir=host.temporary_folder()) as folder:
        path = Path(file) if isinstance(file, str) else Path(folder) / "source.mp4"
        if not isinstance(file, str):
            path.write_bytes(file.getbuffer())
        with VideoReader(path) as reader:
            yield reader, SoundFile(path) if audio is None else _given(audio)


def _given(audio: dict[str, Any]) -> Sound:
    return SoundInMemory(audio["waveform"], audio["sample_rate"])


def _fingerprint(*parts: Any) -> str:
    """A short name that changes with anything that decides the result."""
    digest = hashlib.sha256()
    for part in parts:
        _digest(digest, part)
    return digest.hexdigest()[:12]


def _digest(digest: Any, part: Any) -> None:
    if isinstance(part, Tensor):
        for piece in part.contiguous().flatten().split(1 << 24):
            digest.update(piece.detach().cpu().float().numpy().tobytes())
    elif isinstance(part, dict):
        for name in sorted(part):
            _digest(digest, part[name])
    elif hasattr(part, "get_stream_source"):
        file = part.get_stream_source()
        if isinstance(file, str):
            stat = Path(file).stat()
            digest.update(f"{file} {stat.st_size} {stat.st_mtime_ns}".encode())
        else:
            digest.update(file.getbuffer())
    elif hasattr(part, "__dataclass_fields__"):
        for name in part.__dataclass_fields__:
            _digest(digest, getattr(part, name))
    else:
        digest.update(repr(part).encode())
