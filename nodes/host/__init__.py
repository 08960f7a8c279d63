"""The only code that uses ComfyUI's internals: when they change, this folder changes and no other.

Nodes write ``from . import host`` and use what is listed here.
"""

from .captioners import captioner_fingerprint, captioner_names, captioner_path, local_captioner
from .context import with_windows
from .core_model import FACES
from .examples import offer_examples
from .files import (
    BUNDLED,
    NONE,
    checkpoint_names,
    checkpoint_path,
    face_folders,
    face_task_path,
    file_problem,
    fingerprint,
    register_model_folder,
    user_file_names,
    weights_names,
    weights_path,
)
from .live import live_channel
from .memory import (
    DEFAULT,
    EIGHT_BITS,
    Held,
    HeldUNet,
    Missing,
    Network,
    OnDemand,
    UNetTypes,
    compute_device,
    result_device,
)
from .progress import (
    NodeProgress,
    cancellable,
    check_cancelled,
    latent_colours,
    latent_previewer,
    show_picture,
    sleep,
)
from .results import (
    check_prefix,
    note_result,
    output_place,
    saved_result,
    unfinished_folder,
    vanished_results,
)
from .routes import register_routes
from .shown import show_note
from .solver import ClipNoise, Solver
from .text import clip_reader, encode_texts, is_clip
from .vae import HeldVAE, MissingVAE, vae_in_float32, vae_network
from .videos import VideoFrames, VideoPart, opened_video, temporary_folder

__all__ = [
    "BUNDLED",
    "DEFAULT",
    "EIGHT_BITS",
    "FACES",
    "NONE",
    "ClipNoise",
    "Held",
    "HeldUNet",
    "HeldVAE",
    "Missing",
    "MissingVAE",
    "Network",
    "NodeProgress",
    "OnDemand",
    "Solver",
    "UNetTypes",
    "VideoFrames",
    "VideoPart",
    "cancellable",
    "captioner_fingerprint",
    "captioner_names",
    "captioner_path",
    "check_prefix",
    "checkpoint_names",
    "checkpoint_path",
    "check_cancelled",
    "clip_reader",
    "compute_device",
    "encode_texts",
    "face_folders",
    "face_task_path",
    "fingerprint",
    "file_problem",
    "is_clip",
    "latent_colours",
    "latent_previewer",
    "live_channel",
    "local_captioner",
    "note_result",
    "offer_examples",
    "opened_video",
    "output_place",
    "register_model_folder",
    "register_routes",
    "result_device",
    "saved_result",
    "show_note",
    "show_picture",
    "sleep",
    "temporary_folder",
    "unfinished_folder",
    "user_file_names",
    "vae_in_float32",
    "vae_network",
    "vanished_results",
    "weights_names",
    "weights_path",
    "with_windows",
]
